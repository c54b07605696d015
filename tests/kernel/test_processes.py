"""Processes are known by their start, by what they run, and by their sockets."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from odyssey_nb.kernel.processes import ProcessId, holders, is_here, plain, program

WAIT = "import sys; print('ready', flush=True); sys.stdin.read()"


@contextmanager
def running(*command: str) -> Iterator[subprocess.Popen[str]]:
    """Run a program until it has said something, and kill it after the body."""
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()


def test_a_process_lives_until_it_is_dead() -> None:
    """One that is killed but not reaped yet is dead, and so is an earlier one with its number."""
    with running(sys.executable, "-c", WAIT) as process:
        it = ProcessId.of(process.pid)
        assert it.lives()
        assert not ProcessId(process.pid, it.started - 10).lives()
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert not it.lives()
    assert not it.lives()
    assert not ProcessId.of(process.pid).lives()


def test_a_program_is_named_without_its_arguments(tmp_path: Path) -> None:
    """Script or module, but never what comes after: there may be keys in it."""
    script = tmp_path / "train.py"
    script.write_text(WAIT)
    (tmp_path / "walking.py").write_text(WAIT)
    key = "ody_secret"
    for words, name in [
        ((sys.executable, "-X", "dev", str(script), "--key", key), "train.py"),
        (("env", f"PYTHONPATH={tmp_path}", sys.executable, "-u", "-m", "walking", key), "walking"),
        ((sys.executable, "-c", WAIT, key), Path(sys.executable).name),
    ]:
        with running(*words) as process:
            assert program(process.pid) == name
    assert program(2**22 + 1) == "a program"


def test_sockets_lead_to_their_process() -> None:
    """A connection's near end is found, also one of another process, and nothing else is."""
    connect = (
        "import socket, sys; s = socket.create_connection(('127.0.0.1', int(sys.argv[1])));"
        "print('ready', flush=True); sys.stdin.read()"
    )
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with running(sys.executable, "-c", connect, str(port)) as process:
            taken, far = server.accept()
            with taken:
                nobody = ("127.0.0.1", 1)
                assert holders({far, nobody}) == {far: process.pid}
    assert holders(set()) == {}


@pytest.mark.parametrize(
    ("address", "here"),
    [("127.0.0.1", True), ("127.0.3.4", True), ("::1", True), ("::ffff:127.0.0.1", True),
     ("192.0.2.7", False), ("testclient", False), ("", False)],
)  # fmt: skip
def test_addresses_of_this_machine(address: str, *, here: bool) -> None:
    """Loopback is ours however it is written; what is no address is nobody's."""
    assert is_here(address) is here
    assert plain("fe80::1%eth0") == "fe80::1"
