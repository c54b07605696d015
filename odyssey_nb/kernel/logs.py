"""Where the processes that we start write what goes wrong: private files, one for each kind."""

from __future__ import annotations

import os
from typing import IO

from odyssey_nb.config import runtime_dir
from odyssey_nb.private import writing


def open_log(kind: str) -> IO[bytes]:
    """Begin the log of a process of this kind anew; only this user can read it."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND
    folder = runtime_dir()
    with writing(folder):
        return os.fdopen(os.open(folder / f"{kind}.log", flags, 0o600), "wb")


def last_words(kind: str) -> str:
    """Return the last line of a log with a colon before it, to end an error with; else nothing."""
    log = runtime_dir() / f"{kind}.log"
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return f": {lines[-1]}" if lines else ""
