"""The sidecar's end of the link: takes the kernel's requests and answers each."""

from __future__ import annotations

import asyncio
import logging
import os
from contextlib import suppress
from typing import TYPE_CHECKING

from odyssey_nb.concurrency import Crew, insist
from odyssey_nb.config import VERSION
from odyssey_nb.errors import ConnectionLostError, LinkError, NotConnectedError
from odyssey_nb.framing import FrameTooLargeError, frame, read_frame
from odyssey_nb.sidecar.connection import HeldConnection
from odyssey_nb.sidecar.held import refusal
from odyssey_nb.sidecar.spectator import HeldSpectator
from odyssey_nb.wire import link as wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from odyssey_nb.sidecar.held import Held
    from odyssey_nb.sidecar.view import Views

log = logging.getLogger(__name__)


class Link:
    """Serves one kernel. `connections` are what it holds, by name."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        idle: Callable[[], None],
    ) -> None:
        self._reader, self._writer = reader, writer
        self._idle = idle
        self._crew = Crew()
        self._connections: dict[str, tuple[Held, asyncio.Task[None]]] = {}
        self._outgoing: set[tuple[Held, asyncio.Task[None]]] = set()  # whose name is another's now
        self._opening = asyncio.Lock()
        self._views: Views | None = None

    @property
    def busy(self) -> bool:
        """Whether it holds a connection."""
        return bool(self._connections or self._outgoing)

    async def serve(self) -> None:
        """Take messages until the kernel closes its end, or says goodbye."""
        self._tell(wire.Hello(link=wire.LINK_VERSION, version=VERSION, pid=os.getpid()))
        with suppress(asyncio.IncompleteReadError, ConnectionError, FrameTooLargeError):
            while True:
                message = wire.from_kernel.from_bytes(await read_frame(self._reader))
                if message is None:
                    continue
                if message.type == "hello" and message.link != wire.LINK_VERSION:
                    return
                if message.type == "goodbye":
                    await self.leave()
                    self._tell(wire.Answer(id=message.id))
                    await self._writer.drain()
                    return
                self._take(message)

    async def leave(self) -> None:
        """Close every connection, each with a proper goodbye."""
        await self._end(*self._connections.values(), *self._outgoing)
        if self._views is not None:
            self._views.close()

    def give_up(self, why: str) -> None:
        """Let every connection be lost, for that reason."""
        for held, _ in list(self._connections.values()):
            held.give_up(ConnectionLostError(why))

    async def _end(self, *connections: tuple[Held, asyncio.Task[None]]) -> None:
        """Let each leave politely, call off those that are not up yet, and wait for all."""
        await asyncio.sleep(0)  # called off before its first step, one would never answer
        for held, task in connections:
            held.leave()
            if not held.connected:
                task.cancel()
        if connections:
            await asyncio.wait([task for _, task in connections])

    def _take(self, message: wire.FromKernel) -> None:
        match message.type:
            case "connect":
                self._open(message, HeldConnection(message, self._tell))
            case "watch":
                self._open(message, HeldSpectator(message, self._tell))
            case "disconnect":
                # Found now: when it is done, another connection may have the name.
                found = self._connections.get(message.connection)
                self._crew.start(self._disconnect(message.id, found))
            case "start" | "continue" | "allow" | "interact" | "mark" | "end" | "fetch" | "traffic":
                held = self._find(message)
                if held is not None:
                    self._crew.start(held.ask(message, self._tell))
            case "admit":
                held = self._find(message)
                if held is not None:
                    self._crew.start(self._admit(message, held))
            case "subscribe" | "unsubscribe" | "credit" | "want_keyframe":
                known = self._connections.get(message.connection)
                if known is not None:
                    self._pass_on(known[0], message)

    def _open(self, request: wire.Connect | wire.Watch, held: Held) -> None:
        # The kernel knows its connections: one of this name is of no use to it any more.
        before = self._connections.get(held.name)
        if before is not None:
            before[0].hush()
            self._outgoing.add(before)
        self._connections[held.name] = held, self._crew.start(self._hold(held, before))

    async def _hold(self, held: Held, before: tuple[Held, asyncio.Task[None]] | None) -> None:
        try:
            await held.run(self._over(before))
        finally:
            if self._connections[held.name][0] is held:
                del self._connections[held.name]
            if not self._connections:
                self._idle()

    async def _over(self, before: tuple[Held, asyncio.Task[None]] | None) -> None:
        if before is not None:
            try:
                await insist(self._end(before))
            finally:
                self._outgoing.discard(before)  # also where the successor was called off

    async def _disconnect(
        self, request: int, found: tuple[Held, asyncio.Task[None]] | None
    ) -> None:
        if found is not None:
            await self._end(found)
        self._tell(wire.Answer(id=request))

    async def _admit(self, request: wire.Admit, held: Held) -> None:
        try:
            async with self._opening:
                if self._views is None:
                    from odyssey_nb.sidecar.view import Views  # most kernels' pages never ask

                    self._views = await Views.open(self._leave_one)
            self._views.admit(held, request)
            self._tell(wire.Answer(id=request.id, number=self._views.port))
        except OSError as error:
            self._tell(refusal(request.id, LinkError(f"no view socket: {error.strerror}")))

    async def _leave_one(self, held: Held) -> None:
        found = self._connections.get(held.name)
        if found is not None and found[0] is held:
            await self._end(found)

    def _find(self, message: wire.Command | wire.Admit) -> Held | None:
        found = self._connections.get(message.connection)
        if found is None:
            error = NotConnectedError(f"{message.connection!r} is not connected")
            self._tell(refusal(message.id, error))
            return None
        return found[0]

    def _tell(self, message: wire.FromSidecar) -> None:
        # Bounded: pictures by the kernel's credit, answers by its requests, events by what happens.
        if not self._writer.is_closing():
            self._writer.write(frame(wire.from_sidecar.to_bytes(message)))

    def _pass_on(
        self,
        held: Held,
        message: wire.Subscribe | wire.Unsubscribe | wire.Credit | wire.WantKeyframe,
    ) -> None:
        match message.type:
            case "subscribe":
                held.subscribe(message.credit, self._tell)
            case "unsubscribe":
                held.unsubscribe(self._tell)
            case "credit":
                held.grant(message.pictures, self._tell)
            case "want_keyframe":
                held.want_keyframe()
