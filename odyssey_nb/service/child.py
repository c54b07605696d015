"""What our child processes have in common: a line to the control plane, and a quick end.

``python -m MODULE FD``; `FD` is the child's end of a socket pair. It ends when that socket does, so
a control plane that dies takes its children along.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Generic, TypeVar

from odyssey_nb.framing import frame, read_frame

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from odyssey_nb.wire.codec import Codec

log = logging.getLogger(__name__)

Up = TypeVar("Up")  # what a child sends
Down = TypeVar("Down")  # what it gets


class Line(Generic[Up, Down]):
    """A child's end of the line to the control plane."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        up: Codec[Up],
        down: Codec[Down],
    ) -> None:
        self._reader, self._writer = reader, writer
        self._up, self._down = up, down

    def report(self, message: Up) -> None:
        """Send `message`; nothing that is sent here is large."""
        self._writer.write(frame(self._up.to_bytes(message)))

    async def messages(self) -> AsyncIterator[Down]:
        """Yield what arrives until the control plane closes."""
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                message = self._down.from_bytes(await read_frame(self._reader))
                if message is not None:
                    yield message


def run(
    serve: Callable[[Line[Up, Down]], Awaitable[None]], up: Codec[Up], down: Codec[Down]
) -> None:
    """Run `serve` in this process until it returns, then end the process."""
    # An interrupt in the service's terminal reaches the whole group; the control plane decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.basicConfig(level=logging.WARNING)
    for chatty in ("aioice", "aiortc"):
        logging.getLogger(chatty).setLevel(logging.ERROR)

    async def main() -> None:
        reader, writer = await asyncio.open_connection(sock=socket.socket(fileno=int(sys.argv[1])))
        await serve(Line(reader, writer, up, down))
        with suppress(ConnectionError):
            await writer.drain()

    status = 1
    try:
        asyncio.run(main())
        status = 0
    except Exception:
        log.exception("%s failed", sys.argv[0])
    finally:
        # Encoder and world threads may be in the middle of a picture that nobody wants any more.
        sys.stderr.flush()
        os._exit(status)
