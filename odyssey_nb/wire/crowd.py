"""Messages of a crowd: people on a broadcast's page who steer its stream together.

Only our own service has crowds; the official protocol has none, so they travel on sockets of their
own below the broadcast: ``/live/STREAM/crowd`` for pages, ``/live/STREAM/crowd/owner`` for whoever
conducts them. Both speak JSON texts. A page speaks first, with `Enter` or `Join`. What may be
proposed, and what is applied when, the owner decides; the service carries and counts.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from odyssey_nb.wire.codec import Codec

MOST_PARTICIPANTS = 200
LONGEST_NAME = 40  # characters
LONGEST_PROMPT = 1000
LONGEST_MESSAGE = 8000  # of a page, in characters as JSON
HERE_SECONDS = 15.0  # between two signs of life of a page or an owner
SILENT_SECONDS = 45.0  # without one, after which an owner counts as lost
PAGE_SILENT_SECONDS = 150.0  # the same of a page: a browser lets hidden ones speak once a minute


class Reason(StrEnum):
    """Why a page may not stay."""

    UNKNOWN = "unknown"
    REVOKED = "revoked"
    FULL = "full"
    AWAY = "away"  # the owner is, and only they may let others in
    ELSEWHERE = "elsewhere"  # newer pages of the same participant


class Kind(StrEnum):
    """What became of what a participant did."""

    ACCEPTED = "accepted"
    MERGED = "merged"
    VOTED = "voted"
    REFUSED = "refused"
    REJECTED = "rejected"
    APPLIED = "applied"


def digest_of(token: str) -> str:
    """Return what is kept of a token, whose random bits are too many to be guessed."""
    return hashlib.sha256(token.encode()).hexdigest()


def tidy(text: str, longest: int) -> str:
    """Return a stranger's words on one line: what cannot be seen is left out, the rest cut."""
    words = "".join(each if each.isprintable() else " " for each in text).split()
    return " ".join(words)[:longest].strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Enter:
    """A page's first word: the participant's own token; a `name` is what they want to be called."""

    token: str = field(repr=False)
    name: str = ""
    type: Literal["enter"] = "enter"


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """A page's first word by the link that all share; the answer has a token of their own."""

    token: str = field(repr=False)
    name: str = ""
    type: Literal["join"] = "join"


@dataclass(frozen=True, slots=True, kw_only=True)
class Propose:
    """A participant proposes a prompt."""

    prompt: str
    type: Literal["propose"] = "propose"


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """A participant votes for a proposal, and for no other; empty takes the vote back."""

    proposal: str
    type: Literal["vote"] = "vote"


@dataclass(frozen=True, slots=True, kw_only=True)
class Here:
    """A sign of life."""

    type: Literal["here"] = "here"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entered:
    """The page may stay: who its participant is, and the broadcast to show."""

    participant: str
    name: str
    stream: str
    spectator_token: str = field(repr=False)
    token: str = field(default="", repr=False)  # the participant's own; only in answer to `Join`
    type: Literal["entered"] = "entered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The page may not stay; its socket closes."""

    reason: Reason
    type: Literal["refused"] = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """The stream goes on as another one, with a broadcast of its own."""

    stream: str
    spectator_token: str = field(default="", repr=False)  # the owner need not say it
    type: Literal["moved"] = "moved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A proposal that waits; `by` are the participants behind it, its author first."""

    id: str
    prompt: str
    by: list[str]
    names: list[str]
    votes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A prompt that was applied."""

    prompt: str
    names: list[str]
    votes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """What everybody sees; a newer one replaces it."""

    mode: str
    every: float  # seconds from one application to the next, or that a vote takes
    longest: int  # characters of a proposal
    waiting: list[Waiting]  # in the order in which they would be applied
    more: int = 0  # that wait too
    applying: Waiting | None = None
    applied: list[Done] = field(default_factory=list)  # the newest first
    left: float | None = None  # seconds until the next is applied
    paused: bool = False
    people: int = 0  # who are here
    type: Literal["board"] = "board"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Something for one participant alone."""

    participant: str
    kind: Kind
    text: str
    proposal: str = ""  # that it is about; of "voted" the one that has their vote now
    type: Literal["told"] = "told"


@dataclass(frozen=True, slots=True, kw_only=True)
class Over:
    """The crowd is closed; its sockets close too."""

    reason: str
    type: Literal["over"] = "over"


@dataclass(frozen=True, slots=True, kw_only=True)
class Away:
    """Whether the owner's notebook has lost touch; what is proposed meanwhile is refused."""

    away: bool
    type: Literal["away"] = "away"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A participant as the owner tells the service of them; of the token there is only a digest."""

    id: str
    name: str
    digest: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Roster:
    """Everybody who may take part, in place of what was said before; `join` is empty or a digest.

    Who is not in it any more is sent away; not those who joined after number `joins`, of whom its
    sender had not heard.
    """

    people: list[Person]
    join: str = field(default="", repr=False)
    number: int = 0
    joins: int = 0
    type: Literal["roster"] = "roster"


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolled:
    """Those of roster `number` are let in from now on."""

    number: int
    type: Literal["enrolled"] = "enrolled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """Somebody came by the link that all share, as number so many; it may be told twice."""

    person: Person
    number: int
    type: Literal["joined"] = "joined"


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """A participant has a page open, with this name, or has none any more."""

    participant: str
    name: str
    present: bool
    type: Literal["present"] = "present"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposed:
    """What a participant proposes."""

    participant: str
    prompt: str
    type: Literal["proposed"] = "proposed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Voted:
    """What a participant votes for."""

    participant: str
    proposal: str
    type: Literal["voted"] = "voted"


FromPage = Enter | Join | Propose | Vote | Here
ToPage = Entered | Refused | Moved | Board | Told | Away | Over
FromOwner = Roster | Moved | Board | Told | Over | Here
ToOwner = Enrolled | Joined | Present | Proposed | Voted

from_page: Codec[FromPage] = Codec(Enter, Join, Propose, Vote, Here)
to_page: Codec[ToPage] = Codec(Entered, Refused, Moved, Board, Told, Away, Over)
from_owner: Codec[FromOwner] = Codec(Roster, Moved, Board, Told, Over, Here)
to_owner: Codec[ToOwner] = Codec(Enrolled, Joined, Present, Proposed, Voted)
