"""Engines that behave alike: on SQLite and on PostgreSQL, a transaction is alone from its start.

So code that reads before it writes need not think of others, in this process or another. Whoever
waits longer than `BUSY_SECONDS` for its turn fails.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from sqlalchemy import create_engine, event, make_url, text
from sqlalchemy.exc import SQLAlchemyError

from odyssey_nb.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine
    from sqlalchemy.engine.interfaces import DBAPIConnection

BUSY_SECONDS = 30
CONNECT_SECONDS = 10
CACHE_KIB = 256  # of pages in each of SQLite's connections; the system has them all anyway
# PostgreSQL's advisory locks are numbers that programs agree on.
TRANSACTION, SERVICE = 0x0D155E, 0x0D155F


def make_engine(url: str) -> Engine:
    """Return an engine for a SQLAlchemy URL; it connects when it is first used.

    Raises:
        SettingError: The URL makes no sense, or its driver is not installed.
    """
    # Neither URL nor parameters may be seen in errors: one has a password, the others are data.
    try:
        parsed = make_url(url)
        if parsed.drivername in {"postgres", "postgresql"}:
            parsed = parsed.set(drivername="postgresql+psycopg")
        options = {"connect_timeout": CONNECT_SECONDS} if _is_postgresql(parsed.drivername) else {}
        engine = create_engine(
            parsed, connect_args=options, hide_parameters=True, pool_pre_ping=True
        )
    except ImportError:
        raise SettingError(
            "the driver of the database is not installed",
            hint="For PostgreSQL: pip install 'odyssey-nb[postgres]'.",
        ) from None
    except (SQLAlchemyError, ValueError):
        raise SettingError(
            "the database URL makes no sense",
            hint="It looks like postgresql://USER@HOST/NAME, or sqlite:////PATH.",
        ) from None
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    elif engine.dialect.name == "postgresql":
        event.listen(engine, "connect", _prepare_postgresql)
        event.listen(engine, "begin", _begin_postgresql)
    return engine


@contextmanager
def owned_database(engine: Engine) -> Iterator[None]:
    """Own a PostgreSQL database until the end of the block; a service's directory owns SQLite's.

    Raises:
        SettingError: Another service owns it.
    """
    if engine.dialect.name != "postgresql":
        yield
        return
    with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.detach()  # not for the pool: a lock goes with its connection at the latest
        asked = text("SELECT pg_try_advisory_lock(:lock)")
        if not connection.execute(asked, {"lock": SERVICE}).scalar():
            raise SettingError(
                "another service uses this database", hint="Choose another --database."
            )
        try:
            yield
        finally:
            with suppress(SQLAlchemyError):  # the server may be gone, and the lock with it
                connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": SERVICE})


def _is_postgresql(driver: str) -> bool:
    return driver.startswith("postgresql")


def _prepare_sqlite(connection: DBAPIConnection, _record: object) -> None:
    """Several readers and one writer, safe against a killed process, and no surprise BEGINs."""
    connection.isolation_level = None
    _run(
        connection,
        "PRAGMA journal_mode=WAL",
        "PRAGMA synchronous=NORMAL",
        f"PRAGMA busy_timeout={BUSY_SECONDS * 1000}",
        "PRAGMA foreign_keys=ON",
        f"PRAGMA cache_size={-CACHE_KIB}",
    )


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and then writes could otherwise find the lock taken half-way.
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _prepare_postgresql(connection: DBAPIConnection, _record: object) -> None:
    _run(connection, f"SET lock_timeout = '{BUSY_SECONDS}s'")
    connection.commit()


def _begin_postgresql(connection: Connection) -> None:
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({TRANSACTION})")


def _run(connection: DBAPIConnection, *statements: str) -> None:
    cursor = connection.cursor()
    for each in statements:
        cursor.execute(each)
    cursor.close()
