"""The thread that conducts a crowd: it talks to the service, and steers the stream when it is time.

It ends with the crowd, the stream or the connection; when the kernel ends it is simply gone, and
the service notices.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from odyssey_nb.client.control import Control
from odyssey_nb.client.socket import SocketLostError
from odyssey_nb.concurrency import background
from odyssey_nb.errors import ConnectError, CrowdError, OdysseyNBError
from odyssey_nb.wire import crowd as wire
from odyssey_nb.wire.signaling import CloseCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from odyssey_nb.client.crowd import CrowdSocket
    from odyssey_nb.kernel.stream import Stream
    from odyssey_nb.research.policies import Proposal
    from odyssey_nb.research.room import Room

log = logging.getLogger(__name__)

OPEN_SECONDS = 25.0  # until the service has opened the crowd
ENROL_SECONDS = 3.0  # until the service knows who was invited
LEAVE_SECONDS = 3.0  # what a close waits for
LOST_SECONDS = 15.0  # for which a lost socket is opened again
AGAIN_SECONDS = 0.5  # between two tries
LOOK_SECONDS = 1.0  # between looks at the stream, which also tells of its changes
PACE_SECONDS = 0.2  # least between two boards
STEADY_SECONDS = 30.0  # what a stream that goes on as another one gets to be there


class Conductor:
    """Conducts one crowd, from `start` until `leave` or the end of its stream.

    Attributes:
        stream: What is steered; another one once a lost connection was repaired.
        page: The address of its participants' page.
        opened: Set once it is open, or has failed.
        error: Why it failed to open.
    """

    def __init__(self, room: Room, stream: Stream, closed: Callable[[str], None]) -> None:
        self._room = room
        self.stream = stream
        self._closed = closed
        broadcast = stream.broadcast
        if broadcast is None or not stream.active:
            raise CrowdError("nobody can watch this stream, so nobody can steer it")
        if not broadcast.watch_url:
            raise CrowdError(
                "this service has no page where others could steer",
                hint="The local service has: ody.connect(local=True).",
            )
        self.page = broadcast.watch_url.partition("?")[0]
        self._home = self._stream_id = broadcast_id(stream)
        self.opened = threading.Event()
        self.error: OdysseyNBError | None = None
        self._reason: str | None = None  # why it ends; None while it goes on
        self._say = True  # to the service, that the crowd is closed
        self._rosters = threading.Condition()
        self._wanted, self._known = 1, 0  # numbers of rosters; 0 is none
        self._loop = asyncio.new_event_loop()
        self._news, self._work = asyncio.Event(), asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="odyssey-crowd", daemon=True)

    def start(self) -> None:
        """Begin; to be called once."""
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether it conducts."""
        return self._reason is None and self._thread.is_alive()

    def wake(self) -> None:
        """Something has changed."""
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._news.set)
            self._loop.call_soon_threadsafe(self._work.set)

    def enrol(self) -> None:
        """Tell the service anew who may take part, and wait a moment until it knows."""
        with self._rosters:
            self._wanted += 1
            wanted = self._wanted
            self.wake()
            self._rosters.wait_for(
                lambda: self._known >= wanted or self._reason is not None, ENROL_SECONDS
            )

    def leave(self, reason: str, *, say: bool = True) -> None:
        """End it, and wait a moment for that; safe to call again.

        Without `say` its pages are not told, since another one takes its place.
        """
        if self._reason is None:
            self._reason, self._say = reason, say
        self.wake()
        if threading.current_thread() is not self._thread and self._thread.is_alive():
            self._thread.join(LEAVE_SECONDS)

    def _run(self) -> None:
        problem = ""
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._conduct())
        except OdysseyNBError as error:
            problem = str(error)
            self.error = error
        except Exception:
            log.exception("a crowd's thread failed")
            problem = "its thread failed; the kernel's log says why"
            self.error = CrowdError(problem)
        finally:
            self._reason = self._reason or problem
            with self._rosters:
                self._rosters.notify_all()
            self.opened.set()
            self._closed(problem)

    async def _conduct(self) -> None:
        connection = self.stream.connection
        access = connection.access
        stop = connection.listen(self.wake)
        lost: float | None = None
        try:
            async with (
                Control.open(access.url or "", access.api_key or "") as control,
                background(self._steer()),
            ):
                while self._reason is None:
                    try:
                        async with control.crowd(self._home) as socket:
                            lost = None
                            await self._attend(socket)
                    except (SocketLostError, ConnectError) as error:
                        if isinstance(error, SocketLostError) and error.meant:
                            raise CrowdError(_WORDS.get(error.code or 0, str(error))) from None
                        now = time.monotonic()
                        lost = lost or now
                        if not self.opened.is_set() or now - lost > LOST_SECONDS:
                            raise
                        self._look()
                        await asyncio.sleep(AGAIN_SECONDS)
        except SocketLostError as error:
            raise CrowdError(str(error)) from None
        finally:
            stop()

    async def _attend(self, socket: CrowdSocket) -> None:
        """Keep the service informed while its socket is open."""
        told, self._stream_id = 0, self._home
        said: wire.Board | None = None
        async with background(self._listen(socket)):
            while True:
                self._news.clear()
                self._look()
                if told != self._wanted:
                    told = self._wanted
                    await socket.send(replace(self._room.roster(), number=told))
                if self._reason is not None:
                    break
                await self._move(socket)
                for each in self._room.take_told():
                    await socket.send(each)
                board = self._room.board()
                if said is None or replace(board, left=None) != replace(said, left=None):
                    await socket.send(board)
                    said = board
                await asyncio.sleep(PACE_SECONDS)
                await _within(LOOK_SECONDS, self._news)
        if self._say:
            await socket.send(wire.Over(reason=self._reason))

    async def _listen(self, socket: CrowdSocket) -> None:
        while True:
            message = await socket.receive()
            if message.type == "enrolled":
                with self._rosters:
                    self._known = message.number
                    self._rosters.notify_all()
                self.opened.set()
            else:
                self._room.take(message)

    def _look(self) -> None:
        """Follow the stream to where it goes, or to its end."""
        stream = self.stream
        if self._reason is not None or stream.active:
            return
        if stream.ended_for == "connection_lost":
            successor = stream.connection.stream
            if successor is not None:
                self.stream = successor
                return
            if stream.connection.status == "reconnecting":
                return
        self._reason = "the stream has ended"
        self._work.set()

    async def _move(self, socket: CrowdSocket) -> None:
        if self.stream.broadcast is None:
            return
        stream_id = broadcast_id(self.stream)
        if stream_id != self._stream_id:
            self._stream_id = stream_id
            await socket.send(wire.Moved(stream=stream_id))

    async def _steer(self) -> None:
        """Apply what is due, one after another."""
        while True:
            self._work.clear()
            proposal, due = (None, None) if not self._steady() else self._room.take_due()
            if proposal is not None:
                await self._apply(proposal)
            else:
                await _within(LOOK_SECONDS if due is None else min(LOOK_SECONDS, due), self._work)

    def _steady(self) -> bool:
        """Whether the stream can be steered; not while it goes on as another, or is repaired."""
        stream = self.stream
        up = stream.connection.status == "connected"
        return up and stream.active and stream.broadcast is not None

    async def _apply(self, proposal: Proposal) -> None:
        deadline = time.monotonic() + STEADY_SECONDS
        while True:
            stream = self.stream
            try:
                applied = await asyncio.to_thread(stream.interact, proposal.prompt)
                break
            except OdysseyNBError as error:
                if self._steady() or self._reason is not None or time.monotonic() > deadline:
                    self._room.was_refused(proposal, error)
                    return
                await asyncio.sleep(AGAIN_SECONDS)
                self._look()
        when = None
        with suppress(OdysseyNBError):
            when = await asyncio.to_thread(stream.mark, self._room.credit(proposal))
        self._room.was_applied(proposal, applied, when)


_WORDS: dict[int, str] = {
    CloseCode.REPLACED: "another notebook conducts it now",
    CloseCode.UNKNOWN_SESSION: "the service knows no such broadcast",
    CloseCode.NORMAL: "the service closed it",
}


def broadcast_id(stream: Stream) -> str:
    """Return the id by which a broadcast's stream is known to its service."""
    assert stream.broadcast is not None
    return urlsplit(stream.broadcast.url).path.rstrip("/").rpartition("/")[2]


async def _within(seconds: float, event: asyncio.Event) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
