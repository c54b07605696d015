"""The tables: made once, kept, and not opened by a version that does not know them."""

from __future__ import annotations

import re
import traceback
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from urllib.error import HTTPError

import pytest
from sqlalchemy import func, inspect, select, text
from sqlalchemy.exc import IntegrityError

from odyssey_nb.errors import SettingError
from odyssey_nb.service.database import Database, SchemaRow, StreamRow, sqlite_url
from odyssey_nb.service.directory import owned
from odyssey_nb.service.engine import make_engine
from odyssey_nb.service.migrations import SCHEMA, STEPS
from tests.conftest import API_KEY, wait_until
from tests.service.raw_client import RawClient
from tests.service.running import is_ready, run_to_end, running

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.service.postgres import Postgres


def row(number: int) -> StreamRow:
    """Return a stream."""
    return StreamRow(
        id=f"stream-{number}", account="a", session_id="s", width=2, height=2, started=float(number)
    )


def test_rows_outlive_the_database(database_url: str) -> None:
    """What was committed is there when it is opened again, and a failed block leaves nothing."""
    with Database.open(database_url) as database:
        with database.begin() as session:
            session.add(row(1))
        with pytest.raises(RuntimeError), database.begin() as session:
            session.add(row(2))
            session.flush()
            raise RuntimeError
    with Database.open(database_url) as database, database.begin() as session:
        assert session.scalars(select(StreamRow.id)).all() == ["stream-1"]
        assert session.scalars(select(SchemaRow.version)).all() == [SCHEMA]


def test_sqlite_is_read_while_it_is_written(tmp_path: Path) -> None:
    """It writes ahead, so that a killed process leaves it whole and readers do not wait."""
    with Database.open(sqlite_url(tmp_path)) as database, database.begin() as session:
        assert session.execute(text("PRAGMA journal_mode")).scalar() == "wal"


def test_threads_write_at_once(database_url: str) -> None:
    """Writers wait for each other: none fails, and none reads what another is about to change."""
    with Database.open(database_url) as database:

        def write(_: int) -> None:
            with database.begin() as session:
                count = session.scalar(select(func.count()).select_from(StreamRow))
                assert count is not None
                session.add(row(count))

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(write, range(60)))
        with database.begin() as session:
            assert session.scalar(select(func.count()).select_from(StreamRow)) == 60


def test_a_newer_schema_is_left_alone(database_url: str) -> None:
    """An older version of the package says what to do instead of guessing."""
    with Database.open(database_url) as database, database.begin() as session:
        session.add(SchemaRow(version=SCHEMA + 1))
    with pytest.raises(SettingError, match="schema"), Database.open(database_url):
        pass


# What the first version made.
SCHEMA_1 = (
    """CREATE TABLE streams (
        id VARCHAR NOT NULL, account VARCHAR NOT NULL, session_id VARCHAR NOT NULL,
        width INTEGER NOT NULL, height INTEGER NOT NULL, started FLOAT NOT NULL, ended FLOAT,
        reason VARCHAR, frame_count INTEGER, duration FLOAT, size INTEGER NOT NULL,
        state VARCHAR NOT NULL, PRIMARY KEY (id))""",
    "CREATE INDEX ix_streams_account ON streams (account)",
    "CREATE INDEX ix_streams_started ON streams (started)",
    "INSERT INTO schema_version VALUES (1)",
    """INSERT INTO streams
        VALUES ('old', 'a', 's', 2, 2, 1.5, 2.5, 'client', 20, 1.0, 9, 'ready')""",
)


def make_first(url: str) -> None:
    """Make what the first version made."""
    engine = make_engine(url)
    with engine.begin() as connection:
        SchemaRow.metadata.tables["schema_version"].create(connection)  # it stays as it is
        for statement in SCHEMA_1:
            connection.exec_driver_sql(statement)
    engine.dispose()


def shape(url: str) -> dict[str, object]:
    """Return everything that a database's tables consist of."""
    engine = make_engine(url)
    found = inspect(engine)

    def columns(table: str) -> dict[str, object]:
        # SQLAlchemy 2.1 says DOUBLE where 2.0 says FLOAT; both have eight bytes.
        return {
            each["name"]: (
                re.sub("DOUBLE.*", "FLOAT", str(each["type"])), each["nullable"], each["default"]
            )
            for each in found.get_columns(table)
        }  # fmt: skip

    tables = {
        table: (
            columns(table),
            sorted((each["name"], *each["column_names"]) for each in found.get_indexes(table)),
            sorted(str(each["column_names"]) for each in found.get_unique_constraints(table)),
            sorted(str(each["constrained_columns"]) for each in found.get_foreign_keys(table)),
            found.get_pk_constraint(table)["constrained_columns"],
        )
        for table in found.get_table_names()
    }
    engine.dispose()
    return tables


def test_the_first_schema_becomes_the_newest(new_database: Callable[[], str]) -> None:
    """A database of the first version ends up exactly as a new one, and keeps what it holds."""
    old, new = new_database(), new_database()
    make_first(old)
    for _ in range(2):
        with Database.open(old) as database, database.begin() as session:
            (stream,) = session.scalars(select(StreamRow)).all()
            assert (stream.id, stream.kind, stream.last_seen) == ("old", "stream", None)
            assert session.scalars(select(SchemaRow.version)).all() == [SCHEMA]
    with Database.open(new):
        pass
    assert shape(old) == shape(new)


def test_a_migration_that_fails_changes_nothing(
    new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a migration would be neither version; the next attempt finds the old one."""
    url = new_database()
    make_first(url)
    before = shape(url)
    with monkeypatch.context() as patch:
        patch.setitem(STEPS, 1, (*STEPS[1], "ALTER TABLE nothing ADD COLUMN more FLOAT"))
        with pytest.raises(SettingError, match="opened"), Database.open(url):
            pass
    assert shape(url) == before
    with Database.open(url):
        pass


@pytest.mark.parametrize(
    "url",
    [
        "nonsense with pass word", "sqlite:////nowhere/at/all.db", "mystery://u:pass word@host/db",
        "postgresql://u:pass word@host:port/db", "postgresql://u:pass word@127.0.0.1:1/db",
    ],
)  # fmt: skip
def test_a_database_that_cannot_be_opened(url: str) -> None:
    """It is one typed line without the URL, whatever the library says."""
    with pytest.raises(SettingError) as caught, Database.open(url):
        pass
    said = "".join(traceback.format_exception(caught.value))
    assert "\n" not in caught.value.one_line()
    assert "pass word" not in said


def test_errors_show_no_data(database_url: str) -> None:
    """What a row was to hold is in no error, since errors are logged."""
    with Database.open(database_url) as database:
        with database.begin() as session:
            session.add(row(1))
        with pytest.raises(IntegrityError) as caught, database.begin() as session:
            session.add(row(1))
        assert "account" in str(caught.value)
        assert "'a'" not in str(caught.value)


def test_the_database_goes_and_comes_back(postgres: Postgres) -> None:
    """A server that was restarted is asked anew; nobody has to restart the service."""
    url = postgres.new_database()
    with Database.open(url) as database:
        with database.begin() as session:
            session.add(row(1))
        postgres.hang_up(url)
        database.ping()


def test_one_service_to_a_database(postgres: Postgres) -> None:
    """A second service on the same PostgreSQL database refuses, and may have it afterwards."""
    url = postgres.new_database()
    with Database.open(url) as database, Database.open(url) as other:
        with database.owned():
            with pytest.raises(SettingError, match="another service"), other.owned():
                pass
            other.ping()
        with other.owned():
            pass


def test_one_service_to_a_directory(tmp_path: Path) -> None:
    """A second service on the same directory refuses in one line that names the first."""
    with owned(tmp_path):
        done = run_to_end(tmp_path, "--port", "0")
    assert done.returncode == 1
    assert "already" in done.stderr
    assert "--data-dir" in done.stderr
    assert done.stderr.count("\n") == 1


async def test_a_service_on_postgresql(postgres: Postgres, tmp_path: Path) -> None:
    """It keeps accounts and streams there, and the URL in no log."""
    url = postgres.new_database() + "&application_name=never_logged"
    with running(tmp_path, "--database", url, "--log-level", "debug") as service:
        async with RawClient.connected(service.url, API_KEY) as client:
            started = await client.start("a stream")
            await client.picture()
            await client.end()
        token = service.token()
        found = service.ask("GET", f"/recordings/{started['stream_id']}", token=token)
        assert found["frame_count"]
        (listed,) = service.ask("GET", "/stream-recordings", token=token)["recordings"]
        assert listed["stream_id"] == started["stream_id"]
        with pytest.raises(HTTPError) as caught:
            service.ask("GET", "/recordings/%00", token=token)
        assert caught.value.code == 404
        wait_until(lambda: is_ready(service), what="ready")
    assert not (service.data_dir / "service.db").exists()
    assert "never_logged" not in (tmp_path / "said").read_text()
    with Database.open(url) as database, database.begin() as session:
        assert session.scalars(select(StreamRow.id)).all() == [started["stream_id"]]
