"""The service's tables: SQLite beside its media by default, any other database by URL.

Calls block, if only for a fraction of a millisecond; the event loop makes them with `to_thread`.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import ForeignKey, Text, delete, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from odyssey_nb.errors import SettingError
from odyssey_nb.service.engine import make_engine, owned_database
from odyssey_nb.service.migrations import SCHEMA, migrate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Engine


class Base(DeclarativeBase):
    """The tables."""


class SchemaRow(Base):
    """Which version of the tables a database has; one row."""

    __tablename__ = "schema_version"

    version: Mapped[int] = mapped_column(primary_key=True)


class AccountRow(Base):
    """Whose things are whose; what is None here is as the service's limits say."""

    __tablename__ = "accounts"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    created: Mapped[float]
    suspended: Mapped[str | None]  # why
    may_bypass: Mapped[bool] = mapped_column(default=False)  # the expansion of prompts
    concurrent_streams: Mapped[int | None]
    simulation_queue: Mapped[int | None]
    monthly_hours: Mapped[float | None]
    stream_seconds: Mapped[float | None]


class KeyRow(Base):
    """An API key, of which only a hash and its first characters are kept."""

    __tablename__ = "keys"

    id: Mapped[int] = mapped_column(primary_key=True)
    hash: Mapped[str] = mapped_column(unique=True)  # SHA-256, in hexadecimal
    prefix: Mapped[str]
    account: Mapped[str] = mapped_column(ForeignKey("accounts.id"), index=True)
    created: Mapped[float]
    revoked: Mapped[float | None]


class StreamRow(Base):
    """A stream or simulation that was run; times in seconds since the epoch, sizes in pixels.

    `state` is ``writing`` while it runs, ``ready`` once its recording is whole, ``lost`` when there
    is none, ``deleted`` when it is gone. Usage is told from these rows: until `ended` is known,
    `last_seen` says how long it ran at least.
    """

    __tablename__ = "streams"

    id: Mapped[str] = mapped_column(primary_key=True)
    account: Mapped[str] = mapped_column(index=True)
    session_id: Mapped[str]
    width: Mapped[int]
    height: Mapped[int]
    started: Mapped[float] = mapped_column(index=True)
    ended: Mapped[float | None]
    reason: Mapped[str | None]
    frame_count: Mapped[int | None]
    duration: Mapped[float | None]
    size: Mapped[int] = mapped_column(default=0)  # bytes of its files
    state: Mapped[str] = mapped_column(default="writing")
    kind: Mapped[str] = mapped_column(default="stream", server_default="stream")  # or "simulation"
    last_seen: Mapped[float | None]


class SimulationRow(Base):
    """A simulation: one job of one or several scripts; times in seconds since the epoch.

    Whoever runs it holds a lease: until `lease_until`, and as long as `token` is the one that came
    with the lease. `writing` is the stream that the holder is at.
    """

    __tablename__ = "simulations"

    id: Mapped[str] = mapped_column(primary_key=True)
    account: Mapped[str] = mapped_column(index=True)
    status: Mapped[str] = mapped_column(index=True)  # of wire.simulations
    portrait: Mapped[bool]
    bypass: Mapped[bool]  # the expansion of prompts
    scripts: Mapped[str] = mapped_column(Text, deferred=True)  # JSON; may hold images
    created: Mapped[float] = mapped_column(index=True)
    dispatched: Mapped[float | None]
    started: Mapped[float | None]
    completed: Mapped[float | None]
    error: Mapped[str | None]
    retries: Mapped[int] = mapped_column(default=0)
    frames_done: Mapped[int] = mapped_column(default=0)
    frames_total: Mapped[int]
    token: Mapped[int] = mapped_column(default=0)
    lease_until: Mapped[float | None]
    writing: Mapped[str | None]


class SimulationResultRow(Base):
    """Which stream is the result of which script of a simulation."""

    __tablename__ = "simulation_results"

    simulation: Mapped[str] = mapped_column(ForeignKey("simulations.id"), primary_key=True)
    script_index: Mapped[int] = mapped_column(primary_key=True)
    stream: Mapped[str] = mapped_column(ForeignKey("streams.id"))


class Database:
    """An open database. Each `begin` is one transaction."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @classmethod
    @contextmanager
    def open(cls, url: str) -> Iterator[Database]:
        """Open the database at a SQLAlchemy URL, and make the tables that it lacks.

        Raises:
            SettingError: It cannot be opened, or a newer version of this package made it.
        """
        engine = make_engine(url)
        try:
            database = cls(engine)
            database._check_schema()
            yield database
        finally:
            engine.dispose()

    @contextmanager
    def owned(self) -> Iterator[None]:
        """Have it for one service, until the end of the block.

        Raises:
            SettingError: Another service has it.
        """
        with owned_database(self._engine):
            yield

    @contextmanager
    def begin(self) -> Iterator[Session]:
        """Run a transaction: committed at the end of the block, rolled back if it fails."""
        with Session(self._engine, expire_on_commit=False) as session, session.begin():
            yield session

    def ping(self) -> None:
        """Run an empty transaction.

        Raises:
            SQLAlchemyError: The database does not take one.
        """
        with self.begin() as session:
            session.execute(select(1))

    def _check_schema(self) -> None:
        try:
            with self.begin() as session:
                connection = session.connection()
                SchemaRow.metadata.tables[SchemaRow.__tablename__].create(
                    connection, checkfirst=True
                )
                found = session.scalar(select(func.max(SchemaRow.version)))
                if found is not None and found > SCHEMA:
                    raise SettingError(
                        f"the database has schema {found}, this version knows {SCHEMA}",
                        hint="Upgrade odyssey-nb, or choose another --data-dir.",
                    )
                if found != SCHEMA:
                    migrate(connection, found or SCHEMA)
                    session.execute(delete(SchemaRow))
                    session.add(SchemaRow(version=SCHEMA))
                Base.metadata.create_all(connection)
        except SQLAlchemyError:  # what it says may hold the URL
            raise SettingError(
                "the database cannot be opened", hint="Check --data-dir and --database."
            ) from None


def sqlite_url(directory: Path) -> str:
    """Return the URL of the database that a data directory holds."""
    return f"sqlite:///{directory / 'service.db'}"
