"""The window in time that bounds what is on its way to a view."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odyssey_nb.widgets.transport import (
    GIVE_UP_SECONDS,
    MOST_SECONDS,
    OUTSTANDING_SECONDS,
    Window,
)


def open_window() -> Window:
    """A window with one visible view."""
    window = Window()
    window.show("a", visible=True)
    return window


def test_nothing_is_sent_to_nobody() -> None:
    """Without a visible view no picture is admitted."""
    window = Window()
    assert not window.admit(1, 1, 0.0)
    window.show("a", visible=True)
    assert window.admit(1, 1, 0.0)
    window.show("a", visible=False)
    assert not window.admit(1, 2, 0.1)


def test_sending_stops_half_a_second_after_the_oldest_unpainted_picture() -> None:
    """Late acknowledgements stop the flow, and one that covers what was sent starts it again."""
    window = open_window()
    sent = [n for n in range(1, 40) if window.admit(1, n, n * 0.05)]
    assert sent == list(range(1, 12)), "0.5 s at 20 pictures per second, and the one at its edge"
    assert window.stalled
    assert not window.acknowledge(1, 5, 2.0), "half of it is still under way"
    assert window.acknowledge(1, 11, 2.1)
    assert window.admit(1, 40, 2.2)


def test_what_is_never_acknowledged_counts_as_lost() -> None:
    """After two seconds any acknowledgement starts the flow again."""
    window = open_window()
    window.admit(1, 1, 0.0)
    assert not window.admit(1, 2, OUTSTANDING_SECONDS + 0.1)
    assert not window.acknowledge(1, 0, 1.0)
    assert window.acknowledge(1, 0, OUTSTANDING_SECONDS + 0.1 + GIVE_UP_SECONDS)


def test_the_newest_acknowledgement_of_any_view_counts() -> None:
    """A slow second view does not hold the first one up."""
    window = open_window()
    window.show("b", visible=True)
    for n in range(1, 100):
        assert window.admit(1, n, n * 0.05)
        window.acknowledge(1, n, n * 0.05 + 0.01)
        window.acknowledge(1, max(0, n - 50), n * 0.05 + 0.02)


@pytest.mark.parametrize("round_trip", [0.02, 0.3, 0.6, 1.0])
def test_a_page_far_away_gets_every_picture(round_trip: float) -> None:
    """The window grows with the page's distance, so a minute brings no stall after the first."""
    window = open_window()
    under_way: list[tuple[float, int]] = []
    stalled = []
    for tick in range(20 * 60):
        now = tick * 0.05
        if tick % 5 == 0:  # one acknowledgement every 250 ms
            painted = [seq for sent, seq in under_way if sent + round_trip <= now]
            if painted:
                window.acknowledge(1, painted[-1], now)
                under_way = [each for each in under_way if each[1] > painted[-1]]
            elif window.stalled:
                window.acknowledge(1, 0, now)
        if window.admit(1, tick + 1, now):
            under_way.append((now, tick + 1))
        else:
            stalled.append(now)
    assert all(moment < 5 for moment in stalled), stalled
    assert window.allowed <= MOST_SECONDS


@given(st.lists(st.tuples(st.floats(0.0, 0.3), st.integers(0, 30), st.booleans()), max_size=200))
def test_never_more_than_the_window_is_under_way(steps: list[tuple[float, int, bool]]) -> None:
    """Whatever the acknowledgements do, no admitted picture is older than the window allows."""
    window, now, waiting = open_window(), 0.0, []
    for seq, (passed, behind, acknowledges) in enumerate(steps, 1):
        now += passed
        if window.admit(1, seq, now):
            waiting.append((seq, now))
            assert now - waiting[0][1] <= window.allowed <= MOST_SECONDS
        if acknowledges:
            painted = max(0, seq - behind)
            if window.acknowledge(1, painted, now):
                waiting.clear()
            waiting = [each for each in waiting if each[0] > painted]
