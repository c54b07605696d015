"""File locks that the system frees the moment their process dies, and that forks do not inherit."""

from __future__ import annotations

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


def try_lock(fd: int) -> bool:
    """Lock an open file for this process; return False if another process has it.

    Closing any descriptor of the file frees the lock. Where there are no locks it is always had.
    """
    if fcntl is None:
        return True
    try:
        fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # POSIX allows either for a lock that is taken
        return False
    except OSError:  # a file system without locks
        return True
    return True
