"""How often somebody may ask, under a clock that the test holds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odyssey_nb.service import rates
from odyssey_nb.service.rates import BURST_SECONDS, Rates


def test_a_burst_then_the_rate() -> None:
    """What was saved up is spent at once; then each request waits for its turn, and no longer."""
    now = 0.0
    limit = Rates(2, clock=lambda: now)
    saved = int(2 * BURST_SECONDS)
    assert [limit.take("a") for _ in range(saved)] == [0.0] * saved
    wait = limit.take("a")
    assert wait == pytest.approx(0.5)
    assert limit.take("a") == wait, "asking in vain costs nothing"
    assert limit.take("b") == 0.0, "others have rates of their own"
    now += wait
    assert limit.take("a") == 0.0
    assert limit.take("a") > 0


def test_less_than_one_request_in_a_burst() -> None:
    """However low the rate is, the first request goes through."""
    now = 0.0
    limit = Rates(0.01, clock=lambda: now)
    assert limit.take("a") == 0.0
    assert limit.take("a") == pytest.approx(100)


@given(
    st.floats(0.5, 50),
    st.lists(st.tuples(st.floats(0, 3), st.integers(1, 30)), max_size=30),
)
def test_never_more_than_rate_and_burst(
    per_second: float, requests: list[tuple[float, int]]
) -> None:
    """However requests come, no more get through than the rate and one burst allow."""
    now = 0.0
    limit = Rates(per_second, clock=lambda: now)
    through = 0
    for pause, count in requests:
        now += pause
        through += sum(limit.take("a") == 0.0 for _ in range(count))
    assert through <= per_second * (now + BURST_SECONDS) + 1e-6


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond so many, whoever has asked least lately is forgotten, and may burst again."""
    monkeypatch.setattr(rates, "MOST_KNOWN", 2)
    now = 0.0
    limit = Rates(0.1, clock=lambda: now)
    for who in ("a", "b", "a", "c"):
        limit.take(who)
    assert limit.take("a") > 0
    assert limit.take("c") > 0
    assert limit.take("b") == 0.0
