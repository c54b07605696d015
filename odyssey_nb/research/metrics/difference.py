"""How far two groups of repeats are apart: A against B."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from odyssey_nb.errors import UsageError
from odyssey_nb.research.metrics.series import student

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

DRAWS = 10_000
METHODS = ("welch", "bootstrap")


@dataclass(frozen=True, slots=True)
class Difference:
    """The mean of B minus that of A, and where it is with so much confidence.

    Attributes:
        mean: In the unit of the values, as are `low` and `high`, the ends of its interval.
        effect: Hedges' g (Hedges 1981, equation 6e): the difference in standard deviations, made
            smaller by as much as few repeats overstate it; 0.2 is small, 0.5 medium, 0.8 large
            (Cohen 1988). Infinite where nothing varies but the groups.
        n: How many repeats A and B have.
        level: Of confidence, between 0 and 1.
        method: "welch" or "bootstrap".
    """

    mean: float
    low: float
    high: float
    effect: float
    n: tuple[int, int]
    level: float = 0.95
    method: str = "welch"

    @property
    def clear(self) -> bool:
        """Whether its interval leaves out 0."""
        return self.low > 0 or self.high < 0

    def __str__(self) -> str:
        return (
            f"{self.mean:+.3g} ({self.low:+.3g} to {self.high:+.3g}, {self.level:.0%}), "
            f"g = {self.effect:.2f}, n = {self.n[0]} and {self.n[1]}"
        )


def difference(
    a: Sequence[float],
    b: Sequence[float],
    *,
    level: float = 0.95,
    method: str = "welch",
    seed: int = 0,
) -> Difference:
    """Compare two groups of independent repeats: the mean of `b` minus the mean of `a`.

    Welch's interval (Welch 1947) holds for means that are about normal, also where the groups vary
    differently. The bootstrap (Efron 1979, percentiles of 10,000 draws) asks for no shape, but for
    some ten repeats at least: with few it is too narrow.

    >>> metrics.difference(calm, stormy)  # a figure of each repeat

    Args:
        a: Values of the one group, two or more.
        b: Values of the other.
        level: Of confidence, between 0 and 1.
        method: "welch" or "bootstrap".
        seed: Of the bootstrap's draws, which therefore are the same every time.

    Raises:
        UsageError: A group has fewer than two values, or one that is no number.
    """
    one, other = (_values(each, name) for each, name in ((a, "the first"), (b, "the second")))
    if method not in METHODS:
        raise UsageError(f"there is no method {method!r}", hint=f"Known: {', '.join(METHODS)}.")
    if not 0 < level < 1:
        raise UsageError(f"level is between 0 and 1, not {level}", hint="Write level=0.95.")
    mean = float(other.mean() - one.mean())
    low, high = (
        _welch(one, other, mean, level)
        if method == "welch"
        else _bootstrap(one, other, level, np.random.default_rng(seed))
    )
    n = len(one), len(other)
    return Difference(mean, low, high, _effect(one, other, mean), n, level, method)


def _values(given: Sequence[float], name: str) -> NDArray[np.float64]:
    try:
        values = np.asarray(list(given), np.float64)
    except (TypeError, ValueError):
        values = np.array([np.nan])
    if values.ndim != 1 or len(values) < 2 or not np.isfinite(values).all():
        raise UsageError(
            f"{name} group is no list of two or more numbers", hint="Give a figure of each repeat."
        )
    return values


def _welch(
    one: NDArray[np.float64], other: NDArray[np.float64], mean: float, level: float
) -> tuple[float, float]:
    shares = [float(each.var(ddof=1)) / len(each) for each in (one, other)]
    if not sum(shares):
        return mean, mean
    freedom = sum(shares) ** 2 / sum(
        share**2 / (len(each) - 1) for share, each in zip(shares, (one, other), strict=True)
    )
    reach = student(freedom, level) * sum(shares) ** 0.5
    return mean - reach, mean + reach


def _bootstrap(
    one: NDArray[np.float64],
    other: NDArray[np.float64],
    level: float,
    rng: np.random.Generator,
) -> tuple[float, float]:
    ours, theirs = (rng.choice(each, size=(DRAWS, len(each))).mean(axis=1) for each in (one, other))
    low, high = np.quantile(theirs - ours, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _effect(one: NDArray[np.float64], other: NDArray[np.float64], mean: float) -> float:
    freedom = len(one) + len(other) - 2
    spread = sum(float(each.var(ddof=1)) * (len(each) - 1) for each in (one, other)) / freedom
    if not spread:
        return float(np.copysign(np.inf, mean)) if mean else 0.0
    return float(mean / spread**0.5 * (1 - 3 / (4 * freedom - 1)))
