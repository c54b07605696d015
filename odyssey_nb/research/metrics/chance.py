"""Whether what happens by chance happens as often as it should."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from odyssey_nb.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

DRAWS = 10_000


@dataclass(frozen=True, slots=True)
class Calibration:
    """How far outcomes are from what is expected of them.

    Attributes:
        distance: Total variation, half the sum of |share - probability|: 0 to 1.
        band: What a fair chance stays below in 95 of 100 cases, with as many trials.
        p: How often a fair chance is as far off, or farther.
        n: How many trials there were.
        shares: Of each outcome.
    """

    distance: float
    band: float
    p: float
    n: int
    shares: dict[Hashable, float]

    @property
    def fair(self) -> bool:
        """Whether nothing speaks against it; with few trials little can."""
        return self.distance <= self.band

    def __str__(self) -> str:
        return (
            f"total variation {self.distance:.3f}, a fair chance stays below {self.band:.3f} "
            f"(p = {self.p:.3g}, n = {self.n})"
        )


def calibration(
    counts: Mapping[Hashable, int],
    expected: Mapping[Hashable, float] | None = None,
    *,
    level: float = 0.95,
    seed: int = 0,
) -> Calibration:
    """Compare how often outcomes came with their probabilities.

    The null band is what total variation does in 10,000 draws of as many trials from `expected`.

    >>> metrics.calibration({"left": 31, "right": 9})

    Args:
        counts: How often each outcome came.
        expected: The probability of each, together 1; left out, all are equal.
        level: Of the null band.
        seed: Of its draws, which therefore are the same every time.

    Raises:
        UsageError: There are no trials, or `expected` does not fit them.
    """
    outcomes = list(expected or counts)
    odds = np.array(
        [(expected or dict.fromkeys(counts, 1 / len(counts)))[each] for each in outcomes]
    )
    n = sum(counts.values())
    if not n or min(counts.values()) < 0:
        raise UsageError("there are no trials", hint="Give how often each outcome came.")
    if set(counts) - set(outcomes) or abs(odds.sum() - 1) > 1e-6 or odds.min() < 0:
        raise UsageError(
            "the expected probabilities do not fit", hint="Give one for each outcome, together 1."
        )
    shares = np.array([counts.get(each, 0) for each in outcomes]) / n
    distance = float(np.abs(shares - odds).sum() / 2)
    drawn = np.random.default_rng(seed).multinomial(n, odds / odds.sum(), size=DRAWS) / n
    null = np.abs(drawn - odds).sum(axis=1) / 2
    return Calibration(
        distance=distance,
        band=float(np.quantile(null, level)),
        p=float((1 + np.count_nonzero(null >= distance - 1e-12)) / (1 + DRAWS)),
        n=n,
        shares=dict(zip(outcomes, shares.tolist(), strict=True)),
    )
