"""Leases: one file per connection that says who holds a session, so that a lost one can be found.

Written before the session is asked for and locked with ``lockf``, which the system frees the moment
the kernel dies and which forks do not inherit. The sidecar removes the file once the session is
gone. No secrets are in it.
"""

from __future__ import annotations

import json
import os
import platform
import secrets
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from odyssey_nb.config import jupyter_server_pid, notebook_name, runtime_dir
from odyssey_nb.locking import try_lock
from odyssey_nb.sidecar.lease import drop_lease


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseInfo:
    """What a lease says; times in seconds since the epoch."""

    connection: str
    url: str
    kernel_pid: int
    kernel_started: float
    sidecar_pid: int
    server_pid: int
    host: str
    boot_id: str
    notebook: str
    opened: float
    session_id: str = ""


class Lease:
    """A lease that this process holds."""

    def __init__(self, info: LeaseInfo) -> None:
        self.path = _folder() / f"{secrets.token_hex(8)}.json"
        self.info = info
        self._dropping = threading.Lock()
        self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try_lock(self._fd)  # a file of our own: nobody else can have it
        self._write()

    @classmethod
    def take(cls, connection: str, url: str, sidecar_pid: int) -> Lease:
        """Write and lock a lease for a session that is about to be asked for."""
        info = LeaseInfo(
            connection=connection,
            url=url,
            kernel_pid=os.getpid(),
            kernel_started=process_started(os.getpid()),
            sidecar_pid=sidecar_pid,
            server_pid=jupyter_server_pid() or 0,
            host=platform.node(),
            boot_id=_boot_id(),
            notebook=notebook_name() or "",
            opened=time.time(),
        )
        return cls(info)

    def name_session(self, session_id: str) -> None:
        """Add the session's id, as soon as it is known."""
        self.info = replace(self.info, session_id=session_id)
        self._write()

    def _write(self) -> None:
        # Through the one descriptor: closing any other for this file would free the lock.
        if self._fd < 0:
            return  # dropped meanwhile
        data = json.dumps(asdict(self.info)).encode()
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, data, 0)

    def drop(self) -> None:
        """Remove the file and its lock; safe to call again."""
        with self._dropping:
            fd, self._fd = self._fd, -1
        if fd >= 0:
            if os.getpid() == self.info.kernel_pid:
                drop_lease(self.path)
            os.close(fd)


def process_started(pid: int) -> float:
    """Return when process `pid` started, in seconds since the epoch."""
    import psutil

    return float(psutil.Process(pid).create_time())


def is_alive(info: LeaseInfo) -> bool:
    """Whether the kernel that wrote the lease still runs, and not another with its number."""
    import psutil

    try:
        return abs(process_started(info.kernel_pid) - info.kernel_started) < 1.0
    except psutil.Error:
        return False


def others(mine: set[Path]) -> list[LeaseInfo]:
    """Return the leases of this machine that are held by other processes.

    `mine` are the paths of our own: opening and closing one of those would free its lock.
    """
    found = []
    for path in sorted(set(_folder().glob("*.json")) - mine):
        with suppress(OSError, ValueError, TypeError):
            found.append(LeaseInfo(**json.loads(path.read_text())))
    return [each for each in found if each.host == platform.node() and each.boot_id == _boot_id()]


def _folder() -> Path:
    folder = runtime_dir() / "leases"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _boot_id() -> str:
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    import psutil

    return f"{psutil.boot_time():.0f}"
