"""The bitrate under reports of all kinds, on a clock of the test's own."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from odyssey_nb.media.congestion import (
    GROWTH,
    LEAST,
    LITTLE_LOSS,
    MUCH_LOSS,
    NARROW,
    NARROW_SECONDS,
    QUEUE_SECONDS,
    SILENCE_SECONDS,
    WIDE,
    WIDE_SECONDS,
    BitrateController,
)

CEILING = 3_000_000


class Line:
    """A controller and its clock; `second` sends what the bitrate allows, and reports."""

    def __init__(self) -> None:
        self.now = 100.0
        self.control = BitrateController(CEILING, lambda: self.now)

    def second(self, lost: float = 0, trip: float | None = None, *, share: float = 1) -> int:
        """Pass a second in which a `share` of the bitrate is used; return the new one."""
        for _ in range(20):
            self.now += 0.05
            self.control.sent(round(self.control.bitrate * share / 20 / 8))
        self.control.reported(lost, trip)
        return self.control.bitrate


@given(
    reports=st.lists(
        st.tuples(st.floats(0, 10), st.floats(0, 1), st.none() | st.floats(0, 5), st.integers(0))
    )
)
def test_any_reports(reports: list[tuple[float, float, float | None, int]]) -> None:
    """The bitrate stays within its bounds, and each report moves it the way it must."""
    line = Line()
    for passed, lost, trip, estimate in reports:
        line.now += passed
        before = line.control.bitrate
        line.control.reported(lost, trip)
        after = line.control.bitrate
        assert LEAST <= after <= CEILING
        if lost < LITTLE_LOSS:
            assert before <= after <= before * GROWTH ** min(passed, SILENCE_SECONDS) + 1
        elif lost <= MUCH_LOSS:
            assert after == before
        else:
            assert before * (1 - lost / 2) - 1 <= after <= before or after == LEAST
        line.control.estimated(estimate)
        assert LEAST <= line.control.bitrate <= after


def test_a_narrow_line() -> None:
    """At a line of 1 Mbit/s, which loses what is more, the bitrate settles around what it takes."""
    line, capacity, settled = Line(), 1_000_000, []
    for second in range(60):
        bitrate = line.control.bitrate
        line.second(lost=max(0.0, 1 - capacity / bitrate))
        if second >= 10:
            settled.append(line.control.bitrate)
    assert 0.8 * capacity < min(settled)
    assert max(settled) < 1.2 * capacity
    assert not line.control.is_narrow
    spent = next(second for second in range(60) if line.second() == CEILING)
    assert spent < 20, "it recovers"


def test_reports_in_a_burst() -> None:
    """Losses that several reports tell of at once are answered once."""
    line = Line()
    line.second()
    for _ in range(5):
        line.control.reported(0.4)
    assert line.control.bitrate == CEILING * 0.8


def test_estimates() -> None:
    """An estimate counts where losses or the round trip bear it out, and below what is sent."""
    line = Line()
    line.second(trip=0.02)
    line.control.estimated(500_000)
    assert line.control.bitrate == CEILING, "only the estimate complains: a busy machine"
    line.second(trip=0.03 + QUEUE_SECONDS)
    line.control.estimated(2_000_000)
    assert line.control.bitrate == 2_000_000
    line.second(lost=0.05)
    line.control.estimated(1_500_000)
    assert line.control.bitrate == 1_500_000
    line.second(lost=0.05, share=0.1)
    line.second(lost=0.05, share=0.1)
    line.control.estimated(1_000_000)
    assert line.control.bitrate == 1_500_000, "it is more than what is sent"


def test_a_line_too_narrow_for_every_picture() -> None:
    """It is called narrow when the bitrate stays low, and wide again when it stays high."""
    line = Line()
    while line.second(lost=0.3) >= NARROW:
        assert not line.control.is_narrow
    since = line.now
    while not line.control.is_narrow:
        line.second(lost=0.05)
    assert line.now - since >= NARROW_SECONDS - 0.1
    while line.second() < WIDE:
        assert line.control.is_narrow
    since = line.now
    line.second(lost=0.5)
    assert line.control.bitrate < WIDE, "a moment is not enough"
    while line.control.is_narrow:
        line.second()
    assert line.now - since >= WIDE_SECONDS
