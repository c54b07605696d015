"""Counting what is left: processes, descriptors, threads, leases."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import psutil


def belonging(runtime: Path) -> list[psutil.Process]:
    """The processes that were started for this runtime directory, and still run."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            where = process.environ().get("ODYSSEY_NB_RUNTIME_DIR")
            if where == str(runtime) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def describe(process: psutil.Process) -> str:
    """Say which process it is, without its arguments' values."""
    try:
        words = [word for word in process.cmdline() if word.startswith(("odyssey", "ipykernel"))]
        return f"process {process.pid} ({' '.join(words) or process.name()})"
    except psutil.Error:
        return f"process {process.pid}"


def leases(runtime: Path) -> list[Path]:
    """The leases that are left."""
    return list((runtime / "leases").glob("*"))


def size(process: psutil.Process) -> tuple[int, int]:
    """Threads and descriptors of a process."""
    with process.oneshot():
        return process.num_threads(), process.num_fds()


def most(service: psutil.Process) -> tuple[int, int]:
    """How many threads and descriptors a service that rests may come to have.

    Each worker of asyncio's pool comes when it is needed, and stays; so do the thread that makes
    recordings whole, and the five connections of SQLAlchemy's pool, each with the database and its
    log.
    """
    workers = min(32, (os.cpu_count() or 1) + 4)
    threads, descriptors = size(service)
    return threads + workers + 1, descriptors + 2 * 5
