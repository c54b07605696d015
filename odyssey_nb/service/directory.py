"""The data directory, which belongs to one service at a time."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from odyssey_nb.errors import SettingError
from odyssey_nb.locking import try_lock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOCK = "service.lock"


@contextmanager
def owned(directory: Path) -> Iterator[None]:
    """Make `directory` if need be, and own it until the end of the block.

    The system lets go of it the moment this process ends, however that comes about.

    Raises:
        SettingError: Another service owns it.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    fd = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if not try_lock(fd):
            with suppress(ValueError, KeyError, TypeError):
                owner = json.loads(os.pread(fd, 1000, 0))["pid"]
                raise SettingError(
                    f"process {owner} serves {directory} already",
                    hint="Use that service, or choose another --data-dir.",
                )
            raise SettingError(
                f"another service uses {directory}", hint="Choose another --data-dir."
            )
        os.ftruncate(fd, 0)
        os.pwrite(fd, json.dumps({"pid": os.getpid()}).encode(), 0)
        yield
    finally:
        os.close(fd)
