"""Private files are whole and private."""

from __future__ import annotations

from pathlib import Path

from odyssey_nb.private import write_private


def test_write_private(tmp_path: Path) -> None:
    """A private file is whole and private, and nothing half-written is left beside it."""
    path = tmp_path / "alone" / "secret"
    path.parent.mkdir()
    path.write_text("older and longer than what follows")
    path.chmod(0o644)
    write_private(path, "new")
    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(path.parent.iterdir()) == [path]
