"""The tables: made once, kept, and not opened by a version that does not know them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select, text

from odyssey_nb.errors import SettingError
from odyssey_nb.service.database import SCHEMA, Database, SchemaRow, StreamRow, sqlite_url
from odyssey_nb.service.directory import owned
from tests.service.running import run_to_end

if TYPE_CHECKING:
    from pathlib import Path


def row(number: int) -> StreamRow:
    """Return a stream."""
    return StreamRow(
        id=f"stream-{number}", account="a", session_id="s", width=2, height=2, started=float(number)
    )


def test_rows_outlive_the_database(tmp_path: Path) -> None:
    """What was committed is there when it is opened again, and a failed block leaves nothing."""
    with Database.open(sqlite_url(tmp_path)) as database:
        with database.begin() as session:
            session.add(row(1))
        with pytest.raises(RuntimeError), database.begin() as session:
            session.add(row(2))
            session.flush()
            raise RuntimeError
    with Database.open(sqlite_url(tmp_path)) as database, database.begin() as session:
        assert session.scalars(select(StreamRow.id)).all() == ["stream-1"]
        assert session.scalars(select(SchemaRow.version)).all() == [SCHEMA]
        assert session.execute(text("PRAGMA journal_mode")).scalar() == "wal"


def test_threads_write_at_once(tmp_path: Path) -> None:
    """Writers wait for each other; none fails and nothing is lost."""
    with Database.open(sqlite_url(tmp_path)) as database:

        def write(number: int) -> None:
            with database.begin() as session:
                count = session.scalar(select(func.count()).select_from(StreamRow))
                assert count is not None
                session.add(row(number))

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(write, range(60)))
        with database.begin() as session:
            assert session.scalar(select(func.count()).select_from(StreamRow)) == 60


def test_a_newer_schema_is_left_alone(tmp_path: Path) -> None:
    """An older version of the package says what to do instead of guessing."""
    url = sqlite_url(tmp_path)
    with Database.open(url) as database, database.begin() as session:
        session.add(SchemaRow(version=SCHEMA + 1))
    with pytest.raises(SettingError, match="schema"), Database.open(url):
        pass


@pytest.mark.parametrize("url", ["nonsense", "sqlite:////nowhere/at/all.db", "mystery://host/db"])
def test_a_database_that_cannot_be_opened(url: str) -> None:
    """It is one typed line, whatever the library says."""
    with pytest.raises(SettingError) as caught, Database.open(url):
        pass
    assert "\n" not in str(caught.value)


def test_one_service_to_a_directory(tmp_path: Path) -> None:
    """A second service on the same directory refuses in one line that names the first."""
    with owned(tmp_path):
        done = run_to_end(tmp_path, "--port", "0")
    assert done.returncode == 1
    assert "already" in done.stderr
    assert "--data-dir" in done.stderr
    assert done.stderr.count("\n") == 1
