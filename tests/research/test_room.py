"""What a crowd is, without a network: who may take part, what they hear, and what is remembered."""

from __future__ import annotations

import pytest

from odyssey_nb.errors import StreamError, UsageError
from odyssey_nb.research.policies import Queue, Vote
from odyssey_nb.research.room import MOST_REMEMBERED, MOST_TOLD, Room
from odyssey_nb.wire import crowd as wire


@pytest.fixture
def changes() -> list[None]:
    """One entry for each change that was told."""
    return []


def room_of(names: list[str], policy, changes: list[None], per_minute: int = 99) -> Room:
    """A room with these participants."""
    room = Room(policy, per_minute, lambda: changes.append(None))
    room.invite(names)
    return room


def propose(room: Room, who: str, prompt: str) -> wire.Told:
    """Let a participant propose; return what they are told."""
    (person,) = [each for each in room.participants if each.name == who]
    room.take(wire.Proposed(participant=person.id, prompt=prompt))
    (told,) = room.take_told()
    assert told.participant == person.id
    return told


def test_who_is_too_fast_is_told(changes: list[None]) -> None:
    """Each has a rate of their own; a refusal says for how long, and reaches nobody else."""
    room = room_of(["Ada", "Ben"], Queue(every=1), changes, per_minute=2)
    said = [propose(room, "Ada", each) for each in ("snow", "rain", "fog")]
    assert [each.kind for each in said] == ["accepted", "accepted", "refused"]
    assert said[-1].text.startswith("too fast: wait ")
    assert propose(room, "Ben", "fog").kind == "accepted"
    assert [each.prompt for each in room.waiting] == ["snow", "rain", "fog"]


def test_everybody_sees_the_same(changes: list[None]) -> None:
    """The board has what waits, is applied and was; its clock stands still while paused."""
    policy = Vote(every=1000)
    room = room_of(["Ada", "Ben"], policy, changes)
    ada, ben = room.participants
    room.take(wire.Present(participant=ada.id, name="Ada L.", present=True))
    propose(room, "Ada L.", "snow")
    room.take(wire.Voted(participant=ben.id, proposal="1"))
    room.pause()
    board = room.board()
    assert (board.people, board.paused) == (1, True)
    assert [(each.prompt, each.names, each.votes) for each in board.waiting] == [
        ("snow", ["Ada L."], 2)
    ]
    assert room.board().left == board.left
    assert room.take_due() == (None, None)
    room.resume()
    assert room.take_due()[0] is None, "the vote is not over"
    proposal = policy.take(1e12)
    assert proposal is not None
    assert room.credit(proposal) == "by Ada L. · 2 votes"
    room.was_applied(proposal, "heavy snow", 1.5)
    board = room.board()
    assert board.applied == [wire.Done(prompt="snow", names=["Ada L."], votes=2)]
    (done,) = room.done
    assert (done.applied, done.time, done.names) == ("heavy snow", 1.5, ("Ada L.",))
    assert [each.kind for each in room.take_told()] == ["voted", "applied"]
    assert wire.from_owner.from_json(wire.from_owner.to_json(board)) == board


def test_who_is_sent_away_leaves_nothing(changes: list[None]) -> None:
    """Their proposals go, what they say is not heard, and their name is free."""
    room = room_of(["Ada", "Ada", "Ben"], Queue(every=1), changes)
    with pytest.raises(UsageError, match="2 of the participants"):
        room.revoke("Ada")
    first, *_ = room.participants
    room.take(wire.Proposed(participant=first.id, prompt="snow"))
    room.revoke(first.id)
    assert room.waiting == []
    before = len(room.take_told())
    room.take(wire.Proposed(participant=first.id, prompt="rain"))
    room.take(wire.Voted(participant=first.id, proposal="1"))
    assert (before, room.take_told()) == (1, [])
    assert [each.name for each in room.participants] == ["Ada", "Ben"]
    assert len(room.roster().people) == 2


def test_nothing_grows_without_bound(changes: list[None]) -> None:
    """Of what nobody fetches, and of the history, the newest is kept; what failed is told."""
    room = room_of(["Ada"], Queue(every=1e-9), changes, per_minute=MOST_REMEMBERED + 5)
    (ada,) = room.participants
    for number in range(MOST_REMEMBERED + 5):
        room.take(wire.Proposed(participant=ada.id, prompt=f"number {number}"))
        proposal, _ = room.take_due()
        assert proposal is not None
        room.was_applied(proposal, proposal.prompt, None)
    assert len(room.take_told()) == MOST_TOLD
    assert [each.prompt for each in room.done[:: MOST_REMEMBERED - 1]] == [
        "number 5",
        "number 1004",
    ]
    assert len(changes) >= MOST_REMEMBERED

    room = room_of(["Ada"], Queue(every=1e-9), changes)
    propose(room, "Ada", "snow")
    proposal, _ = room.take_due()
    assert proposal is not None
    room.was_refused(proposal, StreamError("no"))
    assert [each.text for each in room.take_told()] == ["the world did not take it: no"]
    assert room.done == []


def test_who_joined_is_known_once(changes: list[None]) -> None:
    """Who was sent away does not come back by being told of twice, nor in the next one's room."""
    room = room_of(["Ada"], Queue(every=1), changes)
    joined = wire.Joined(person=wire.Person(id="b", name="Ben", digest="d"), number=1)
    room.take(joined)
    assert room.roster().joins == 1
    room.take(wire.Present(participant=room.participants[0].id, name="Ada", present=True))
    room.revoke("Ben")
    heir = Room(Queue(every=1), 99, lambda: None)
    heir.inherit(room)
    for each in (room, heir):
        each.take(joined)
        assert [person.name for person in each.participants] == ["Ada"]
    assert heir.join_token == room.join_token
    assert not heir.participants[0].here, "the service says who is"
    room.empty()
    heir.take(wire.Present(participant=heir.participants[0].id, name="Ada", present=True))
    room.empty()
    assert heir.participants[0].here, "although the older one ends late"
