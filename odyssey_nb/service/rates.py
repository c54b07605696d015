"""How often somebody may ask: a steady rate, and bursts of what was not used of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

BURST_SECONDS = 10.0  # how long a burst saves up
MOST_KNOWN = 10_000  # whoever has asked least lately is forgotten beyond them


class Rates:
    """Who has asked lately. For each it is enough to know when all of it will be forgiven."""

    def __init__(self, per_second: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._cost = 1 / per_second
        self._clock = clock
        self._forgiven: dict[str, float] = {}

    def take(self, who: str) -> float:
        """Count a request of `who`; return 0, or for how many seconds there may be none."""
        now = self._clock()
        forgiven = max(now, self._forgiven.pop(who, now)) + self._cost
        wait = forgiven - now - max(BURST_SECONDS, self._cost)
        if wait > 0:
            self._forgiven[who] = forgiven - self._cost
            return wait
        self._forgiven[who] = forgiven
        if len(self._forgiven) > MOST_KNOWN:
            del self._forgiven[next(iter(self._forgiven))]
        return 0.0
