"""Every broadcast of the service, as those who watch see it: by stream, opened by a token."""

from __future__ import annotations

import asyncio
import hmac
import secrets
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from odyssey_nb.concurrency import Crew
from odyssey_nb.service.playlist import FILE, PLAYLIST, end_playlist, with_token
from odyssey_nb.wire.streamer import (
    DismissSpectator,
    NotAdmitted,
    SpectatorAnswer,
    SpectatorOffer,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from odyssey_nb.service.storage import Storage
    from odyssey_nb.wire.streamer import BroadcastBegan, FromControl, SpectatorGone

ANSWER_SECONDS = 10.0  # what a streamer gets to answer a spectator
KEEP_SECONDS = 60.0  # how long the last segments of an ended broadcast can still be fetched


class NotAdmittedError(Exception):
    """Somebody may not watch, for `reason`."""

    def __init__(self, reason: NotAdmitted) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass
class _Broadcast:
    token: str = field(repr=False)
    send: Callable[[FromControl], None]  # to the streamer
    live: bool = True
    # Those who joined and did not take leave. One whose connection is gone still may: the
    # JavaScript SDK closes it while its DELETE is on the way.
    spectators: set[str] = field(default_factory=set)
    watching: set[str] = field(default_factory=set)  # those of them who are connected, or about to


class Broadcasts:
    """Knows the broadcasts that run, and those that ended within `KEEP_SECONDS`."""

    def __init__(self, storage: Storage, crew: Crew) -> None:
        self._storage = storage
        self._crew = crew
        self._broadcasts: dict[str, _Broadcast] = {}
        self._answers: dict[str, asyncio.Future[SpectatorAnswer]] = {}  # by spectator

    @classmethod
    @asynccontextmanager
    async def open(cls, storage: Storage) -> AsyncIterator[Broadcasts]:
        """Keep segments in `storage`; those that a killed service left there go first."""
        await asyncio.to_thread(storage.clear)
        crew = Crew()
        try:
            yield cls(storage, crew)
        finally:
            await crew.close()

    @property
    def root(self) -> Path:
        """Where the files of all broadcasts are."""
        return self._storage.root

    def take(
        self,
        message: BroadcastBegan | SpectatorAnswer | SpectatorGone,
        send: Callable[[FromControl], None],
    ) -> None:
        """Take what a streamer says of its broadcast; `send` reaches that streamer."""
        match message.type:
            case "broadcast_began":
                self._broadcasts[message.stream_id] = _Broadcast(message.token, send)
            case "spectator_answer":
                self._answer(message)
            case "spectator_gone":
                broadcast = self._broadcasts.get(message.stream_id)
                if broadcast is not None:
                    broadcast.watching.discard(message.id)

    @property
    def watching(self) -> int:
        """How many spectators all broadcasts have now."""
        return sum(len(each.watching) for each in list(self._broadcasts.values()))

    def token(self, stream_id: str) -> str | None:
        """Return what opens a broadcast; None where there is none that runs."""
        broadcast = self._broadcasts.get(stream_id)
        return broadcast.token if broadcast is not None and broadcast.live else None

    def _answer(self, message: SpectatorAnswer) -> None:
        waiting = self._answers.get(message.id)
        if waiting is not None and not waiting.done():
            waiting.set_result(message)

    def over(self, stream_id: str, *writers: asyncio.Task[None]) -> None:
        """A stream has ended; if it was broadcast, that is over too, once its `writers` are."""
        broadcast = self._broadcasts.get(stream_id)
        if broadcast is None or not broadcast.live:
            return
        broadcast.live = False
        for spectator in broadcast.spectators:
            self._answer(SpectatorAnswer(id=spectator, refused=NotAdmitted.UNKNOWN))
        broadcast.spectators.clear()
        broadcast.watching.clear()
        self._crew.start(self._retire(stream_id, writers))

    async def _retire(self, stream_id: str, writers: tuple[asyncio.Task[None], ...]) -> None:
        try:
            if writers:
                await asyncio.wait(writers)
            await asyncio.to_thread(end_playlist, self._storage.folder(stream_id))
            await asyncio.sleep(KEEP_SECONDS)
        finally:  # also when the service stops meanwhile
            del self._broadcasts[stream_id]
            await asyncio.to_thread(self._storage.delete, stream_id)

    async def join(self, stream_id: str, token: str, offer: str) -> tuple[str, str]:
        """Let somebody watch; return what names them, which nobody can guess, and the answer.

        Raises:
            NotAdmittedError: There is no such broadcast, the token is not its, it has too many
                spectators, or there is no answer to the offer.
        """
        broadcast = self._find(stream_id, token)
        if not broadcast.live:
            raise NotAdmittedError(NotAdmitted.UNKNOWN)
        spectator = secrets.token_urlsafe(24)
        waiting = self._answers[spectator] = asyncio.get_running_loop().create_future()
        broadcast.spectators.add(spectator)
        broadcast.send(SpectatorOffer(id=spectator, stream_id=stream_id, sdp=offer))
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                answer = await waiting
            if answer.refused is not None:
                raise NotAdmittedError(answer.refused)
            broadcast.watching.add(spectator)
            return spectator, answer.sdp
        except BaseException as error:
            self.leave(stream_id, spectator)
            if isinstance(error, TimeoutError):
                raise NotAdmittedError(NotAdmitted.LATE) from None
            raise
        finally:
            del self._answers[spectator]

    def leave(self, stream_id: str, spectator: str) -> bool:
        """Send a spectator away; return whether there was one."""
        broadcast = self._broadcasts.get(stream_id)
        if broadcast is None or spectator not in broadcast.spectators:
            return False
        broadcast.spectators.discard(spectator)
        broadcast.watching.discard(spectator)
        broadcast.send(DismissSpectator(id=spectator))
        return True

    def playlist(self, stream_id: str, token: str) -> str | None:
        """Return a broadcast's playlist, or None while there is none; it blocks.

        Raises:
            NotAdmittedError: There is no such broadcast, or the token is not its.
        """
        self._find(stream_id, token)
        try:
            return with_token((self._storage.folder(stream_id) / PLAYLIST).read_text(), token)
        except FileNotFoundError:
            return None

    def file(self, stream_id: str, token: str, name: str) -> Path | None:
        """Return a file that a playlist lists; None if there is none of that name.

        Raises:
            NotAdmittedError: There is no such broadcast, or the token is not its.
        """
        self._find(stream_id, token)
        if not FILE.fullmatch(name):
            return None
        file = self._storage.folder(stream_id) / name
        return file if file.is_file() else None

    def _find(self, stream_id: str, token: str) -> _Broadcast:
        broadcast = self._broadcasts.get(stream_id)
        if broadcast is None:
            raise NotAdmittedError(NotAdmitted.UNKNOWN)
        if not hmac.compare_digest(broadcast.token.encode(), token.encode()):
            raise NotAdmittedError(NotAdmitted.WRONG_TOKEN)
        return broadcast
