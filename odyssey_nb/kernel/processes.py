"""Processes: told from a later one with the same number, by what they run, and by their sockets."""

from __future__ import annotations

import ipaddress
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

SLACK_SECONDS = 1.0  # by which two readings of the same start may differ


@dataclass(frozen=True, slots=True)
class ProcessId:
    """A process. `started` is in seconds since the machine's start, or since the epoch."""

    pid: int
    started: float

    @classmethod
    def of(cls, pid: int) -> ProcessId:
        """Return the process that has this number now."""
        return cls(pid, _started(pid) or 0.0)

    def lives(self) -> bool:
        """Whether it runs still, and not another with its number."""
        started = _started(self.pid)
        return started is not None and abs(started - self.started) < SLACK_SECONDS


def _started(pid: int) -> float | None:
    """Return when the process started; None if there is none, or only what it left to be reaped."""
    if Path("/proc/self/stat").exists():
        # Counted from the machine's start, so that setting the clock changes nothing.
        try:
            # The name before the last bracket may hold anything (proc(5)).
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return None
        return None if fields[0] in "ZX" else int(fields[19]) / os.sysconf("SC_CLK_TCK")
    import psutil

    with suppress(psutil.Error):
        process = psutil.Process(pid)
        if process.status() != psutil.STATUS_ZOMBIE:
            return float(process.create_time())
    return None


def program(pid: int) -> str:
    """Return what the process runs, as a person calls it: notebook, script or module.

    Never its arguments, in which there may be keys.
    """
    import psutil

    try:
        process = psutil.Process(pid)
        words = process.cmdline() or [process.name()]
        name = Path(words[0]).name
        if not name.startswith(("python", "pypy")):
            return name
        if "ipykernel_launcher" in words[1:4]:
            return process.environ().get("JPY_SESSION_NAME") or "a notebook"
    except psutil.Error:
        return "a program"
    return _script(words[1:]) or name


def _script(words: list[str]) -> str:
    """Return what Python's arguments say that it runs; empty if nothing."""
    rest = iter(words)
    for word in rest:
        if word == "-m":
            return next(rest, "")
        if word in {"-X", "-W", "-c"}:
            if word == "-c":
                return ""
            next(rest, "")
        elif not word.startswith("-"):
            return Path(word).name
    return ""


def holders(sockets: set[tuple[str, int]]) -> dict[tuple[str, int], int]:
    """Return which processes hold these TCP sockets, given as this end's address and port.

    A process of another user has the number 0. A socket that no process of this machine has is left
    out.
    """
    found: dict[tuple[str, int], int] = {}
    for address, port, pid in _sockets() if sockets else ():
        socket = plain(address), port
        if socket in sockets:
            found[socket] = found.get(socket) or pid
    return found


def _sockets() -> Iterator[tuple[str, int, int]]:
    import psutil

    try:
        for each in psutil.net_connections("tcp"):
            if each.laddr:
                yield each.laddr.ip, each.laddr.port, each.pid or 0
        return
    except psutil.AccessDenied:  # macOS lets only root see all at once
        pass
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            for own in process.net_connections("tcp"):
                if own.laddr:
                    yield own.laddr.ip, own.laddr.port, process.pid


def is_here(address: str) -> bool:
    """Whether an IP address is this machine's."""
    import psutil

    try:
        if ipaddress.ip_address(plain(address)).is_loopback:
            return True
    except ValueError:
        return False
    cards = psutil.net_if_addrs().values()
    return plain(address) in {plain(each.address) for card in cards for each in card}


def plain(address: str) -> str:
    """Return an IP address without zone, and an IPv4 one as such, however it is written."""
    return address.partition("%")[0].removeprefix("::ffff:")
