"""One end of a WebSocket: what waits to be sent is bounded, and so is every wait."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, TypeVar

from fastapi.websockets import WebSocket, WebSocketDisconnect

from odyssey_nb.wire.codec import Codec, MalformedMessageError
from odyssey_nb.wire.signaling import CloseCode

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

M = TypeVar("M")

SEND_SECONDS = 5.0  # longest that a socket may take to accept a message
MOST_UNSENT = 64  # messages; whoever puts more is told


class Line:
    """One socket: what is to be sent waits here, of boards only the newest."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket
        self._unsent: list[str] = []
        self._board = ""
        self._more = asyncio.Event()
        self._closing: tuple[int, str] | None = None

    def put(self, text: str, *, always: bool = False) -> bool:
        """Send `text` in its turn; return whether there was room."""
        if len(self._unsent) >= MOST_UNSENT and not always:
            return False
        self._unsent.append(text)
        self._more.set()
        return True

    def show(self, board: str) -> None:
        """Send a board, unless a newer one comes first."""
        self._board = board
        self._more.set()

    def close(self, code: int = CloseCode.NORMAL, reason: str = "") -> None:
        """Close the socket once everything is sent."""
        self._closing = self._closing or (code, reason)
        self._more.set()

    @asynccontextmanager
    async def speaking(self) -> AsyncIterator[None]:
        """Send while the body runs, then what is left; at last close the socket."""
        sending = asyncio.get_running_loop().create_task(self.send())  # ends with this block
        try:
            yield
        finally:
            self.close()
            await asyncio.wait([sending], timeout=SEND_SECONDS)
            sending.cancel()

    async def send(self) -> None:
        """Send what there is, until the socket takes no more or is to be closed."""
        with suppress(RuntimeError, WebSocketDisconnect, TimeoutError, OSError):
            while True:
                await self._more.wait()
                self._more.clear()
                unsent, self._unsent = self._unsent, []
                board, self._board = self._board, ""
                for text in filter(None, [*unsent, board]):
                    async with asyncio.timeout(SEND_SECONDS):
                        await self._socket.send_text(text)
                if self._closing is not None and not self._unsent:
                    break
        code, reason = self._closing or (CloseCode.UNKNOWN_SESSION, "it takes nothing")
        with suppress(RuntimeError, WebSocketDisconnect, TimeoutError, OSError):
            async with asyncio.timeout(SEND_SECONDS):
                await self._socket.close(code, reason)


async def hear(socket: WebSocket, codec: Codec[M], *, longest: int | None, within: float) -> M:
    """Wait for the next message on `socket` that is known.

    Raises:
        WebSocketDisconnect: It closed, or what came is none, or too long.
        TimeoutError: Nothing came `within` so many seconds.
    """
    async with asyncio.timeout(within):
        while True:
            frame = await socket.receive()
            if frame["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(int(frame.get("code") or 1005))
            text = frame.get("text") or ""
            if longest is not None and len(text) > longest:
                raise WebSocketDisconnect(1009)
            try:
                message = codec.from_json(text)
            except MalformedMessageError:
                raise WebSocketDisconnect(1007) from None
            if message is not None:
                return message
