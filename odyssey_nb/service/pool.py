"""Streamer processes: one waits warm, each serves one session.

A process per session costs nothing at connect time, because the next one is already warm, and keeps
a crash, a leak or a hanging world where it happened.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, Self, TypeVar

from odyssey_nb.concurrency import Crew, insist
from odyssey_nb.framing import frame, read_frame
from odyssey_nb.wire import simulator, streamer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from odyssey_nb.wire.codec import Codec

log = logging.getLogger(__name__)

WARM_SECONDS = 30.0  # longest wait for a new process
GOODBYE_SECONDS = 1.5  # what a process gets to end by itself
KILLED_SECONDS = 5.0  # longest wait for one that was killed


class StreamerLostError(Exception):
    """A streamer process ended when it was still needed."""


class Message(Protocol):
    """Whatever has a ``type``."""

    @property
    def type(self) -> str:
        """What the message is called."""


Down = TypeVar("Down")  # what a child gets
Up = TypeVar("Up", bound=Message)  # what it sends


class Child(Generic[Down, Up]):
    """The control plane's end of one process of a kind that a subclass names; see `start`."""

    _module: ClassVar[str]
    _down: ClassVar[Codec[Any]]
    _up: ClassVar[Codec[Any]]

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._process, self._reader, self._writer = process, reader, writer

    @classmethod
    async def start(cls) -> Self:
        """Start a process and wait until it is warm.

        Raises:
            StreamerLostError: It ended, or was not warm in time.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            # The line comes first: once there is a process, there is a `close` that ends both.
            reader, writer = await asyncio.open_connection(sock=ours, limit=2**20)
            try:
                fd = theirs.fileno()
                process = await asyncio.create_subprocess_exec(
                    sys.executable, "-m", cls._module, str(fd),
                    pass_fds=[fd], stdin=asyncio.subprocess.DEVNULL,
                )  # fmt: skip
            except BaseException as error:
                writer.close()
                if isinstance(error, OSError):
                    raise StreamerLostError("a process could not be started") from error
                raise
        child = cls(process, reader, writer)
        try:
            async with asyncio.timeout(WARM_SECONDS):
                message = await child.receive()
        except BaseException as error:
            await child.close()
            if isinstance(error, TimeoutError):
                raise StreamerLostError("a process did not get warm") from None
            raise
        assert message.type == "ready"
        return child

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self._process.returncode is None

    def send(self, message: Down) -> None:
        """Send `message`; to a process that is gone it goes nowhere, and `receive` says so."""
        self._writer.write(frame(self._down.to_bytes(message)))

    async def drain(self) -> None:
        """Wait until the process has taken most of what was sent; one that is gone takes nothing.

        An image is large, and whoever sends several waits here instead of filling the memory.
        """
        with suppress(ConnectionError):
            await self._writer.drain()

    async def receive(self) -> Up:
        """Wait for the next message.

        Raises:
            StreamerLostError: The process is gone.
        """
        while True:
            try:
                message: Up | None = self._up.from_bytes(await read_frame(self._reader))
            except (asyncio.IncompleteReadError, ConnectionError) as error:
                raise StreamerLostError("a process is gone") from error
            if message is not None:
                return message

    async def close(self) -> None:
        """Let the process end, and kill it if it does not or if we are cancelled.

        Afterwards process and line are gone, however often we are cancelled.
        """
        self._writer.close()
        try:
            async with asyncio.timeout(GOODBYE_SECONDS):
                await self._process.wait()
        except TimeoutError:
            pass
        finally:  # also when whoever closes it cannot wait any longer
            if self.alive:
                with suppress(ProcessLookupError):
                    self._process.kill()
            await insist(self._gone())

    async def _gone(self) -> None:
        """Wait until a process that ends is collected and the line to it closed."""
        self._writer.transport.abort()  # what it did not read, nobody will
        with suppress(ConnectionError):
            await self._writer.wait_closed()
        try:
            async with asyncio.timeout(KILLED_SECONDS):
                await self._process.wait()
        except TimeoutError:
            log.warning("process %d was killed and is still there", self.pid)


class Streamer(Child[streamer.FromControl, streamer.FromStreamer]):
    """A streamer process."""

    _module = "odyssey_nb.service.streamer"
    _down, _up = streamer.from_control, streamer.from_streamer


class Simulator(Child[simulator.FromControl, simulator.FromSimulator]):
    """A simulator process."""

    _module = "odyssey_nb.service.simulator"
    _down, _up = simulator.from_control, simulator.from_simulator


class StreamerPool:
    """Hands out warm streamers, of processes of the given `kind`."""

    def __init__(self, crew: Crew, kind: type[Streamer] = Streamer) -> None:
        self._crew = crew
        self._kind = kind
        self._streamers: set[Streamer] = set()  # every one that got warm and is not closed
        self._warm = self._start()
        self._retired = False

    def _start(self) -> asyncio.Task[Streamer]:
        return self._crew.start(self._begin())

    async def _begin(self) -> Streamer:
        streamer = await self._kind.start()
        self._streamers.add(streamer)
        return streamer

    async def _end(self, streamer: Streamer) -> None:
        await streamer.close()
        self._streamers.discard(streamer)

    @classmethod
    @asynccontextmanager
    async def open(cls, kind: type[Streamer] = Streamer) -> AsyncIterator[StreamerPool]:
        """Keep a streamer warm; on the way out, end every process that is left.

        Whoever still waits for a streamer is told `StreamerLostError`.
        """
        pool = cls(Crew(), kind)
        try:
            yield pool
        finally:
            pool.retire()
            await insist(pool._close())

    async def _close(self) -> None:
        await self._crew.settle(GOODBYE_SECONDS + 1)
        # Nothing starts any more. What is left was not given back, or too late to be ended.
        await asyncio.gather(*map(self._end, tuple(self._streamers)))

    def retire(self) -> None:
        """Begin to end the warm streamer; there will be no other."""
        if not self._retired:
            self._retired = True
            self._discard(self._warm)

    def is_warm(self) -> bool:
        """Whether a streamer is warm now; one that has died meanwhile is replaced."""
        if self._retired or not self._warm.done():
            return False
        streamer = _outcome(self._warm)
        if streamer is not None and streamer.alive:
            return True
        self._discard(self._warm)  # its end of the line is still open
        self._warm = self._start()
        return False

    async def warm(self) -> None:
        """Wait until a streamer is warm."""
        await asyncio.shield(self._warm)

    async def take(self) -> Streamer:
        """Return the warm streamer, and start warming the next.

        Raises:
            StreamerLostError: No process could be started, or the pool is retired.
        """
        for _ in range(2):  # the warm one may have died while it waited
            if self._retired:
                break
            warm, self._warm = self._warm, self._start()
            try:
                # Unlike a shield, this lets only a cancellation of ourselves through.
                await asyncio.wait([warm])
            except asyncio.CancelledError:
                self._discard(warm)
                raise
            streamer = _outcome(warm)
            if streamer is None:
                error = None if warm.cancelled() else warm.exception()
                log.warning("a streamer process did not start: %r", error)
            elif streamer.alive:
                return streamer
            else:
                self.give_back(streamer)
        raise StreamerLostError("no streamer process could be started")

    def give_back(self, streamer: Streamer) -> asyncio.Task[None]:
        """End the process of a finished session; whoever must know when it is gone may wait."""
        return self._crew.start(self._end(streamer))

    def _discard(self, warm: asyncio.Task[Streamer]) -> None:
        """End the process that nobody will take, warm or not."""
        warm.cancel()  # nothing, if it is done
        streamer = _outcome(warm)
        if streamer is not None:
            self.give_back(streamer)


def _outcome(warm: asyncio.Task[Streamer]) -> Streamer | None:
    """Return the streamer that got warm, if one did."""
    if not warm.done() or warm.cancelled() or warm.exception() is not None:
        return None
    return warm.result()
