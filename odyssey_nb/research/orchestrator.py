"""A class steers one stream together, as a teacher's notebook sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from odyssey_nb.errors import AnswerTimeoutError, CrowdError, UsageError
from odyssey_nb.kernel.runtime import runtime
from odyssey_nb.research.conductor import OPEN_SECONDS, Conductor
from odyssey_nb.research.history import History
from odyssey_nb.research.invitations import Invitation, Invitations
from odyssey_nb.research.policies import EVERY_SECONDS, LONGEST, PER_MINUTE, POLICIES, Policy
from odyssey_nb.research.room import Room
from odyssey_nb.wire import crowd as wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from odyssey_nb.kernel.stream import Stream
    from odyssey_nb.research.policies import Proposal
    from odyssey_nb.research.room import Participant


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
        policy = _policy(mode, every=every, longest=longest)
        if per_minute < 1:
            raise ValueError(f"per_minute must be positive, not {per_minute!r}")
        self.mode: str = policy.mode
        self.problem = ""
        self.panel: Any = None  # the widget that shows it
        self._listeners: list[Callable[[], None]] = []
        self.room = Room(policy, per_minute, self._changed)
        self._take_over(stream)
        self._conductor = Conductor(self.room, stream, self._closed)
        runtime().crowds[stream.connection.name] = self
        self._conductor.start()
        if not self._conductor.opened.wait(OPEN_SECONDS):
            self.close()
            raise AnswerTimeoutError("the service did not open the crowd in time")
        if self._conductor.error is not None:
            raise self._conductor.error

    def _take_over(self, stream: Stream) -> None:
        """Keep the participants of one that conducts this stream already, whose place this takes.

        Its cell was run again, perhaps by code that was reloaded: only what it has is asked.
        """
        older: Any = runtime().crowds.get(stream.connection.name)
        if older is None or not older.open or older.stream is not stream:
            return
        older._conductor.leave("", say=False)
        self.room.inherit(older.room)
        stream.connection.say(
            f"the crowd goes on; the links of its {len(self.room.people)} stay good"
        )

    @property
    def stream(self) -> Stream:
        """What is steered; another one once a lost connection was repaired."""
        return self._conductor.stream

    @property
    def open(self) -> bool:
        """Whether it takes proposals."""
        return self._conductor.running

    @property
    def link(self) -> str:
        """A link by which everybody gets a token of their own; whoever has it can take part."""
        return f"{self._conductor.page}#join={self.room.join_token}"

    @property
    def participants(self) -> list[Participant]:
        """Everybody who may take part, in the order in which they came or were invited."""
        return self.room.participants

    @property
    def waiting(self) -> list[Proposal]:
        """What waits, in the order in which it would be applied."""
        return self.room.waiting

    @property
    def inbox(self) -> list[Proposal]:
        """What waits for your `approve` or `reject`."""
        return self.room.inbox

    @property
    def history(self) -> History:
        """What was applied: when, what, and who proposed it; a table. The last 1000."""
        return History(self.room.done)

    @property
    def paused(self) -> bool:
        """Whether nothing is applied for now."""
        return self.room.paused

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
        tokens = self.room.invite(names)
        self._conductor.enrol()
        page = self._conductor.page
        return Invitations(
            Invitation.of(page, name, token, named=named)
            for name, token in zip(names, tokens, strict=True)
        )

    def revoke(self, who: str) -> None:
        """Let somebody take part no more: their token opens nothing, their page says so.

        Args:
            who: A name or an id.

        Raises:
            UsageError: Nobody is called so, or several are.
        """
        self.room.revoke(who)
        self._conductor.enrol()

    def approve(self, proposal: str) -> None:
        """Let what waits in `inbox` wait for its turn; `proposal` is its id."""
        self.room.decide(proposal, approved=True)

    def reject(self, proposal: str) -> None:
        """Take out what waits, and tell those behind it; `proposal` is its id."""
        self.room.decide(proposal, approved=False)

    def pause(self) -> None:
        """Apply nothing, and let a vote go on for longer; proposals are still taken."""
        self.room.pause()

    def resume(self) -> None:
        """Apply what is due again."""
        self.room.resume()

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

    def _closed(self, problem: str) -> None:
        """It is over, for `problem` if that was not wanted."""
        self.problem = self.problem or problem
        crowds = runtime().crowds
        if crowds.get(self.stream.connection.name) is self:
            del crowds[self.stream.connection.name]
        self.room.empty()

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
            state = f"{here} of {len(self.room.people)} here, {len(self.waiting)} wait{paused}"
        name = self.stream.connection.name
        return (
            f"<Orchestrator of {name!r}, {self.mode} every {self.room.policy.every:g} s: {state}>"
        )


def _policy(mode: str | Policy, *, every: float, longest: int) -> Policy:
    if not isinstance(mode, str):
        return mode
    if mode not in POLICIES:
        raise UsageError(f"there is no mode {mode!r}", hint=f"Known: {', '.join(POLICIES)}.")
    return POLICIES[mode](every=every, longest=longest)
