"""Leases: one file per connection that says who holds a session, so that a lost one can be found.

Written before the session is asked for and locked with ``lockf``, which the system frees the moment
the kernel dies and which forks do not inherit. The sidecar removes the file once the session is
gone. No secrets are in it, and no prompts.
"""

from __future__ import annotations

import os
import platform
import secrets
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from odyssey_nb.config import jupyter_server_pid, notebook_name, runtime_dir
from odyssey_nb.kernel.processes import ProcessId, program
from odyssey_nb.kernel.runtime import runtime
from odyssey_nb.leasefile import drop_lease
from odyssey_nb.locking import is_locked, try_lock
from odyssey_nb.private import writing

ROOM = 2048  # bytes that a lease takes up, so that a disk that fills up later spoils none
LEFTOVER_SECONDS = 60.0  # after which a file without a lease is of no use
READS = 3  # attempts to read a lease that its holder may be writing just then


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseInfo:
    """What a lease says; times in seconds since the epoch."""

    connection: str
    url: str
    kernel: ProcessId
    sidecar: ProcessId
    server: ProcessId | None
    host: str
    boot_id: str
    notebook: str  # its path; else what program it is
    opened: float
    session_id: str = ""
    signaling_url: str = ""
    streaming: bool = False
    used: float = 0.0  # the last prompt, or the last stream's end


@dataclass(frozen=True, slots=True)
class FoundLease:
    """A lease of another process; `held` while that process is alive."""

    path: Path
    info: LeaseInfo
    held: bool

    @property
    def dangling(self) -> str:
        """Which process is missing, so that nobody will end the session; empty for none."""
        if not self.held:
            return "its kernel is gone"
        return "" if self.info.sidecar.lives() else "its sidecar is gone"


class Lease:
    """A lease that this process holds."""

    def __init__(self, info: LeaseInfo) -> None:
        self.info = info
        self._turn = threading.Lock()
        self.path = _folder() / f"{secrets.token_hex(8)}.json"
        # Known by its name only once it is locked: until then it would look like a dead kernel's.
        unready = self.path.with_suffix(".new")
        with writing(self.path.parent):
            self._fd = os.open(unready, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                try_lock(self._fd)  # a file of our own: nobody else can have it
                self._write()
                runtime().leases.add(self.path)
                unready.rename(self.path)
            except BaseException:
                runtime().leases.discard(self.path)
                unready.unlink(missing_ok=True)
                os.close(self._fd)
                raise

    @classmethod
    def take(cls, connection: str, url: str, sidecar_pid: int) -> Lease:
        """Write and lock a lease for a session that is about to be asked for.

        Raises:
            SettingError: There is no room, or no right, to write it.
        """
        server, now = jupyter_server_pid(), time.time()
        info = LeaseInfo(
            connection=connection,
            url=url,
            kernel=ProcessId.of(os.getpid()),
            sidecar=ProcessId.of(sidecar_pid),
            server=ProcessId.of(server) if server else None,
            host=host(),
            boot_id=boot_id(),
            notebook=notebook_name() or program(os.getpid()),
            opened=now,
            used=now,
        )
        return cls(info)

    def name_session(self, session_id: str, signaling_url: str) -> None:
        """Add what the session is released from outside by, as soon as it is known."""
        self._change(session_id=session_id, signaling_url=signaling_url)

    def use(self, *, streaming: bool) -> None:
        """Note that a stream began, took a prompt or ended just now."""
        self._change(streaming=streaming, used=time.time())

    def _change(self, **fields: object) -> None:
        with self._turn:
            self.info = replace(self.info, **fields)  # type: ignore[arg-type]
            if self._fd >= 0:
                with suppress(OSError):  # it has its room; what else fails costs only the listing
                    self._write()

    def _write(self) -> None:
        # Through the one descriptor: closing any other for this file would free the lock. In one
        # go, and never shorter: who reads meanwhile finds the old or the new.
        os.pwrite(self._fd, msgspec.json.encode(self.info).ljust(ROOM), 0)

    def drop(self) -> None:
        """Remove the file and its lock; safe to call again."""
        with self._turn:
            fd, self._fd = self._fd, -1
        if fd >= 0:
            if os.getpid() == self.info.kernel.pid:
                drop_lease(self.path)
            os.close(fd)
            runtime().leases.discard(self.path)


def others() -> list[FoundLease]:
    """Return the leases of this machine that other processes hold or have left behind.

    Those of other machines are not judged. What cannot be read and is nobody's is removed.
    """
    files = set(_folder().iterdir())
    # Opening and closing one of our own would free its lock.
    paths = sorted({each for each in files if each.suffix == ".json"} - runtime().leases)
    for path in files - set(paths):
        if path.with_suffix(".json") not in files:
            _remove_leftover(path)
    return [found for path in paths if (found := _look(path)) is not None]


def _remove_leftover(path: Path) -> None:
    """Remove what nobody finishes writing or reads any more."""
    with suppress(OSError):
        if time.time() - path.stat().st_mtime > LEFTOVER_SECONDS:
            path.unlink()


def _look(path: Path) -> FoundLease | None:
    try:
        fd = os.open(path, os.O_RDONLY)
    except OSError:  # gone meanwhile, or not ours to read
        return None
    try:
        info = _read(fd)
        locked = is_locked(fd)
    finally:
        os.close(fd)
    if info is None:
        if not locked:
            drop_lease(path)
        return None
    if info.host != host():
        return None
    # The lock tells; where there are none the process does.
    return FoundLease(path, info, locked or (info.boot_id == boot_id() and info.kernel.lives()))


def _read(fd: int) -> LeaseInfo | None:
    for _ in range(READS):
        with suppress(OSError, msgspec.DecodeError, UnicodeDecodeError):
            return msgspec.json.decode(os.pread(fd, 16 * ROOM, 0), type=LeaseInfo)
    return None


def _folder() -> Path:
    folder = runtime_dir() / "leases"
    with writing(folder):
        folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def host() -> str:
    """Return this machine's name; in a container also which, for process ids count anew there."""
    with suppress(OSError):
        return f"{platform.node()} {Path('/proc/self/ns/pid').readlink()}"
    return platform.node()


def boot_id() -> str:
    """Return what changes when the machine starts again."""
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    import psutil

    return f"{psutil.boot_time():.0f}"
