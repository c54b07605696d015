"""Whose prompt is applied next when many steer one stream: the rules, without any network.

A policy is told what participants do, with the time in seconds, and asked what is due. `waiting` is
at any time in the order in which prompts would be applied; who waits in a queue, or for their turn,
is never passed over.
"""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections import deque
from dataclasses import dataclass, field
from typing import Any, ClassVar

from odyssey_nb.wire.crowd import Kind

EVERY_SECONDS = 10.0
PER_MINUTE = 6
LONGEST = 200  # characters of a proposal
MOST_EACH = 3  # proposals of one participant that wait
MOST = 100  # proposals that wait altogether
MINUTE = 60.0


@dataclass(slots=True, eq=False)
class Proposal:
    """A prompt that somebody proposed; who proposes the same words stands behind it too.

    Attributes:
        id: Names it; no other proposal of the policy has it.
        prompt: The words.
        by: The participants behind it, its author first.
        voters: Those of whom it has the vote.
    """

    id: str
    prompt: str
    by: list[str]
    voters: set[str] = field(default_factory=set)

    @property
    def votes(self) -> int:
        """How many it has."""
        return len(self.voters)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of what a participant did."""

    kind: Kind
    text: str
    proposal: str = ""

    @property
    def refused(self) -> bool:
        """Whether nothing came of it."""
        return self.kind == Kind.REFUSED


class RateLimit:
    """At most so many proposals of each participant in any minute."""

    def __init__(self, per_minute: int) -> None:
        self.per_minute = per_minute
        self._taken: dict[str, deque[float]] = {}

    def take(self, who: str, now: float) -> float:
        """Count a proposal; return 0, or for how many seconds there may be none."""
        taken = self._taken.setdefault(who, deque(maxlen=self.per_minute))
        if len(taken) == self.per_minute and now - taken[0] < MINUTE:
            return taken[0] + MINUTE - now
        taken.append(now)
        return 0.0

    def forget(self, who: str) -> None:
        """A participant is gone for good."""
        self._taken.pop(who, None)


def same_words(prompt: str) -> str:
    """Return what prompts share that say the same: case, spaces and the last stop are no matter.

    >>> same_words("It is  Snowing!") == same_words("it is snowing")
    True
    """
    return " ".join(prompt.casefold().split()).rstrip(" .!?…")


class Policy(ABC):
    """Takes proposals, and says which is due.

    Args:
        every: Least seconds from one application to the next; of a vote, how long it takes.
        longest: Most characters of a proposal.
        each: Most proposals of one participant that wait.
        most: Most that wait altogether.
    """

    mode: ClassVar[str]

    def __init__(
        self,
        *,
        every: float = EVERY_SECONDS,
        longest: int = LONGEST,
        each: int = MOST_EACH,
        most: int = MOST,
    ) -> None:
        for name, value in (("every", every), ("longest", longest), ("each", each), ("most", most)):
            if not value > 0:
                raise ValueError(f"{name} must be positive, not {value!r}")
        self.every, self.longest, self.each, self.most = every, longest, each, most
        self._proposals: list[Proposal] = []  # that wait, oldest first
        self._inbox: list[Proposal] = []
        self._numbers = itertools.count(1)
        self._ready = 0.0  # when the next may be applied

    @property
    def waiting(self) -> list[Proposal]:
        """What waits, in the order in which it would be applied."""
        return list(self._proposals)

    @property
    def inbox(self) -> list[Proposal]:
        """What waits for a moderator's word, oldest first."""
        return list(self._inbox)

    @property
    def _open(self) -> list[Proposal]:
        return [*self._proposals, *self._inbox]

    def propose(self, who: str, prompt: str, now: float) -> Verdict:
        """Take a proposal, or refuse it: no words, too many of them, too many that wait."""
        words = same_words(prompt)
        if not words:
            return Verdict(Kind.REFUSED, "it has no words")
        if len(prompt) > self.longest:
            return Verdict(Kind.REFUSED, f"too long: at most {self.longest} characters")
        open_ones = self._open
        same = next((each for each in open_ones if same_words(each.prompt) == words), None)
        if same is not None and who in same.by:
            return Verdict(Kind.REFUSED, "it waits already", same.id)
        refusal = self._may_not(who, open_ones)
        if refusal:
            return Verdict(Kind.REFUSED, refusal)
        if same is not None:
            same.by.append(who)
            self.vote(who, same.id)
            return Verdict(
                Kind.MERGED, "somebody proposed the same: you stand behind it too", same.id
            )
        if len(open_ones) >= self.most:
            return Verdict(Kind.REFUSED, "too many wait: try again later")
        made = Proposal(str(next(self._numbers)), prompt, [who])
        self._add(made, now)
        return Verdict(Kind.ACCEPTED, self._welcome(), made.id)

    def vote(self, who: str, proposal: str) -> Verdict:
        """Give a participant's one vote to a proposal, or take it back if that is empty."""
        del who, proposal
        return Verdict(Kind.REFUSED, "there is no vote here")

    def withdraw(self, who: str) -> None:
        """A participant is gone for good: what nobody else stands behind goes too."""
        for each in self._open:
            each.voters.discard(who)
            if who in each.by:
                each.by.remove(who)
                if not each.by and not each.voters:
                    self.remove(each.id)

    def remove(self, proposal: str) -> Proposal | None:
        """Take out what waits, or waits for a word; return it."""
        for some in (self._proposals, self._inbox):
            for each in some:
                if each.id == proposal:
                    some.remove(each)
                    return each
        return None

    def approve(self, proposal: str) -> Proposal | None:
        """Let what waits for a moderator's word wait for its turn; return it."""
        del proposal
        return None

    def due(self, now: float) -> float | None:
        """Return in how many seconds one is due; None while nothing waits."""
        return max(0.0, self._ready - now) if self._proposals else None

    def take(self, now: float) -> Proposal | None:
        """Return what is to be applied now, which waits no more; None if nothing is due."""
        if self.due(now) != 0:
            return None
        chosen = self._choose()
        self._ready = now + self.every
        return chosen

    @abstractmethod
    def _choose(self) -> Proposal:
        """Take out the one that comes next; there is one."""

    def _add(self, proposal: Proposal, now: float) -> None:
        del now
        self._proposals.append(proposal)

    def _may_not(self, who: str, open_ones: list[Proposal]) -> str:
        """Return why a participant may propose nothing now."""
        if sum(who in proposal.by for proposal in open_ones) < self.each:
            return ""
        return f"{self.each} of yours wait already"

    def _welcome(self) -> str:
        return "it waits for its turn"


class Queue(Policy):
    """First in, first out."""

    mode = "queue"

    def _choose(self) -> Proposal:
        return self._proposals.pop(0)


class RoundRobin(Policy):
    """Participants take turns: whose last one is longest ago is next, with their oldest proposal.

    While somebody waits, nobody else has two turns.
    """

    mode = "round_robin"

    def __init__(self, **limits: Any) -> None:
        super().__init__(**limits)
        self._turn = 0
        self._had: dict[str, int] = {}  # the last turn of each participant

    @property
    def waiting(self) -> list[Proposal]:
        """What waits, in the order in which it would be applied."""
        left, had, turn = list(self._proposals), dict(self._had), self._turn
        order = []
        while left:
            chosen = self._first(left, had)
            left.remove(chosen)
            turn += 1
            had.update(dict.fromkeys(chosen.by, turn))
            order.append(chosen)
        return order

    def withdraw(self, who: str) -> None:
        """A participant is gone for good: what nobody else stands behind goes too."""
        super().withdraw(who)
        self._had.pop(who, None)

    def _choose(self) -> Proposal:
        chosen = self._first(self._proposals, self._had)
        self._proposals.remove(chosen)
        self._turn += 1
        self._had.update(dict.fromkeys(chosen.by, self._turn))
        return chosen

    @staticmethod
    def _first(proposals: list[Proposal], had: dict[str, int]) -> Proposal:
        """Return the one behind which stands who has waited longest; of several the oldest."""
        return min(proposals, key=lambda each: min(had.get(who, 0) for who in each.by))


class Vote(Policy):
    """Rounds: the first proposal opens one, everybody has one vote, and the winner is applied.

    Who proposes votes for it until they vote otherwise. Of several with most votes the earliest
    wins; the others are dropped. Each participant proposes once in a round.
    """

    mode = "vote"

    @property
    def waiting(self) -> list[Proposal]:
        """What can be voted for, the leading one first."""
        return sorted(self._proposals, key=lambda each: -each.votes)

    def vote(self, who: str, proposal: str) -> Verdict:
        """Give a participant's one vote to a proposal, or take it back if that is empty."""
        chosen = next((each for each in self._proposals if each.id == proposal), None)
        if proposal and chosen is None:
            return Verdict(Kind.REFUSED, "that round is over")
        for each in self._proposals:
            each.voters.discard(who)
        if chosen is None:
            return Verdict(Kind.VOTED, "your vote is taken back")
        chosen.voters.add(who)
        return Verdict(Kind.VOTED, "your vote counts", chosen.id)

    def _choose(self) -> Proposal:
        winner = self.waiting[0]
        self._proposals.clear()
        return winner

    def _add(self, proposal: Proposal, now: float) -> None:
        if not self._proposals:
            self._ready = now + self.every
        self.vote(proposal.by[0], "")
        proposal.voters.add(proposal.by[0])
        super()._add(proposal, now)

    def _may_not(self, who: str, open_ones: list[Proposal]) -> str:
        if any(who in each.by for each in open_ones):
            return "you have proposed in this round: vote, or wait for the next"
        return ""

    def _welcome(self) -> str:
        return "it is up for the vote, and has yours"


class Moderated(Queue):
    """A moderator says what goes into the queue."""

    mode = "moderated"

    def approve(self, proposal: str) -> Proposal | None:
        """Let what waits for a moderator's word wait for its turn; return it."""
        found = next((each for each in self._inbox if each.id == proposal), None)
        if found is not None:
            self._inbox.remove(found)
            self._proposals.append(found)
        return found

    def _add(self, proposal: Proposal, now: float) -> None:
        del now
        self._inbox.append(proposal)

    def _welcome(self) -> str:
        return "it waits for the moderator"


POLICIES: dict[str, type[Policy]] = {
    each.mode: each for each in (Queue, Vote, RoundRobin, Moderated)
}
