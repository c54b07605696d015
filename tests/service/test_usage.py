"""Usage told from rows, under a clock that the test holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from odyssey_nb.service.database import Database, StreamRow
from odyssey_nb.service.limits import Limits
from odyssey_nb.service.recordings import Recordings
from odyssey_nb.service.storage import Storage
from odyssey_nb.service.usage import Ledger, Period

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC).timestamp()
HOUR = 3600.0
_NUMBERS = count()


@dataclass
class Book:
    """A ledger and the rows that it tells from."""

    database: Database
    now: float = NOW

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.database, clock=lambda: self.now)

    def ran(
        self,
        started: float,
        ended: float | None,
        *,
        account: str = "a",
        kind: str = "stream",
        last_seen: float | None = None,
    ) -> str:
        """Enter a stream, and return its id."""
        row = StreamRow(
            id=f"stream-{next(_NUMBERS)}", account=account, session_id="s", width=2, height=2,
            started=started, ended=ended, kind=kind, last_seen=last_seen,
        )  # fmt: skip
        with self.database.begin() as session:
            session.add(row)
        return row.id


@pytest.fixture
def book(database_url: str) -> Iterator[Book]:
    """An empty book, on 3 March at noon."""
    with Database.open(database_url) as database:
        yield Book(database)


def at(day: int, hour: float, month: int = 3) -> float:
    """Return a time of 2026."""
    return datetime(2026, month, day, tzinfo=UTC).timestamp() + hour * HOUR


def test_the_period_is_the_month() -> None:
    """It ends where the next begins, at the year's end too."""
    period = Period.of(NOW)
    assert period == Period.of(period.start.timestamp())
    assert period == Period.of(period.end.timestamp() - 0.001)
    assert period.end.isoformat() == "2026-04-01T00:00:00+00:00"
    assert Period.of(at(31, 23.9, month=12)).end.isoformat() == "2027-01-01T00:00:00+00:00"


def test_by_day_and_kind(book: Book) -> None:
    """Streams and simulations are told apart, and split at midnight; others' do not count."""
    book.ran(at(1, 23), at(2, 2))
    book.ran(at(2, 4), at(2, 4.5), kind="simulation")
    book.ran(at(2, 5), at(2, 9), account="b")
    used = book.ledger.used("a")
    assert [each.date for each in used.days] == ["2026-03-01", "2026-03-02", "2026-03-03"]
    assert [each.stream_hours for each in used.days] == [1, 2, 0]
    assert [each.simulation_hours for each in used.days] == [0, 0.5, 0]
    assert (used.stream_hours, used.simulation_hours, used.seconds) == (3, 0.5, 3.5 * HOUR)


def test_the_edge_of_the_month(book: Book) -> None:
    """What crosses it counts in each month with its part, and what was before not at all."""
    book.ran(at(28, 23, month=2), at(1, 1))
    book.ran(at(20, 0, month=2), at(20, 5, month=2))
    assert book.ledger.used("a").stream_hours == 1
    book.now = at(28, 23.5, month=2)
    assert book.ledger.used("a").stream_hours == 6


def test_a_crash_costs_one_beat(book: Book) -> None:
    """What runs counts up to its last beat, and a beat is no end."""
    stream = book.ran(at(3, 11), None, last_seen=at(3, 11))
    over = book.ran(at(3, 9), at(3, 10))
    assert book.ledger.used("a").stream_hours == 1
    book.ledger.beat([stream, over])
    assert book.ledger.used("a").stream_hours == 2
    book.now += HOUR
    assert book.ledger.used("a").stream_hours == 2


async def test_a_killed_service_keeps_its_streams_hours(book: Book, tmp_path: Path) -> None:
    """What ran when it was killed ended when it was last seen, whatever its recording holds."""
    stream = book.ran(at(3, 10), None, last_seen=at(3, 11))
    storage = Storage(tmp_path / "media", "secret")
    async with Recordings.open(book.database, storage, Limits(), clock=lambda: book.now):
        pass
    with book.database.begin() as session:
        row = session.get_one(StreamRow, stream)
        assert (row.ended, row.state) == (at(3, 11), "lost")
    assert book.ledger.used("a").stream_hours == 1


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(st.floats(0, 59.9), st.floats(0, 40)), max_size=5))
def test_no_second_is_lost_or_counted_twice(book: Book, streams: list[tuple[float, float]]) -> None:
    """However streams lie over the days, the month's are the sum of what lies within it."""
    account = f"account-{next(_NUMBERS)}"
    for start, hours in streams:
        book.ran(at(1, start), at(1, min(start + hours, 60)), account=account)
    used = book.ledger.used(account)
    assert used.stream_hours == pytest.approx(
        sum(min(start + hours, 60) - start for start, hours in streams), abs=1e-6
    )
    assert all(0 <= each.stream_hours <= 24 * max(1, len(streams)) for each in used.days)
