"""A session's signaling WebSocket (protocol section 3)."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING
from urllib.parse import quote

import aiohttp

from odyssey_nb.client.retry import with_scheme
from odyssey_nb.concurrency import background
from odyssey_nb.errors import NegotiationError
from odyssey_nb.wire.codec import MalformedMessageError
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

OPEN_SECONDS = 10.0
SEND_SECONDS = 5.0
CLOSE_SECONDS = 1.0
KEEPALIVE_SECONDS = 10.0
PING_SECONDS = 10.0  # and half of that for the answer, until a silent socket counts as closed
LARGEST = 64 * 1024 * 1024


class SocketLostError(Exception):
    """The socket closed; `code` is the close code."""

    def __init__(self, code: int | None) -> None:
        super().__init__(code)
        self.code = code

    @property
    def meant(self) -> bool:
        """Whether the service closed it for a reason of its own, which no new socket changes.

        It then says goodbye or uses one of its own codes (protocol section 3.6); whatever else
        closes a socket is an accident, and the session may go on.
        """
        return self.code is not None and (self.code == CloseCode.NORMAL or 4000 <= self.code < 5000)

    def __str__(self) -> str:
        if self.code == CloseCode.NORMAL:
            return "the service ended the session"
        if self.meant:
            return f"the service closed the session ({self.code})"
        return "the connection to the service broke"


class Signaling:
    """An open signaling socket, kept alive. An instance exists only while its socket is open."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self.left = False  # the goodbye went out

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
            async with background(signaling._keep_alive()):
                yield signaling
        finally:
            await signaling._say_goodbye()

    async def send(self, message: FromClient, *, within: float = SEND_SECONDS) -> None:
        """Send `message`; what is large may take more seconds.

        Raises:
            SocketLostError: The socket is closed or takes nothing.
        """
        try:
            async with asyncio.timeout(within):
                await self._socket.send_str(from_client.to_json(message))
        except (aiohttp.ClientError, ConnectionError, TimeoutError, RuntimeError) as error:
            raise SocketLostError(self._socket.close_code) from error

    async def receive(self) -> FromServer:
        """Wait for the next message that we know.

        Raises:
            SocketLostError: The socket closed.
        """
        while True:
            frame = await self._socket.receive()
            if frame.type == aiohttp.WSMsgType.TEXT:
                with suppress(MalformedMessageError):
                    message = from_server.from_json(frame.data)
                    if message is not None:
                        return message
            elif frame.type != aiohttp.WSMsgType.BINARY:
                raise SocketLostError(self._socket.close_code)

    async def _keep_alive(self) -> None:
        with suppress(SocketLostError):  # the reader finds out and tells
            while True:
                await asyncio.sleep(KEEPALIVE_SECONDS)
                await self.send(KeepAlive())

    async def _say_goodbye(self) -> None:
        with suppress(SocketLostError, TimeoutError, aiohttp.ClientError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self.send(ClientDisconnecting())
                self.left = True
                await self._socket.close(code=1000, message=b"Client disconnect")
