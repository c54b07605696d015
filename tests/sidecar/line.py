"""A kernel's end of the link, played by hand."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from odyssey_nb.framing import frame, read_frame
from odyssey_nb.wire import link as wire
from tests.conftest import Service


class Line:
    """A kernel's end of the link, by hand."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.process, self._reader, self.writer = process, reader, writer
        self.pictures: list[wire.Picture] = []
        self.events: list[wire.FromSidecar] = []

    def tell(self, message: wire.FromKernel) -> None:
        """Send a message."""
        self.writer.write(frame(wire.from_kernel.to_bytes(message)))

    async def receive(self) -> wire.FromSidecar:
        """Return the next message."""
        async with asyncio.timeout(10):
            message = wire.from_sidecar.from_bytes(await read_frame(self._reader))
        assert message is not None
        return message

    async def answer(self, request: wire.Request) -> wire.Answer:
        """Send a request and wait for its answer, keeping what comes before it."""
        self.tell(request)
        while True:
            message = await self.receive()
            if message.type == "answer" and message.id == request.id:
                return message
            (self.pictures if message.type == "picture" else self.events).append(message)

    async def connect(self, service: Service, name: str = "default") -> None:
        """Open a connection to `service`."""
        answer = await self.answer(
            wire.Connect(
                id=1, connection=name, url=service.url, api_key=service.api_key, timeout=20
            )
        )
        assert answer.error == ""


@asynccontextmanager
async def sidecar(
    kernel: int = 0, server: int = 0, log: Path = Path(os.devnull)
) -> AsyncIterator[Line]:
    """Start a sidecar for the process `kernel` (this one if not given); `log` is what it says."""
    ours, theirs = socket.socketpair()
    with theirs, log.open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "odyssey_nb.sidecar.process", str(theirs.fileno()),
             str(kernel or os.getpid()), str(server)],
            pass_fds=[theirs.fileno()], start_new_session=True, stderr=said,
        )  # fmt: skip
    reader, writer = await asyncio.open_connection(sock=ours)
    line = Line(process, reader, writer)
    try:
        hello = await line.receive()
        assert hello.type == "hello"
        assert hello.pid == process.pid
        yield line
    finally:
        writer.close()
        await writer.wait_closed()
        process.wait(5)


def hello(version: int = wire.LINK_VERSION) -> wire.Hello:
    """What a kernel says first."""
    return wire.Hello(link=version, version="test", pid=os.getpid())
