"""The tables of states: only their moves can be made."""

from __future__ import annotations

from contextlib import suppress
from enum import StrEnum
from itertools import pairwise, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from odyssey_nb.wire.status import (
    MOVES,
    STREAM_MOVES,
    IllegalMoveError,
    Status,
    StreamState,
    advance,
    advance_stream,
)

TABLES = pytest.mark.parametrize(
    ("states", "table", "move", "start"),
    [
        (Status, MOVES, advance, Status.DISCONNECTED),
        (StreamState, STREAM_MOVES, advance_stream, StreamState.NONE),
    ],
    ids=["connection", "stream"],
)


@TABLES
def test_only_the_tables_moves_are_made(states, table, move, start):
    """Of all pairs of states, exactly the table's can be moved between."""
    assert set(table) == set(states)
    made = set()
    for now, to in product(states, states):
        with suppress(IllegalMoveError):
            assert move(now, to) is to
            made.add((now, to))
    assert made == {(now, to) for now in table for to in table[now]}


@TABLES
def test_every_state_is_reached_and_left(states, table, move, start):
    """From the first state every other can be reached, and from each there is a way back."""
    for begin in states:
        reached, edge = {begin}, {begin}
        while edge:
            edge = {to for now in edge for to in table[now]} - reached
            reached |= edge
        assert reached == set(states)


@TABLES
def test_no_state_moves_to_itself(states, table, move, start):
    """A move is a change, so that hooks fire once."""
    assert not [state for state in states if state in table[state]]


@TABLES
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_walk(states, table, move, start, data):
    """A walk of attempted moves stays where it is at each refusal and never leaves the table."""
    now = start
    for to in data.draw(st.lists(st.sampled_from(states), max_size=20)):
        before = now
        try:
            now = move(now, to)
        except IllegalMoveError:
            assert to not in table[before]
            assert now is before
        else:
            assert to in table[before]


@TABLES
def test_states_compare_by_value(states, table, move, start):
    """A module that was reloaded has states that are equal but not identical; they still work."""
    reloaded = StrEnum(states.__name__, {each.name: each.value for each in states})
    for now, to in product(states, states):
        foreign_now, foreign_to = reloaded(now.value), reloaded(to.value)
        if to in table[now]:
            assert move(foreign_now, foreign_to) is foreign_to
            assert move(now, foreign_to) == to
            assert move(foreign_now, to) == to
        else:
            with pytest.raises(IllegalMoveError):
                move(foreign_now, foreign_to)


@pytest.mark.parametrize(
    "history",
    [
        ["disconnected", "authenticating", "connecting", "connected", "disconnected"],
        ["disconnected", "connecting", "connected", "reconnecting", "connected", "failed"],
        ["disconnected", "authenticating", "failed", "authenticating", "connecting", "failed"],
        ["disconnected", "authenticating", "disconnected", "connecting", "disconnected"],
        ["connected", "reconnecting", "failed", "disconnected"],
    ],
)
def test_histories_of_the_protocol(history):
    """The histories of protocol section 9.1, and those with `reconnecting`, are legal."""
    for now, to in pairwise(history):
        advance(Status(now), Status(to))


@pytest.mark.parametrize(
    ("now", "to"),
    [
        ("disconnected", "connected"),
        ("disconnected", "reconnecting"),
        ("authenticating", "connected"),
        ("connecting", "reconnecting"),
        ("connected", "authenticating"),
        ("failed", "connected"),
    ],
)
def test_short_cuts_are_refused(now, to):
    """Only what was connecting is connected, and only what was connected reconnects."""
    with pytest.raises(IllegalMoveError, match=f"{now} -> {to}"):
        advance(Status(now), Status(to))


def test_stream_histories():
    """A stream starts, runs and ends; it may fail at any point; no state may be skipped."""
    for history in (
        ["none", "starting", "streaming", "ending", "none", "starting"],
        ["none", "starting", "none"],
        ["none", "starting", "streaming", "none"],
    ):
        for now, to in pairwise(history):
            advance_stream(StreamState(now), StreamState(to))
    for now, to in (("none", "streaming"), ("none", "ending"), ("starting", "ending")):
        with pytest.raises(IllegalMoveError):
            advance_stream(StreamState(now), StreamState(to))


def test_words_are_those_of_the_official_sdks():
    """The states are spelled as both SDKs spell them."""
    assert [str(each) for each in Status] == [
        "disconnected", "authenticating", "connecting", "connected", "reconnecting", "failed"
    ]  # fmt: skip


def test_states_are_no_words_for_other_things():
    """A state that does not exist is a mistake of its own, not an illegal move."""
    with pytest.raises(ValueError, match="flying"):
        advance("flying", Status.CONNECTED)
    with pytest.raises(IllegalMoveError):
        advance(Status.CONNECTED, "flying")
