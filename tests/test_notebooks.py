"""The tutorials run from top to bottom, and are saved clean."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest

from tests.conftest import Service

FOLDER = Path(__file__).parent.parent / "notebooks"
TUTORIALS = sorted(FOLDER.glob("*.ipynb"))


@pytest.mark.parametrize("tutorial", TUTORIALS, ids=lambda path: path.stem)
def test_a_tutorial_runs_under_nbval(
    tutorial: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    local_service: Callable[[], Service],
) -> None:
    """Every cell runs, with the assertions in it, and the streamer is free afterwards."""
    monkeypatch.setenv("ODYSSEY_NB_WORLD", "landscape")
    copy = tmp_path / tutorial.name
    copy.write_text(tutorial.read_text())
    command = [sys.executable, "-m", "pytest", "--nbval-lax", "-q", str(copy)]
    config = ["-c", "/dev/null", "--rootdir", str(tmp_path), "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, *config],
        capture_output=True, text=True, timeout=115, cwd=tmp_path, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    local_service().wait_free(seconds=3)


@pytest.mark.parametrize("tutorial", TUTORIALS, ids=lambda path: path.stem)
def test_a_tutorial_is_saved_clean(tutorial: Path) -> None:
    """No outputs, no counts, numbered, and it opens with a sentence on what the reader will see."""
    notebook = nbformat.read(tutorial, as_version=4)
    assert tutorial.name[:2].isdigit()
    assert notebook.cells[0].cell_type == "markdown"
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert not cell.outputs
            assert cell.execution_count is None
