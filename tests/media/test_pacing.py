"""Steps are even in the long run, and never rush after a stall."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from odyssey_nb.media.pacing import Pacer

RATE = 20.0
PERIOD = 1 / RATE
PATIENCE = 2.0

works = st.lists(st.floats(0, 8 * PERIOD), min_size=1, max_size=60)


def run(works: list[float], *, begin: float = 100.0, late: float = 0.0) -> list[float]:
    """Return when the steps happen if step n is followed by `works[n]` seconds of work."""
    now, steps = begin, []
    pacer = Pacer(RATE, now=begin, patience=PATIENCE)
    for work in works:
        now += pacer.wait(now) + late
        steps.append(now)
        now += work
    return steps


def test_even_steps():
    """With work that takes less than a period, steps come every period, the first after one."""
    steps = run([0.4 * PERIOD, 0.9 * PERIOD, 0.0, 0.99 * PERIOD] * 25)
    assert steps == pytest.approx([100 + PERIOD * n for n in range(1, 101)])


def test_lateness_does_not_add_up():
    """A sleep that always returns a little late delays each step once, not all the later ones."""
    steps = run([0.5 * PERIOD] * 200, late=0.004)
    assert steps[-1] - steps[0] == pytest.approx(199 * PERIOD, abs=0.004)


def test_short_hiccup_is_made_up_for():
    """One late step, within the patience, is followed by shorter waits until the schedule holds."""
    steps = run([0.0, 2.2 * PERIOD, 0.0, 0.0, 0.0, 0.0])
    assert steps[-1] == pytest.approx(100 + 6 * PERIOD)
    assert steps[2] == pytest.approx(steps[1] + 2.2 * PERIOD)


def test_stall_starts_anew():
    """After a long stall the next step is at once and the schedule goes on from there."""
    steps = run([0.0, 10.0, 0.0, 0.0, 0.0])
    stalled = 100 + 2 * PERIOD + 10
    assert steps[2:] == pytest.approx([stalled, stalled + PERIOD, stalled + 2 * PERIOD])


@settings(max_examples=100, deadline=None)
@given(works=works)
def test_never_runs_after_a_backlog(works):
    """In no stretch of time are there more steps than its periods and the patience allow."""
    steps = run(works)
    for first in range(len(steps)):
        for last in range(first, len(steps)):
            allowed = (steps[last] - steps[first]) / PERIOD + PATIENCE + 2
            assert last - first + 1 <= allowed + 1e-6


@settings(max_examples=100, deadline=None)
@given(works=works)
def test_waits_are_short_and_never_negative(works):
    """No wait is negative or longer than a period, and none follows work that took too long."""
    now = 100.0
    pacer = Pacer(RATE, now=now, patience=PATIENCE)
    for work in works:
        wait = pacer.wait(now)
        assert 0 <= wait <= PERIOD + 1e-9
        now += wait + work


@settings(max_examples=50, deadline=None)
@given(rate=st.floats(1, 120), count=st.integers(1, 50))
def test_any_rate(rate, count):
    """Without work, `count` steps take `count` periods of that rate."""
    pacer, now = Pacer(rate, now=0.0), 0.0
    for _ in range(count):
        now += pacer.wait(now)
    assert now == pytest.approx(count / rate)
