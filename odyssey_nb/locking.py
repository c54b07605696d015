"""File locks that the system frees the moment their process dies, and that forks do not inherit."""

from __future__ import annotations

from contextlib import suppress

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


def try_lock(fd: int) -> bool:
    """Lock an open file for this process; return False if another process has it.

    Closing any descriptor of the file frees the lock. Where there are no locks it is always had.
    """
    return fcntl is None or _try(fd, fcntl.LOCK_EX)


def is_locked(fd: int) -> bool:
    """Return whether another process has the lock of an open file; False where there are none.

    Any number of processes may ask at once: none of them looks like a holder to the others.
    """
    if fcntl is None or not _try(fd, fcntl.LOCK_SH):
        return fcntl is not None
    with suppress(OSError):
        fcntl.lockf(fd, fcntl.LOCK_UN)
    return False


def _try(fd: int, kind: int) -> bool:
    try:
        fcntl.lockf(fd, kind | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # POSIX allows either for a lock that is taken
        return False
    except OSError:  # a file system without locks
        return True
    return True
