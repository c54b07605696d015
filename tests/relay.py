"""A TCP relay that stands in for the network between a client and a service."""

from __future__ import annotations

import asyncio
import threading
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Generic, Self, TypeVar
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager

T = TypeVar("T")


class Relay:
    """Carries connections to one service; `cut` breaks all that are open.

    While it is `down` it takes no others; while it is `silent` nothing gets through.
    """

    def __init__(self, host: str, port: int) -> None:
        self._to = host, port
        self._open: set[asyncio.StreamWriter] = set()
        self.url = ""
        self.down = False
        self._speaks = asyncio.Event()
        self._speaks.set()
        self._said = bytearray()

    @classmethod
    @asynccontextmanager
    async def to(cls, url: str) -> AsyncIterator[Relay]:
        """Relay to the service at `url`, from a free port of this machine."""
        parts = urlsplit(url)
        relay = cls(str(parts.hostname), int(parts.port or 80))
        server = await asyncio.start_server(relay._carry, "127.0.0.1", 0)
        relay.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield relay
        finally:
            server.close()
            relay.cut()

    def cut(self) -> int:
        """Break every open connection, as a network does; return how many."""
        broken = list(self._open)
        for writer in broken:
            writer.transport.abort()
        return len(broken) // 2

    @property
    def silent(self) -> bool:
        """Whether bytes wait, as they do where packets vanish."""
        return not self._speaks.is_set()

    @silent.setter
    def silent(self, now: bool) -> None:
        (self._speaks.clear if now else self._speaks.set)()

    def count(self, words: bytes) -> int:
        """Return how often the clients said `words`."""
        return self._said.count(words)

    @property
    def heard(self) -> int:
        """How many bytes came from clients, also those that wait."""
        return len(self._said)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.down:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._to)
        except OSError:
            writer.transport.abort()
            return
        self._open |= {writer, far_writer}
        try:
            await asyncio.wait(
                [
                    asyncio.ensure_future(self._copy(reader, far_writer, self._said)),
                    asyncio.ensure_future(self._copy(far_reader, writer)),
                ]
            )
        finally:
            self._open -= {writer, far_writer}

    async def _copy(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        said: bytearray | None = None,
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                if said is not None:
                    said += data
                await self._speaks.wait()
                writer.write(data)
                await writer.drain()
        writer.close()


class Threaded(Generic[T]):
    """Holds what `opening` opens on a loop in a thread of its own, for tests that block."""

    def __init__(self, opening: Callable[[], AbstractAsyncContextManager[T]]) -> None:
        self._opening = opening
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._hold()), name="threaded")

    async def _hold(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        async with self._opening() as self.it:
            self._ready.set()
            await self._over.wait()

    def do(self, act: Callable[[], object]) -> None:
        """Do something to it, on its loop."""
        self._loop.call_soon_threadsafe(act)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self.do(self._over.set)
        self._thread.join(10)


class Line(Threaded[Relay]):
    """A relay for tests that block; between it and the service is what breaks."""

    def __init__(self, url: str) -> None:
        super().__init__(lambda: Relay.to(url))

    @property
    def url(self) -> str:
        """Where clients find it."""
        return self.it.url

    def cut(self, *, down: bool = False) -> None:
        """Break every connection, and take no other while it is `down`."""

        def do() -> None:
            self.it.down = down
            self.it.cut()

        self.do(do)
