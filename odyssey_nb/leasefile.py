"""What becomes of a kernel's lease: it goes with its session, and says who ended that from outside.

Who ends a session from outside leaves a note beside its lease first, for only the note says on
every service that it was done on purpose.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from odyssey_nb.private import write_private

if TYPE_CHECKING:
    from pathlib import Path


def drop_lease(lease: Path) -> None:
    """Remove the lease of a session that is gone; the kernel may have done so first."""
    lease.unlink(missing_ok=True)
    _note(lease).unlink(missing_ok=True)


def leave_note(lease: Path, who: str) -> None:
    """Say to the holder of `lease` that `who` ends its session."""
    with suppress(OSError):  # without it the session ends all the same
        write_private(_note(lease), who)


def take_note_back(lease: Path) -> None:
    """The session goes on after all."""
    _note(lease).unlink(missing_ok=True)


def read_note(lease: Path) -> str:
    """Return who ends the session from outside; empty if nobody does."""
    try:
        return _note(lease).read_text().strip()
    except OSError:
        return ""


def _note(lease: Path) -> Path:
    return lease.with_suffix(".ended")
