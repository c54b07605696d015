"""Leases: who holds what, as other processes see it; real files, real locks, real processes."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from odyssey_nb.kernel import leases
from odyssey_nb.kernel.leases import Lease
from odyssey_nb.leasefile import leave_note, read_note

URL = "http://127.0.0.1:9"
HOLD = """
import sys
from odyssey_nb.kernel.leases import Lease
import os
lease = Lease.take("theirs", "http://127.0.0.1:9", os.getppid())
lease.name_session("s-1", "ws://127.0.0.1:9")
print(lease.path, flush=True)
sys.stdin.read()
"""
LOOK = """
from odyssey_nb.kernel import leases
print([(each.path.name, each.held, each.dangling) for each in leases.others()])
"""


@contextmanager
def holder() -> Iterator[tuple[Path, subprocess.Popen[str]]]:
    """Let another process hold a lease, whose sidecar is this one."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield Path(process.stdout.readline().strip()), process
        process.kill()


@pytest.fixture
def folder(machine: Path) -> Path:
    """Where leases are."""
    path = machine / "leases"
    path.mkdir()
    return path


def test_a_lease_ends_with_its_kernel() -> None:
    """It is held while its process lives, and dangles the moment that is killed."""
    with holder() as (path, process):
        (found,) = leases.others()
        assert (found.path, found.held, found.dangling) == (path, True, "")
        assert (found.info.session_id, found.info.connection) == ("s-1", "theirs")
        assert found.info.kernel.pid == process.pid
        process.kill()
        process.wait()
        (found,) = leases.others()
        assert (found.held, found.dangling) == (False, "its kernel is gone")


def test_looking_at_leases_does_not_free_our_own() -> None:
    """The lock goes with the first descriptor that is closed, so our own is never opened again."""
    lease = Lease.take("ours", URL, os.getpid())
    try:
        assert leases.others() == []
        seen = subprocess.run(
            [sys.executable, "-c", LOOK], capture_output=True, text=True, check=True, timeout=60
        )
        assert seen.stdout.strip() == str([(lease.path.name, True, "")])
    finally:
        lease.drop()
    assert not lease.path.exists()


def test_a_lease_follows_its_session_in_place() -> None:
    """It is written through one descriptor, never shorter, and dropping it twice is safe."""
    lease = Lease.take("ours", URL, os.getpid())
    size = lease.path.stat().st_size
    lease.name_session("an id", "ws://127.0.0.1:9")
    lease.use(streaming=True)
    said = json.loads(lease.path.read_text())
    assert (said["session_id"], said["streaming"]) == ("an id", True)
    assert said["used"] >= said["opened"]
    assert lease.path.stat().st_size == size
    assert lease.path.stat().st_mode & 0o777 == 0o600
    lease.drop()
    lease.drop()
    lease.use(streaming=False)
    assert not lease.path.exists()


def left_behind(folder: Path, **changes: Any) -> Path:
    """Write the lease of a process that is gone."""
    lease = Lease.take("gone", URL, os.getpid())
    said = json.loads(lease.path.read_text())
    lease.drop()
    said["kernel"] = {"pid": 2**22 + 1, "started": 1.0}
    path = folder / "left.json"
    path.write_text(json.dumps(said | changes))
    return path


def test_a_number_that_another_process_has_now_is_not_the_kernel(folder: Path) -> None:
    """A living process of that number keeps no lease whose kernel started at another time."""
    path = left_behind(folder, kernel={"pid": os.getpid(), "started": 1.0})
    (found,) = leases.others()
    assert (found.path, found.held) == (path, False)


def test_a_lease_of_another_boot_is_stale_and_one_of_another_host_is_not_ours(
    folder: Path,
) -> None:
    """After a restart of the machine nothing holds; what another machine holds cannot be known."""
    mine = dataclasses.asdict(leases.ProcessId.of(os.getpid()))
    left_behind(folder, boot_id="another", kernel=mine)
    assert [each.held for each in leases.others()] == [False]
    path = left_behind(folder, host="another")
    assert leases.others() == []
    assert path.exists()


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"connection": 3}', "\x00", '"\\ud800"'])
def test_a_lease_that_makes_no_sense_is_removed(folder: Path, text: str) -> None:
    """Nobody's garbage goes; what a living process holds stays, though it cannot be read."""
    garbage = folder / "garbage.json"
    garbage.write_text(text)
    with holder() as (path, _):
        path.write_text(text)
        assert leases.others() == []
        assert path.exists()
    assert not garbage.exists()


def test_what_was_left_half_written_is_removed(folder: Path) -> None:
    """A note without its lease, and a lease that was never finished, go after a while."""
    lease = Lease.take("ours", URL, os.getpid())
    leave_note(lease.path, "somebody")
    assert read_note(lease.path) == "somebody"
    for name in ("a.new", "b.ended"):
        (folder / name).write_text("")
    leases.others()
    assert {each.name for each in folder.iterdir()} > {"a.new", "b.ended"}
    for each in folder.iterdir():
        os.utime(each, (1, 1))
    leases.others()
    assert {each.suffix for each in folder.iterdir()} == {".json", ".ended"}
    lease.drop()
    assert not list(folder.iterdir())


FULL = """
import os, resource, sys
from odyssey_nb.errors import OdysseyNBError
from odyssey_nb.kernel.leases import Lease
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
try:
    Lease.take("ours", "http://127.0.0.1:9", os.getpid())
except OdysseyNBError as error:
    print(type(error).__name__, error.one_line())
"""


@pytest.mark.parametrize(
    ("folder", "why"), [("", "file too large"), ("/dev/null/nothing", "not a directory")]
)
def test_a_directory_that_takes_no_lease_is_one_line(
    machine: Path, monkeypatch: pytest.MonkeyPatch, folder: str, why: str
) -> None:
    """A disk without room and a path that cannot be are told with what helps; nothing stays."""
    if folder:
        monkeypatch.setenv("ODYSSEY_NB_RUNTIME_DIR", folder)
    done = subprocess.run(
        [sys.executable, "-c", FULL], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stdout.startswith("SettingError "), done.stderr
    assert (
        f"cannot be written ({why}). Make room there, or set ODYSSEY_NB_RUNTIME_DIR" in done.stdout
    )
    assert done.stdout.count("\n") == 1
    assert not list(machine.glob("leases/*"))
