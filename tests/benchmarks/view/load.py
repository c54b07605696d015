"""What a kernel does beside showing pictures; a file exists as long as it does it."""

from __future__ import annotations

import ctypes
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

RUNNING: Final = "running"  # the file, in the notebook's folder
HELD_MILLISECONDS: Final = 60


@contextmanager
def _running() -> Iterator[None]:
    Path(RUNNING).touch()
    yield
    Path(RUNNING).unlink()


def compute(seconds: float) -> None:
    """Compute in pure Python."""
    with _running():
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            sum(n * n for n in range(10_000))


def hold(seconds: float) -> None:
    """Hold the GIL 60 ms at a time, as compiled code does that does not let it go."""
    sleep = ctypes.PyDLL(None).usleep
    with _running():
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            sleep(HELD_MILLISECONDS * 1000)
