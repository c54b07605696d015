"""A lock is had by one process, and is free the moment that process is gone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from odyssey_nb.locking import try_lock
from tests.conftest import wait_until

HOLD = """
import os, sys
from odyssey_nb.locking import try_lock
assert try_lock(os.open(sys.argv[1], os.O_RDWR))
print("held", flush=True)
sys.stdin.read()
"""


def test_a_lock_ends_with_its_process(tmp_path: Path) -> None:
    """Nobody else gets it meanwhile, and SIGKILL is enough to free it."""
    file = tmp_path / "lock"
    fd = os.open(file, os.O_RDWR | os.O_CREAT)
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert not try_lock(fd)
        holder.kill()
        wait_until(lambda: try_lock(fd), seconds=2, what="the lock")
    os.close(fd)
