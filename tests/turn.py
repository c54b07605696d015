"""A real TURN server on this machine, for streams whose UDP is blocked."""

from __future__ import annotations

import shutil
import socket
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

import pytest

from tests.conftest import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RELAY = "127.0.0.2"  # an address of its own, which is all that the relay lets through
SECRET = "a secret of the tests"


class Turn:
    """A coturn whose files are in `folder`, reached by TCP; credentials are made of `SECRET`."""

    def __init__(self, folder: Path, program: str) -> None:
        self._folder, self._program = folder, program
        self._port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"turn:{RELAY}:{self._port}?transport=tcp"

    @classmethod
    @contextmanager
    def running(cls, folder: Path) -> Iterator[Self]:
        """Run one, or skip the test where none is installed."""
        program = shutil.which("turnserver")
        if program is None:
            pytest.skip("coturn is not installed; .ci/setup coturn")
        turn = cls(folder, program)
        try:
            turn.start()
            yield turn
        finally:
            turn.kill()

    def start(self) -> None:
        """Start it, also again where it was, and wait until it listens."""
        self._process = subprocess.Popen(
            [self._program, "-n", "-L", RELAY, "-E", RELAY, "-p", str(self._port), "--no-tls",
             "--no-dtls", "--no-cli", "--no-udp", "--use-auth-secret",
             f"--static-auth-secret={SECRET}", "-r", "tests", "--allow-loopback-peers",
             "--pidfile", str(self._folder / "pid"), "--log-file", "stdout", "--simple-log",
             "--userdb", str(self._folder / "userdb")],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self._folder,
        )  # fmt: skip
        wait_until(self._answers, what="the relay")

    def kill(self) -> None:
        """End it at once; what it carried breaks."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)

    def options(self, secret: str = SECRET) -> tuple[str, ...]:
        """Return the options of a service that hands out credentials for it, made of `secret`."""
        shared = self._folder / "secret"
        shared.write_text(f"{secret}\n")
        return "--turn", self.url, "--turn-secret-file", str(shared)

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((RELAY, self._port)) == 0


def _free_port() -> int:
    with socket.create_server((RELAY, 0)) as server:
        return int(server.getsockname()[1])
