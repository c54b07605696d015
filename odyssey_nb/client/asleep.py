"""Notices that nothing ran for a while: the machine slept, or this process was stopped."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def ticks() -> float:
    """Return seconds on a clock that also counts while the machine sleeps, as `monotonic` may not.

    Linux has one of that name; macOS counts sleep in the clock that Linux calls monotonic.
    """
    clock = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))
    return time.time() if clock is None else time.clock_gettime(clock)


class Awake:
    """Tells gaps of more than `most` seconds between two looks, of which there are many."""

    def __init__(self, most: float, clock: Callable[[], float] = ticks) -> None:
        self._most, self._clock = most, clock
        self._looked = clock()

    def slept(self) -> float:
        """Look; return for how many seconds nobody did, 0 for as long as that is usual."""
        before, self._looked = self._looked, self._clock()
        gap = self._looked - before
        return gap if gap > self._most else 0.0
