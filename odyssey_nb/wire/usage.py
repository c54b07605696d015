"""What an account has used, as ``GET /usage`` tells it. Our own addition to the protocol."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class DayOfUse:
    """One day (UTC, ``YYYY-MM-DD``) of a period, in hours."""

    date: str
    stream_hours: float
    simulation_hours: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """The three figures of the account page (protocol section 8), and how they came about.

    `stream_hours` and `simulation_hours` are those of the period, which is the calendar month in
    UTC; its ends are ISO 8601. A limit that is None does not exist.
    """

    concurrent_streams: int
    concurrent_limit: int
    stream_hours: float
    simulation_hours: float
    period_start: str
    period_end: str
    monthly_hours: float | None = None
    waiting_simulations: int = 0
    simulation_queue: int = 10
    suspended: str | None = None
    days: list[DayOfUse] = field(default_factory=list)
