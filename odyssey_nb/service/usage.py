"""What accounts have used, told from the rows of their streams and simulations."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import case, func, select, update

from odyssey_nb.service.database import StreamRow
from odyssey_nb.wire.usage import DayOfUse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from odyssey_nb.service.database import Database

DAY = timedelta(days=1)
SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Period:
    """What limits by the month count in: the calendar month, in UTC. `end` is the next's start."""

    start: datetime
    end: datetime

    @classmethod
    def of(cls, when: float) -> Period:
        """Return the month of a time in seconds since the epoch."""
        now = datetime.fromtimestamp(when, UTC)
        start = datetime(now.year, now.month, 1, tzinfo=UTC)
        return cls(start, (start + 31 * DAY).replace(day=1))


@dataclass(frozen=True, slots=True)
class Used:
    """What an account has used of a period, for each day of it up to today."""

    period: Period
    days: list[DayOfUse]

    @property
    def stream_hours(self) -> float:
        """Of streams."""
        return sum(each.stream_hours for each in self.days)

    @property
    def simulation_hours(self) -> float:
        """Of simulations."""
        return sum(each.simulation_hours for each in self.days)

    @property
    def seconds(self) -> float:
        """Of both together, which is what the month's limit counts."""
        return (self.stream_hours + self.simulation_hours) * SECONDS_PER_HOUR


class Ledger:
    """Usage by account. Calls block.

    A stream counts from its start to its end; one that runs, or whose service was killed, to when
    it was last seen. A simulation counts as long as its video, however fast it was made.
    """

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    def beat(self, stream_ids: Iterable[str]) -> None:
        """Note that these streams run now."""
        running = StreamRow.id.in_(list(stream_ids)), StreamRow.ended.is_(None)
        with self._database.begin() as session:
            session.execute(update(StreamRow).where(*running).values(last_seen=self._clock()))

    def used(self, account: str) -> Used:
        """Return what `account` has used of the month that it is."""
        now = self._clock()
        period = Period.of(now)
        simulated = case((StreamRow.kind == "simulation", StreamRow.started + StreamRow.duration))
        until = func.coalesce(simulated, StreamRow.ended, StreamRow.last_seen, StreamRow.started)
        rows = select(StreamRow.kind, StreamRow.started, until).where(
            StreamRow.account == account,
            StreamRow.started < period.end.timestamp(),
            until > period.start.timestamp(),
        )
        today = datetime.fromtimestamp(now, UTC)
        days = (today.date() - period.start.date()).days + 1
        dates = [(period.start + number * DAY).date() for number in range(days)]
        seconds = {kind: dict.fromkeys(dates, 0.0) for kind in ("stream", "simulation")}
        with self._database.begin() as session:
            for kind, started, ended in session.execute(rows):
                for day, part in _by_day(started, ended):
                    if day in seconds[kind]:
                        seconds[kind][day] += part
        return Used(
            period,
            [
                DayOfUse(
                    date=day.isoformat(),
                    stream_hours=seconds["stream"][day] / SECONDS_PER_HOUR,
                    simulation_hours=seconds["simulation"][day] / SECONDS_PER_HOUR,
                )
                for day in dates
            ],
        )


def _by_day(start: float, end: float) -> Iterator[tuple[date, float]]:
    """Split the time from `start` to `end` at midnight (UTC); yield days and their seconds."""
    while start < end:
        day = datetime.fromtimestamp(start, UTC).date()
        midnight = datetime(day.year, day.month, day.day, tzinfo=UTC) + DAY
        part = min(end, midnight.timestamp())
        yield day, part - start
        start = part
