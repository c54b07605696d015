"""What a crowd is: its people, the policy, and what was applied; without thread or network."""

from __future__ import annotations

import secrets
import threading
import time
from collections import deque
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

from odyssey_nb.errors import UsageError
from odyssey_nb.research.history import Applied
from odyssey_nb.research.policies import Policy, Proposal, RateLimit, Verdict
from odyssey_nb.wire import crowd as wire
from odyssey_nb.wire.crowd import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from odyssey_nb.errors import OdysseyNBError

MOST_SHOWN = 30  # proposals that pages show
LATELY = 5  # applied prompts that pages show
MOST_REMEMBERED = 1000  # applied prompts in the history
MOST_TOLD = 256  # messages to participants that wait to be sent; the oldest go first
MARK_LENGTH = 200


@dataclass(slots=True, eq=False)
class Participant:
    """Somebody who may take part.

    Attributes:
        id: Names them, whatever they are called.
        name: What they want to be called.
        here: Whether they have a page open.
        applied: How many of their prompts were applied.
    """

    id: str
    name: str
    digest: str = field(repr=False)
    here: bool = False
    applied: int = 0


class Room:
    """Where a crowd meets; any thread may call. `changed` is called after every change.

    Attributes:
        policy: Says whose prompt is next.
        people: Everybody who may take part, by id, in the order in which they came.
        history: What was applied, oldest first.
        join_token: Opens the page to everybody.
    """

    def __init__(self, policy: Policy, per_minute: int, changed: Callable[[], None]) -> None:
        self.policy = policy
        self.people: dict[str, Participant] = {}
        self.history: deque[Applied] = deque(maxlen=MOST_REMEMBERED)
        self.join_token = secrets.token_urlsafe(16)
        self._rates = RateLimit(per_minute)
        self._changed = changed
        self._lock = threading.RLock()
        self._applying: Proposal | None = None
        self._joins = 0  # that were heard of
        self._told: deque[wire.Told] = deque(maxlen=MOST_TOLD)
        self._paused_at: float | None = None
        self._paused = 0.0  # seconds in all

    def inherit(self, older: Room) -> None:
        """Keep the participants and the history of another, which may not be quite over yet.

        Who is here the service tells anew.
        """
        self.people = {each.id: replace(each, here=False) for each in older.participants}
        self.history.extend(older.done)
        self.join_token, self._joins = older.join_token, older._joins

    @property
    def participants(self) -> list[Participant]:
        """Everybody who may take part."""
        with self._lock:
            return list(self.people.values())

    @property
    def waiting(self) -> list[Proposal]:
        """What waits, in the order in which it would be applied."""
        with self._lock:
            return self.policy.waiting

    @property
    def inbox(self) -> list[Proposal]:
        """What waits for a moderator's word."""
        with self._lock:
            return self.policy.inbox

    @property
    def done(self) -> list[Applied]:
        """What was applied, oldest first."""
        with self._lock:
            return list(self.history)

    @property
    def paused(self) -> bool:
        """Whether nothing is applied for now."""
        return self._paused_at is not None

    def pause(self) -> None:
        """Let the policy's clock stand still."""
        with self._lock:
            if self._paused_at is None:
                self._paused_at = time.monotonic()
        self._changed()

    def resume(self) -> None:
        """Let it go on."""
        with self._lock:
            if self._paused_at is not None:
                self._paused += time.monotonic() - self._paused_at
                self._paused_at = None
        self._changed()

    def _clock(self) -> float:
        """Return the policy's time in seconds, which stands still while paused."""
        now = time.monotonic() if self._paused_at is None else self._paused_at
        return now - self._paused

    def invite(self, names: Sequence[str]) -> list[str]:
        """Make a participant of each name; return their tokens, of which only digests are kept.

        Raises:
            UsageError: There is no room for so many, or there are none.
        """
        with self._lock:
            room = wire.MOST_PARTICIPANTS - len(self.people)
            if not 0 < len(names) <= room:
                raise UsageError(
                    f"{len(names)} cannot be invited, there is room for {room}",
                    hint="crowd.revoke(name) makes room.",
                )
            tokens = [secrets.token_urlsafe(16) for _ in names]
            for name, token in zip(names, tokens, strict=True):
                person = Participant(secrets.token_hex(4), name, wire.digest_of(token))
                self.people[person.id] = person
        self._changed()
        return tokens

    def revoke(self, who: str) -> None:
        """Take out who has this name or id, with what they proposed.

        Raises:
            UsageError: Nobody is called so, or several are.
        """
        with self._lock:
            found = [each for each in self.people.values() if who in (each.name, each.id)]
            if len(found) != 1:
                raise UsageError(
                    f"{len(found) or 'none'} of the participants are called {who!r}",
                    hint="crowd.participants has the id of each.",
                )
            del self.people[found[0].id]
            self.policy.withdraw(found[0].id)
            self._rates.forget(found[0].id)
        self._changed()

    def decide(self, proposal: str, *, approved: bool) -> None:
        """Let what waits for a word wait for its turn, or take out what waits.

        Raises:
            UsageError: Nothing of that id does.
        """
        with self._lock:
            found = (self.policy.approve if approved else self.policy.remove)(proposal)
            if found is None:
                raise UsageError(
                    f"no proposal {proposal!r} waits for that",
                    hint="crowd.inbox and crowd.waiting have the id of each.",
                )
            if approved:
                self._tell(found, Kind.ACCEPTED, "approved: it waits for its turn")
            else:
                self._tell(found, Kind.REJECTED, "the moderator took it out")
        self._changed()

    def empty(self) -> None:
        """It is over, so nobody is here."""
        with self._lock:
            for each in self.people.values():
                each.here = False
        self._changed()

    def board(self) -> wire.Board:
        """Return what everybody sees now."""
        with self._lock:
            waiting = self.policy.waiting
            lately = list(self.history)[: -LATELY - 1 : -1]
            return wire.Board(
                mode=self.policy.mode,
                every=self.policy.every,
                longest=self.policy.longest,
                waiting=[self._seen(each) for each in waiting[:MOST_SHOWN]],
                more=max(0, len(waiting) - MOST_SHOWN),
                applying=None if self._applying is None else self._seen(self._applying),
                applied=[
                    wire.Done(prompt=each.prompt, names=list(each.names), votes=each.votes)
                    for each in lately
                ],
                left=self.policy.due(self._clock()),
                paused=self.paused,
                people=sum(each.here for each in self.people.values()),
            )

    def _seen(self, proposal: Proposal) -> wire.Waiting:
        return wire.Waiting(
            id=proposal.id,
            prompt=proposal.prompt,
            by=list(proposal.by),
            names=self.names(proposal.by),
            votes=proposal.votes,
        )

    def names(self, ids: Sequence[str]) -> list[str]:
        """Return what participants are called."""
        return [self.people[each].name for each in ids if each in self.people]

    def roster(self) -> wire.Roster:
        """Return who may take part."""
        with self._lock:
            people = [
                wire.Person(id=each.id, name=each.name, digest=each.digest)
                for each in self.people.values()
            ]
            joins = self._joins
        return wire.Roster(people=people, join=wire.digest_of(self.join_token), joins=joins)

    def take(self, message: wire.ToOwner) -> None:
        """Follow what participants do."""
        with self._lock:
            match message.type:
                case "joined" if message.number > self._joins:  # others are told again
                    person, self._joins = message.person, message.number
                    self.people[person.id] = Participant(person.id, person.name, person.digest)
                case "present":
                    self._greet(message)
                case "proposed" if message.participant in self.people:
                    self._hear(message.participant, message.prompt)
                case "voted" if message.participant in self.people:
                    verdict = self.policy.vote(message.participant, message.proposal)
                    self._answer(message.participant, verdict)
        self._changed()

    def _greet(self, message: wire.Present) -> None:
        found = self.people.get(message.participant)
        if found is None:
            return
        found.here, found.name = message.present, message.name
        chosen = [each.id for each in self.policy.waiting if found.id in each.voters]
        if message.present and chosen:  # a page that was loaded again
            self._answer(found.id, Verdict(Kind.VOTED, "", chosen[0]))

    def _hear(self, who: str, prompt: str) -> None:
        wait = self._rates.take(who, time.monotonic())
        if wait:
            verdict = Verdict(Kind.REFUSED, f"too fast: wait {wait:.0f} s")
        else:
            verdict = self.policy.propose(who, prompt, self._clock())
        self._answer(who, verdict)

    def _answer(self, who: str, verdict: Verdict) -> None:
        self._told.append(
            wire.Told(
                participant=who,
                kind=verdict.kind,
                text=verdict.text,
                proposal=verdict.proposal,
            )
        )

    def _tell(self, proposal: Proposal, kind: Kind, text: str) -> None:
        for who in proposal.by:
            self._answer(who, Verdict(kind, text, proposal.id))

    def take_told(self) -> list[wire.Told]:
        """Return what is to be told to participants, once."""
        with self._lock:
            told = list(self._told)
            self._told.clear()
            return told

    def take_due(self) -> tuple[Proposal | None, float | None]:
        """Return what is to be applied now, or in how many seconds something will be."""
        with self._lock:
            if self.paused:
                return None, None
            self._applying = proposal = self.policy.take(self._clock())
            due = self.policy.due(self._clock())
        if proposal is not None:
            self._changed()
        return proposal, due

    def was_applied(self, proposal: Proposal, applied: str, when: float | None) -> None:
        """Remember what was applied, and tell those behind it."""
        with self._lock:
            self._applying = None
            for who in proposal.by:
                if who in self.people:
                    self.people[who].applied += 1
            done = Applied(
                at=datetime.now().astimezone(),
                time=when,
                prompt=proposal.prompt,
                names=tuple(self.names(proposal.by)),
                votes=proposal.votes,
                applied=applied,
            )
            self.history.append(done)
            self._tell(proposal, Kind.APPLIED, "yours is applied")
        self._changed()

    def was_refused(self, proposal: Proposal, error: OdysseyNBError) -> None:
        """The world did not take it."""
        with self._lock:
            self._applying = None
            self._tell(proposal, Kind.REFUSED, f"the world did not take it: {error}")
        self._changed()

    def credit(self, proposal: Proposal) -> str:
        """Return what a mark says of an applied prompt."""
        with self._lock:
            names = ", ".join(self.names(proposal.by)) or "the class"
        votes = f" · {proposal.votes} votes" if self.policy.mode == "vote" else ""
        return f"by {names}{votes}"[:MARK_LENGTH]
