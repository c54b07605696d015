"""A session's signaling WebSocket (protocol section 3)."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING
from urllib.parse import quote

import aiohttp

from odyssey_nb.client.retry import with_scheme
from odyssey_nb.client.socket import (
    CLOSE_SECONDS,
    OPEN_SECONDS,
    PING_SECONDS,
    MessageSocket,
    SocketLostError,
)
from odyssey_nb.concurrency import background
from odyssey_nb.errors import NegotiationError
from odyssey_nb.wire.signaling import (
    ClientDisconnecting,
    CloseCode,
    FromClient,
    FromServer,
    KeepAlive,
    from_client,
    from_server,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

KEEPALIVE_SECONDS = 10.0
LARGEST = 64 * 1024 * 1024


class Signaling(MessageSocket[FromClient, FromServer]):
    """An open signaling socket, kept alive. An instance exists only while its socket is open."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        super().__init__(socket, from_client, from_server)
        self.left = False  # the goodbye got through

    @classmethod
    @asynccontextmanager
    async def open(
        cls, http: aiohttp.ClientSession, url: str, session_id: str, token: str
    ) -> AsyncIterator[Signaling]:
        """Open the session's socket; on the way out, say goodbye and close it.

        Raises:
            NegotiationError: The service refused the socket, or is not there.
        """
        address = f"{with_scheme(url, 'ws')}/client/{session_id}?token={quote(token, safe='')}"
        try:
            async with asyncio.timeout(OPEN_SECONDS):
                socket = await http.ws_connect(
                    address, max_msg_size=LARGEST, heartbeat=PING_SECONDS, autoping=True
                )
        except aiohttp.WSServerHandshakeError as error:
            # The cause holds the address, and the address holds the token.
            raise NegotiationError(f"the service refused the session ({error.status})") from None
        except (aiohttp.ClientError, TimeoutError, OSError):
            raise NegotiationError("the session's signaling did not open") from None
        signaling = cls(socket)
        try:
            async with background(signaling.repeat(KeepAlive(), KEEPALIVE_SECONDS)):
                yield signaling
        finally:
            await signaling._say_goodbye()

    async def _say_goodbye(self) -> None:
        with suppress(SocketLostError):
            await self.send(ClientDisconnecting(), within=CLOSE_SECONDS)
        # What was written to a line that is broken looks sent; the answer tells.
        self.left = await self.close("Client disconnect") == CloseCode.NORMAL
