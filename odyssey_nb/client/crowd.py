"""The socket of whoever conducts a crowd (our service only)."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import quote

import aiohttp

from odyssey_nb.client.retry import with_scheme
from odyssey_nb.client.socket import (
    OPEN_SECONDS,
    PING_SECONDS,
    MessageSocket,
)
from odyssey_nb.concurrency import background
from odyssey_nb.errors import ConnectError, CrowdError
from odyssey_nb.wire import crowd as wire

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

LARGEST = 1024 * 1024


class CrowdSocket(MessageSocket[wire.FromOwner, wire.ToOwner]):
    """An open socket to a crowd. An instance exists only while its socket is open."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        super().__init__(socket, wire.from_owner, wire.to_owner)

    @classmethod
    @asynccontextmanager
    async def open(
        cls, http: aiohttp.ClientSession, url: str, stream_id: str, access_token: str
    ) -> AsyncIterator[CrowdSocket]:
        """Conduct the crowd of a stream that is broadcast; the first socket opens it.

        Raises:
            ConnectError: The service does not answer.
            CrowdError: It knows no crowds.
        """
        address = f"{with_scheme(url, 'ws')}/live/{quote(stream_id, safe='')}/crowd/owner"
        try:
            async with asyncio.timeout(OPEN_SECONDS):
                socket = await http.ws_connect(
                    address,
                    headers={"Authorization": f"Bearer {access_token}"},
                    max_msg_size=LARGEST,
                    heartbeat=PING_SECONDS,
                )
        except aiohttp.WSServerHandshakeError:
            raise CrowdError(
                "this service lets nobody else steer",
                hint="The local service does: ody.connect(local=True).",
            ) from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ConnectError("the crowd's socket did not open") from error
        crowd = cls(socket)
        try:
            async with background(crowd.repeat(wire.Here(), wire.HERE_SECONDS)):
                yield crowd
        finally:
            await crowd.close("")
