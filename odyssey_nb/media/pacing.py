"""When the next picture is due."""

from __future__ import annotations


class Pacer:
    """Even steps in time that never run after a backlog.

    Each step is due one period after the last was *due*, so that jitter does not add up; after a
    stall of more than `patience` periods the schedule starts anew from now instead of rushing.
    """

    def __init__(self, rate: float, *, now: float, patience: float = 2.0) -> None:
        self._period = 1 / rate
        self._patience = patience
        self._due = now

    def wait(self, now: float) -> float:
        """Return how long to wait for the next step, in seconds, and take that step."""
        self._due += self._period
        if now - self._due > self._patience * self._period:
            self._due = now
        return max(0.0, self._due - now)
