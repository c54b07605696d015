"""Crowds: who may steer a broadcast's stream together, and what they and its owner tell each other.

An extension of ours, beside the official protocol. The owner's notebook decides everything; here it
is only known who is let in, so that a page needs no key and a notebook no open port.
"""

from __future__ import annotations

import asyncio
import secrets
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fastapi.websockets import WebSocket, WebSocketDisconnect

from odyssey_nb.service.lines import SEND_SECONDS, Line, hear
from odyssey_nb.service.rates import Rates
from odyssey_nb.wire import crowd as wire
from odyssey_nb.wire.signaling import CloseCode

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from odyssey_nb.concurrency import Crew
    from odyssey_nb.service.broadcasts import Broadcasts

ENTER_SECONDS = 10.0  # until a page has said who it is
OWNER_SECONDS = 20.0  # what an owner who lost touch gets to come back
MOVE_SECONDS = 30.0  # what a stream that has ended gets to go on as another one
BOTH_SECONDS = 4.0  # what both together get: then the notebook has probably ended
LOOK_SECONDS = 0.5  # between looks at both
MOST_PAGES = 3  # of one participant; the oldest gives way
MOST_LINES = MOST_PAGES * wire.MOST_PARTICIPANTS + 100  # of pages, also those not let in yet
PER_SECOND = 2.0  # what one participant may say, whatever the owner allows; ten times that at once
TOO_FAST = "too fast: wait a moment"
BUSY = "the notebook is too busy to hear you: try again"
GONE = "the teacher's notebook has lost touch: wait a moment"


class _NotLetInError(Exception):
    """A page may not stay, for `reason`."""

    def __init__(self, reason: wire.Reason) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(eq=False)
class _Participant:
    id: str
    name: str
    digest: str = field(repr=False)
    number: int = 0  # of those who came by the link that all share
    pages: list[Line] = field(default_factory=list)


class Crowd:
    """One crowd: its participants, their pages, and its owner's socket."""

    def __init__(self, account: str, stream_id: str, spectator_token: str) -> None:
        self.account = account
        self.streams = [stream_id]  # that it had; the last is the one that it has
        self._spectator_token = spectator_token
        self._people: dict[str, _Participant] = {}
        self._by_digest: dict[str, _Participant] = {}
        self._join = ""
        self._joins = 0  # by it
        self._owner: Line | None = None
        self._lines: set[Line] = set()  # of pages, also those that did not enter yet
        self._board = ""
        self._rates = Rates(PER_SECOND)
        self.closed = asyncio.Event()

    @property
    def away(self) -> bool:
        """Whether its owner has lost touch."""
        return self._owner is None

    async def attend_owner(self, socket: WebSocket, owns: Callable[[str], str | None]) -> None:
        """Serve the owner's socket until it closes; a newer one takes over.

        `owns` returns the spectator token of a broadcast of the owner's, None for any other.
        """
        line = Line(socket)
        older, self._owner = self._owner, line
        if older is not None:
            older.close(CloseCode.REPLACED, "replaced by a newer socket")
        for each in self._people.values():
            if each.pages:
                present = wire.Present(participant=each.id, name=each.name, present=True)
                self._tell_owner(present, always=True)
        self._tell_all(wire.Away(away=False))
        try:
            async with line.speaking():
                while True:
                    message = await hear(
                        socket, wire.from_owner, longest=None, within=wire.SILENT_SECONDS
                    )
                    if self._owner is not line:
                        break  # it said that before it heard of the newer one
                    self._follow(message, owns)
        except (WebSocketDisconnect, RuntimeError, TimeoutError):
            pass
        finally:
            if self._owner is line:
                self._owner = None
                self._tell_all(wire.Away(away=True))

    def _follow(self, message: wire.FromOwner, owns: Callable[[str], str | None]) -> None:
        match message.type:
            case "roster":
                self._enrol(message)
            case "board":
                self._board = board = wire.to_page.to_json(message)
                for page in self._pages():
                    page.show(board)
            case "told":
                found = self._people.get(message.participant)
                for page in found.pages if found is not None else ():
                    self._tell(page, message)
            case "moved":
                token = owns(message.stream)
                if token is not None and message.stream != self.streams[-1]:
                    others = [each for each in self.streams if each != message.stream]
                    self.streams = [*others, message.stream]  # it may have had it before
                    self._spectator_token = token
                    moved = wire.Moved(stream=message.stream, spectator_token=token)
                    self._tell_all(moved)
            case "over":
                self.close(message.reason)

    def _enrol(self, roster: wire.Roster) -> None:
        self._join = roster.join
        staying = {each.id for each in roster.people[: wire.MOST_PARTICIPANTS]}
        for gone in [each for each in self._people.values() if each.id not in staying]:
            if (
                gone.number > roster.joins
            ):  # it was on its way when the owner heard of them, or lost
                self._introduce(gone)
                continue
            del self._people[gone.id]
            for page in gone.pages:
                self._send_away(page, wire.Reason.REVOKED)
        for each in roster.people[: wire.MOST_PARTICIPANTS]:
            if each.id not in self._people:
                self._people[each.id] = _Participant(each.id, each.name, each.digest)
        self._by_digest = {each.digest: each for each in self._people.values()}
        self._tell_owner(wire.Enrolled(number=roster.number), always=True)

    async def attend_page(self, socket: WebSocket) -> None:
        """Serve a page: let it in if it may, then carry what it says."""
        if len(self._lines) >= MOST_LINES:
            with suppress(RuntimeError, WebSocketDisconnect, OSError):
                await socket.close(CloseCode.QUOTA, "too many pages are open")
            return
        line = Line(socket)
        self._lines.add(line)
        found: _Participant | None = None
        try:
            async with line.speaking():
                try:
                    found = self._let_in(await self._hear_page(socket, ENTER_SECONDS), line)
                except _NotLetInError as error:
                    self._send_away(line, error.reason)
                while True:
                    within = SEND_SECONDS if found is None else wire.PAGE_SILENT_SECONDS
                    message = await self._hear_page(socket, within)
                    if found is None or self._people.get(found.id) is not found:
                        break
                    self._carry(message, found, line)
        except (WebSocketDisconnect, RuntimeError, TimeoutError):
            pass
        finally:
            self._lines.discard(line)
            if found is not None and line in found.pages:
                found.pages.remove(line)
                if not found.pages:
                    absent = wire.Present(participant=found.id, name=found.name, present=False)
                    self._tell_owner(absent, always=True)

    async def _hear_page(self, socket: WebSocket, within: float) -> wire.FromPage:
        return await hear(socket, wire.from_page, longest=wire.LONGEST_MESSAGE, within=within)

    def _let_in(self, message: wire.FromPage, line: Line) -> _Participant:
        """Return whose page it is.

        Raises:
            _NotLetInError: It may not stay.
        """
        token = ""
        match message.type:
            case "enter":
                known = self._by_digest.get(wire.digest_of(message.token))
                if known is None:
                    raise _NotLetInError(wire.Reason.UNKNOWN)
                found = known
                found.name = wire.tidy(message.name, wire.LONGEST_NAME) or found.name
            case "join":
                if not self._join or wire.digest_of(message.token) != self._join:
                    raise _NotLetInError(wire.Reason.UNKNOWN)
                if self.away:
                    raise _NotLetInError(wire.Reason.AWAY)
                if len(self._people) >= wire.MOST_PARTICIPANTS:
                    raise _NotLetInError(wire.Reason.FULL)
                token = secrets.token_urlsafe(16)
                name = wire.tidy(message.name, wire.LONGEST_NAME)
                found = self._admit(name or f"Guest {len(self._people) + 1}", token)
            case _:
                raise _NotLetInError(wire.Reason.UNKNOWN)
        for oldest in found.pages[: max(0, len(found.pages) - MOST_PAGES + 1)]:
            found.pages.remove(oldest)
            self._send_away(oldest, wire.Reason.ELSEWHERE)
        found.pages.append(line)
        entered = wire.Entered(
            participant=found.id,
            name=found.name,
            stream=self.streams[-1],
            spectator_token=self._spectator_token,
            token=token,
        )
        self._tell(line, entered)
        if self.away:
            self._tell(line, wire.Away(away=True))
        line.show(self._board)
        present = wire.Present(participant=found.id, name=found.name, present=True)
        self._tell_owner(present, always=True)
        return found

    def _admit(self, name: str, token: str) -> _Participant:
        self._joins += 1
        made = _Participant(secrets.token_hex(4), name, wire.digest_of(token), self._joins)
        self._people[made.id] = self._by_digest[made.digest] = made
        self._introduce(made)
        return made

    def _introduce(self, guest: _Participant) -> None:
        """Tell the owner of somebody who came by the link that all share."""
        person = wire.Person(id=guest.id, name=guest.name, digest=guest.digest)
        self._tell_owner(wire.Joined(person=person, number=guest.number), always=True)
        if guest.pages:
            present = wire.Present(participant=guest.id, name=guest.name, present=True)
            self._tell_owner(present, always=True)

    def _carry(self, message: wire.FromPage, found: _Participant, line: Line) -> None:
        """Carry what a participant says to the owner, or tell them why not."""
        said: wire.Proposed | wire.Voted
        match message.type:
            case "propose":
                prompt = wire.tidy(message.prompt, wire.LONGEST_PROMPT)
                said = wire.Proposed(participant=found.id, prompt=prompt)
            case "vote":
                said = wire.Voted(participant=found.id, proposal=message.proposal[:40])
            case _:
                return
        problem = ""
        if self._rates.take(found.id):
            problem = TOO_FAST
        elif self.away:
            problem = GONE
        elif not self._tell_owner(said):
            problem = BUSY
        if problem:
            self._tell(line, wire.Told(participant=found.id, kind=wire.Kind.REFUSED, text=problem))

    def _tell(self, line: Line, message: wire.ToPage) -> None:
        if not line.put(wire.to_page.to_json(message)):
            line.close(CloseCode.UNKNOWN_SESSION, "it takes nothing")

    def _tell_all(self, message: wire.ToPage) -> None:
        for page in self._pages():
            self._tell(page, message)

    def _pages(self) -> list[Line]:
        return [page for each in self._people.values() for page in each.pages]

    def _tell_owner(self, message: wire.ToOwner, *, always: bool = False) -> bool:
        if self._owner is None:
            return False
        return self._owner.put(wire.to_owner.to_json(message), always=always)

    def _send_away(self, line: Line, reason: wire.Reason) -> None:
        line.put(wire.to_page.to_json(wire.Refused(reason=reason)), always=True)
        line.close(CloseCode.BAD_TOKEN, reason)

    def close(self, reason: str) -> None:
        """Close it: everybody is told, every socket closed."""
        if self.closed.is_set():
            return
        self.closed.set()
        over = wire.to_page.to_json(wire.Over(reason=reason))
        for line in self._lines:
            line.put(over, always=True)
            line.close()
        if self._owner is not None:
            self._owner.close(CloseCode.NORMAL, reason)


class Crowds:
    """All crowds, by the streams that they have or had."""

    def __init__(self, broadcasts: Broadcasts, crew: Crew) -> None:
        self._broadcasts = broadcasts
        self._crew = crew
        self._crowds: dict[str, Crowd] = {}

    def find(self, stream_id: str) -> Crowd | None:
        """Return the crowd that a stream has."""
        return self._crowds.get(stream_id)

    async def attend_owner(
        self, socket: WebSocket, stream_id: str, account: str, owns: Callable[[str], bool]
    ) -> None:
        """Serve the socket of a stream's owner; the first opens the crowd."""
        crowd = self._crowds.get(stream_id)
        if crowd is None or crowd.closed.is_set():
            token = self._broadcasts.token(stream_id) if owns(stream_id) else None
            if token is None:
                await socket.close(CloseCode.UNKNOWN_SESSION, "there is no such broadcast")
                return
            crowd = self._crowds[stream_id] = Crowd(account, stream_id, token)
            self._crew.start(self._look_after(crowd))
        elif crowd.account != account:
            await socket.close(CloseCode.UNKNOWN_SESSION, "there is no such broadcast")
            return

        def token_of(stream: str) -> str | None:
            token = self._broadcasts.token(stream) if owns(stream) else None
            if token is not None:
                self._crowds.setdefault(stream, crowd)
            return token

        await crowd.attend_owner(socket, token_of)

    async def attend_page(self, socket: WebSocket, stream_id: str) -> None:
        """Serve the socket of a page."""
        crowd = self._crowds.get(stream_id)
        if crowd is not None and not crowd.closed.is_set():
            await crowd.attend_page(socket)
            return
        with suppress(RuntimeError, WebSocketDisconnect, OSError):
            await socket.send_text(wire.to_page.to_json(wire.Over(reason="it is closed")))
            await socket.close(CloseCode.UNKNOWN_SESSION)

    async def _look_after(self, crowd: Crowd) -> None:
        """Close a crowd that its owner has left, or whose stream has ended, and forget it."""
        clock = asyncio.get_running_loop().time
        with_owner = streamed = clock()
        reason = ""
        while not crowd.closed.is_set() and not reason:
            await _unless(crowd.closed.wait(), LOOK_SECONDS)
            now = clock()
            with_owner = with_owner if crowd.away else now
            live = self._broadcasts.token(crowd.streams[-1]) is not None
            streamed = now if live else streamed
            neither = now - max(with_owner, streamed)
            if now - with_owner >= OWNER_SECONDS or neither >= BOTH_SECONDS:
                reason = "the notebook that conducts it is gone"
            elif now - streamed >= MOVE_SECONDS:
                reason = "the stream has ended"
        crowd.close(reason)
        for stream in crowd.streams:
            if self._crowds.get(stream) is crowd:
                del self._crowds[stream]

    def close(self) -> None:
        """Close every crowd, as the service stops."""
        for crowd in set(self._crowds.values()):
            crowd.close("the service stops")


async def _unless(event: Coroutine[object, object, object], seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event
