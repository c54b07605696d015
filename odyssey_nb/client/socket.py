"""A WebSocket of messages, and how it is lost."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Generic, TypeVar

import aiohttp

from odyssey_nb.wire.codec import MalformedMessageError
from odyssey_nb.wire.signaling import CloseCode

if TYPE_CHECKING:
    from odyssey_nb.wire.codec import Codec

OPEN_SECONDS = 10.0
SEND_SECONDS = 5.0
CLOSE_SECONDS = 1.0
PING_SECONDS = 10.0  # and half of that for the answer, until a silent socket counts as closed

Out = TypeVar("Out")
In = TypeVar("In")


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


class MessageSocket(Generic[Out, In]):
    """Sends messages of one kind and receives those of another, each a text frame."""

    def __init__(
        self, socket: aiohttp.ClientWebSocketResponse, outgoing: Codec[Out], incoming: Codec[In]
    ) -> None:
        self._socket = socket
        self._outgoing, self._incoming = outgoing, incoming
        self._coming: asyncio.Future[aiohttp.WSMessage] | None = None

    async def send(self, message: Out, *, within: float = SEND_SECONDS) -> None:
        """Send `message`; what is large may take more seconds.

        Raises:
            SocketLostError: The socket is closed or takes nothing.
        """
        try:
            async with asyncio.timeout(within):
                await self._socket.send_str(self._outgoing.to_json(message))
        except (aiohttp.ClientError, ConnectionError, TimeoutError, RuntimeError) as error:
            raise SocketLostError(self._socket.close_code) from error

    async def repeat(self, message: Out, every: float) -> None:
        """Send `message` every so many seconds, until the socket is lost."""
        with suppress(SocketLostError):  # the reader finds out and tells
            while True:
                await asyncio.sleep(every)
                await self.send(message)

    async def receive(self) -> In:
        """Wait for the next message that we know.

        Raises:
            SocketLostError: The socket closed.
        """
        while True:
            # Shielded, since aiohttp takes a wait that is cancelled for a socket that broke, and
            # would not hear the answer to our goodbye.
            self._coming = self._coming or asyncio.ensure_future(self._socket.receive())
            frame = await asyncio.shield(self._coming)
            self._coming = None
            if frame.type == aiohttp.WSMsgType.TEXT:
                with suppress(MalformedMessageError):
                    message = self._incoming.from_json(frame.data)
                    if message is not None:
                        return message
            elif frame.type != aiohttp.WSMsgType.BINARY:
                raise SocketLostError(self._socket.close_code)

    async def close(self, reason: str) -> int | None:
        """Close the socket; return the code that the other end answered with, if it did in time."""
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._socket.close(code=CloseCode.NORMAL, message=reason.encode())
        except (aiohttp.ClientError, TimeoutError):
            return None
        finally:
            if self._coming is not None:
                self._coming.cancel()
        return self._socket.close_code
