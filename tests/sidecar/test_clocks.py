"""When what ends, as the events of a connection say it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from odyssey_nb.sidecar.clocks import Clocks
from odyssey_nb.wire.link import SessionGranted, StatusChanged, StreamChanged

if TYPE_CHECKING:
    from odyssey_nb.wire.link import Event

GRANTED = SessionGranted(
    connection="a", session_id="1", stream_seconds=150, connection_seconds=3600, idle_seconds=900
)


class Story:
    """Clocks that follow events at the times that a test says."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.clocks = Clocks("a", time=lambda: self.time)

    def at(self, time: float, event: Event) -> tuple[float, float, float, float]:
        """Let `event` come at `time`; return when the stream, the connection, and idling end."""
        self.time = time
        self.clocks.follow(event)
        now = self.clocks.now
        return now.stream_ends, now.connection_ends, now.idle_since, now.idle_ends


def streaming(number: int, *, stream_id: str = "an id") -> StreamChanged:
    """A stream has begun; without an id, it has taken a prompt."""
    return StreamChanged(connection="a", stream=number, state="streaming", stream_id=stream_id)


def none(number: int) -> StreamChanged:
    """A stream has ended."""
    return StreamChanged(connection="a", stream=number, state="none")


def test_a_connection_and_its_streams_end_in_turn() -> None:
    """Without a stream it may idle; each stream has its own end; the connection's stays."""
    story = Story()
    assert story.at(1000, GRANTED) == (0, 4600, 1000, 1900)
    assert story.at(1100, streaming(1)) == (1250, 4600, 0, 0)
    assert story.at(1150, streaming(1, stream_id="")) == (1250, 4600, 0, 0)
    assert story.at(1250, none(1)) == (0, 4600, 1250, 2150)
    assert story.at(2000, streaming(2)) == (2150, 4600, 0, 0)


def test_another_session_begins_anew() -> None:
    """One that takes a lost one's place has all its time, and no stream yet."""
    story = Story()
    story.at(1000, GRANTED)
    story.at(1100, streaming(1))
    assert story.at(3000, GRANTED) == (0, 6600, 3000, 3900)


@pytest.mark.parametrize("status", ["failed", "disconnected"])
def test_nothing_ends_where_nothing_is_held(status: str) -> None:
    """A connection that is over has no clocks; one that is being repaired keeps them."""
    story = Story()
    story.at(1000, GRANTED)
    clocks = story.at(1100, streaming(1))
    assert story.at(1200, StatusChanged(connection="a", status="reconnecting")) == clocks
    assert story.at(1200, StatusChanged(connection="a", status=status)) == (0, 0, 0, 0)
