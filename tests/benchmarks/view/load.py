"""What a kernel does beside showing pictures, from one file's appearance to another's."""

from __future__ import annotations

import ctypes
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

RUNNING: Final = "running"  # the file that says so, in the notebook's folder
STOP: Final = "stop"  # the file that ends it
LONGEST: Final = 120.0  # seconds, if nobody does
HELD_MILLISECONDS: Final = 60


def _run(work: Callable[[], object], *, times: int) -> None:
    """Do `work` so many times between two looks at the file, which let other threads run."""
    Path(RUNNING).touch()
    until = time.monotonic() + LONGEST
    while time.monotonic() < until and not Path(STOP).exists():
        for _ in range(times):
            work()
    Path(STOP).unlink(missing_ok=True)
    Path(RUNNING).unlink()


def compute() -> None:
    """Compute in pure Python."""
    _run(lambda: sum(n * n for n in range(10_000)), times=500)


def hold() -> None:
    """Hold the GIL 60 ms at a time, as compiled code does that does not let it go."""
    sleep = ctypes.PyDLL(None).usleep
    _run(lambda: sleep(HELD_MILLISECONDS * 1000), times=5)
