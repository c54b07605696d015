"""Fixtures for tests of the service that can share one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from odyssey_nb.service.database import sqlite_url
from tests.service.postgres import Postgres
from tests.service.running import running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import Service


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service with default options for a module; each test leaves it without sessions."""
    with running(tmp_path_factory.mktemp("shared")) as service:
        yield service


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server."""
    with Postgres.running() as server:
        yield server


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def new_database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], str]:
    """Make empty databases, once of either kind, and return their URLs."""
    if request.param == "sqlite":
        return lambda: sqlite_url(tmp_path_factory.mktemp("database"))
    server: Postgres = request.getfixturevalue("postgres")
    return server.new_database


@pytest.fixture
def database_url(new_database: Callable[[], str]) -> str:
    """The URL of an empty database, once of either kind."""
    return new_database()
