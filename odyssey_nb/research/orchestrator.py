"""A class steers one stream together: who takes part, what they propose, and what is applied."""

from __future__ import annotations

import secrets
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from odyssey_nb.errors import AnswerTimeoutError, CrowdError, OdysseyNBError, UsageError
from odyssey_nb.kernel.runtime import runtime
from odyssey_nb.research.conductor import OPEN_SECONDS, Conductor
from odyssey_nb.research.history import Applied, History
from odyssey_nb.research.invitations import Invitation, Invitations
from odyssey_nb.research.policies import (
    EVERY_SECONDS,
    LONGEST,
    PER_MINUTE,
    POLICIES,
    Policy,
    Proposal,
    RateLimit,
    Verdict,
)
from odyssey_nb.wire import crowd as wire
from odyssey_nb.wire.crowd import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from odyssey_nb.kernel.stream import Stream

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


class Orchestrator:
    """Lets people without a notebook steer a stream together, by the page of its broadcast.

    Naming it in a cell shows who is there, what waits and what was applied; `link` is for everybody
    who shall take part. It ends with the stream, and goes on with it past limits. Run again for the
    same stream it keeps its participants, so their links stay good.

    >>> stream = ody.start("a quiet village", broadcast=True)
    >>> crowd = ody.Orchestrator(stream, mode="vote", every=10)
    >>> crowd.link  # one for all, by which each gets a token of their own
    >>> crowd.invite(30)  # or one each
    >>> crowd.history
    >>> crowd.close()

    Args:
        stream: One that is broadcast.
        mode: Whose prompt is applied: "queue", first in first out; "vote", rounds of `every`
            seconds with one vote each; "round_robin", one after another; "moderated", what you
            approve; or a `Policy` of your own.
        every: Least seconds from one prompt to the next.
        per_minute: Most proposals of one participant in any minute.
        longest: Most characters of a proposal.

    Raises:
        ConnectError: The service does not answer.
        CrowdError: The stream is not broadcast, or its service lets nobody else steer.
        UsageError: There is no such mode.
        ValueError: A number makes no sense.

    Attributes:
        stream: What is steered; another one once a lost connection was repaired.
        mode: How.
        problem: Why it closed by itself; empty otherwise.
    """

    def __init__(
        self,
        stream: Stream,
        mode: str | Policy = "queue",
        *,
        every: float = EVERY_SECONDS,
        per_minute: int = PER_MINUTE,
        longest: int = LONGEST,
    ) -> None:
        self.policy = _policy(mode, every=every, longest=longest)
        if per_minute < 1:
            raise ValueError(f"per_minute must be positive, not {per_minute!r}")
        self.mode: str = self.policy.mode
        self.stream = stream
        self.problem = ""
        self.panel: Any = None  # the widget that shows it
        self._rates = RateLimit(per_minute)
        self._lock = threading.RLock()
        self._people: dict[str, Participant] = {}
        self._join_token = secrets.token_urlsafe(16)
        self._applying: Proposal | None = None
        self._history: deque[Applied] = deque(maxlen=MOST_REMEMBERED)
        self._told: deque[wire.Told] = deque(maxlen=MOST_TOLD)
        self._paused_at: float | None = None
        self._paused = 0.0  # seconds in all
        self._listeners: list[Callable[[], None]] = []
        self._take_over()
        self._conductor = Conductor(self)
        runtime().crowds[stream.connection.name] = self
        self._conductor.start()
        if not self._conductor.opened.wait(OPEN_SECONDS):
            self.close()
            raise AnswerTimeoutError("the service did not open the crowd in time")
        if self._conductor.error is not None:
            raise self._conductor.error

    def _take_over(self) -> None:
        """Keep the participants of one that conducts this stream already, whose place this takes.

        Its cell was run again, perhaps by code that was reloaded: only what it has is asked.
        """
        connection = self.stream.connection
        older: Any = runtime().crowds.get(connection.name)
        if older is None or not older.open or older.stream is not self.stream:
            return
        self._people = older._people
        self._join_token = older._join_token
        self._history = older._history
        older._conductor.leave("", say=False)
        connection.say(f"the crowd goes on; the links of its {len(self._people)} stay good")

    @property
    def open(self) -> bool:
        """Whether it takes proposals."""
        return self._conductor.running

    @property
    def link(self) -> str:
        """A link by which everybody gets a token of their own; whoever has it can take part."""
        return f"{self._conductor.page}#join={self._join_token}"

    @property
    def participants(self) -> list[Participant]:
        """Everybody who may take part, in the order in which they came or were invited."""
        with self._lock:
            return list(self._people.values())

    @property
    def waiting(self) -> list[Proposal]:
        """What waits, in the order in which it would be applied."""
        with self._lock:
            return self.policy.waiting

    @property
    def inbox(self) -> list[Proposal]:
        """What waits for your `approve` or `reject`."""
        with self._lock:
            return self.policy.inbox

    @property
    def history(self) -> History:
        """What was applied: when, what, and who proposed it; a table. The last 1000."""
        with self._lock:
            return History(self._history)

    @property
    def paused(self) -> bool:
        """Whether nothing is applied for now."""
        return self._paused_at is not None

    def invite(self, who: int | Iterable[str]) -> Invitations:
        """Return links, each with a token of one participant's own, as a table.

        >>> crowd.invite(30)
        >>> crowd.invite(["Ada", "Ben"])

        Args:
            who: How many, or their names.

        Raises:
            UsageError: They would be more than 200 altogether, or none.
        """
        self._check()
        named = not isinstance(who, int)
        given = [f"Guest {number + 1}" for number in range(who)] if isinstance(who, int) else who
        names = [wire.tidy(each, wire.LONGEST_NAME) or "Guest" for each in given]
        with self._lock:
            room = wire.MOST_PARTICIPANTS - len(self._people)
            if not 0 < len(names) <= room:
                raise UsageError(
                    f"{len(names)} cannot be invited, there is room for {room}",
                    hint="crowd.revoke(name) makes room.",
                )
            made = []
            for name in names:
                token = secrets.token_urlsafe(16)
                person = Participant(secrets.token_hex(4), name, wire.digest_of(token))
                self._people[person.id] = person
                made.append(Invitation.of(self._conductor.page, name, token, named=named))
        self._conductor.enrol()
        self._changed()
        return Invitations(made)

    def revoke(self, who: str) -> None:
        """Let somebody take part no more: their token opens nothing, their page says so.

        Args:
            who: A name or an id.

        Raises:
            UsageError: Nobody is called so, or several are.
        """
        with self._lock:
            found = [each for each in self._people.values() if who in (each.name, each.id)]
            if len(found) != 1:
                raise UsageError(
                    f"{len(found) or 'none'} of the participants are called {who!r}",
                    hint="crowd.participants has the id of each.",
                )
            del self._people[found[0].id]
            self.policy.withdraw(found[0].id)
            self._rates.forget(found[0].id)
        self._conductor.enrol()
        self._changed()

    def approve(self, proposal: str) -> None:
        """Let what waits in `inbox` wait for its turn; `proposal` is its id."""
        self._decide(proposal, approved=True)

    def reject(self, proposal: str) -> None:
        """Take out what waits, and tell those behind it; `proposal` is its id."""
        self._decide(proposal, approved=False)

    def _decide(self, proposal: str, *, approved: bool) -> None:
        with self._lock:
            decide = self.policy.approve if approved else self.policy.remove
            found = decide(proposal)
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

    def pause(self) -> None:
        """Apply nothing, and let a vote go on for longer; proposals are still taken."""
        with self._lock:
            if self._paused_at is None:
                self._paused_at = time.monotonic()
        self._changed()

    def resume(self) -> None:
        """Apply what is due again."""
        with self._lock:
            if self._paused_at is not None:
                self._paused += time.monotonic() - self._paused_at
                self._paused_at = None
        self._changed()

    def close(self) -> None:
        """Let nobody take part any more; the stream goes on. Safe to call again."""
        self._conductor.leave("the teacher closed it")

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener` after every change, on any thread; return what stops it."""
        self._listeners.append(listener)

        def stop() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return stop

    def board(self) -> wire.Board:
        """Return what everybody sees now."""
        with self._lock:
            waiting = self.policy.waiting
            lately = list(self._history)[: -LATELY - 1 : -1]
            return wire.Board(
                mode=self.mode,
                every=self.policy.every,
                longest=self.policy.longest,
                waiting=[self._seen(each) for each in waiting[:MOST_SHOWN]],
                more=max(0, len(waiting) - MOST_SHOWN),
                applying=None if self._applying is None else self._seen(self._applying),
                applied=[
                    wire.Done(prompt=each.prompt, names=list(each.names), votes=each.votes)
                    for each in lately
                ],
                left=self.policy.due(self.clock()),
                paused=self.paused,
                people=sum(each.here for each in self._people.values()),
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
        return [self._people[each].name for each in ids if each in self._people]

    def clock(self) -> float:
        """Return the policy's time in seconds, which stands still while paused."""
        now = time.monotonic() if self._paused_at is None else self._paused_at
        return now - self._paused

    # What the conductor's thread calls.

    def roster(self) -> wire.Roster:
        """Return who may take part."""
        with self._lock:
            people = [
                wire.Person(id=each.id, name=each.name, digest=each.digest)
                for each in self._people.values()
            ]
        return wire.Roster(people=people, join=wire.digest_of(self._join_token))

    def take(self, message: wire.ToOwner) -> None:
        """Follow what participants do."""
        with self._lock:
            match message.type:
                case "joined":
                    person = message.person
                    self._people[person.id] = Participant(person.id, person.name, person.digest)
                case "present":
                    self._greet(message)
                case "proposed" if message.participant in self._people:
                    self._hear(message.participant, message.prompt)
                case "voted" if message.participant in self._people:
                    verdict = self.policy.vote(message.participant, message.proposal)
                    self._answer(message.participant, verdict)
        self._changed()

    def _greet(self, message: wire.Present) -> None:
        found = self._people.get(message.participant)
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
            verdict = self.policy.propose(who, prompt, self.clock())
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
            self._applying = proposal = self.policy.take(self.clock())
            due = self.policy.due(self.clock())
        if proposal is not None:
            self._changed()
        return proposal, due

    def was_applied(self, proposal: Proposal, applied: str, when: float | None) -> None:
        """Remember what was applied, and tell those behind it."""
        with self._lock:
            self._applying = None
            for who in proposal.by:
                if who in self._people:
                    self._people[who].applied += 1
            done = Applied(
                at=datetime.now().astimezone(),
                time=when,
                prompt=proposal.prompt,
                names=tuple(self.names(proposal.by)),
                votes=proposal.votes,
                applied=applied,
            )
            self._history.append(done)
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
        votes = f" · {proposal.votes} votes" if self.mode == "vote" else ""
        return f"by {names}{votes}"[:MARK_LENGTH]

    def closed(self, problem: str) -> None:
        """It is over, for `problem` if that was not wanted."""
        self.problem = self.problem or problem
        crowds = runtime().crowds
        if crowds.get(self.stream.connection.name) is self:
            del crowds[self.stream.connection.name]
        with self._lock:
            for each in self._people.values():
                each.here = False
        self._changed()

    def _changed(self) -> None:
        self._conductor.wake()
        for listener in tuple(self._listeners):
            listener()

    def _check(self) -> None:
        if not self.open:
            why = f": {self.problem}" if self.problem else ""
            raise CrowdError(f"the crowd is closed{why}", hint="Make another: ody.Orchestrator(…).")

    def __enter__(self) -> Orchestrator:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        here = sum(each.here for each in self.participants)
        if not self.open:
            state = f"closed{': ' + self.problem if self.problem else ''}"
        else:
            paused = ", paused" if self.paused else ""
            state = f"{here} of {len(self._people)} here, {len(self.waiting)} wait{paused}"
        name = self.stream.connection.name
        return f"<Orchestrator of {name!r}, {self.mode} every {self.policy.every:g} s: {state}>"


def _policy(mode: str | Policy, *, every: float, longest: int) -> Policy:
    if not isinstance(mode, str):
        return mode
    if mode not in POLICIES:
        raise UsageError(f"there is no mode {mode!r}", hint=f"Known: {', '.join(POLICIES)}.")
    return POLICIES[mode](every=every, longest=longest)
