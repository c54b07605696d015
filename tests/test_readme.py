"""The README keeps its word: its code runs, its pictures exist, its commands are there."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import Service
from tests.kernel.conftest import Kernel, kernel  # noqa: F401 - a fixture

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    """The README's code blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


def test_the_notebook_code_runs(kernel: Kernel, local_service, tmp_path: Path) -> None:  # noqa: F811
    """Block after block, in a real kernel, from first light to nothing held."""
    kernel.run(f"import os; os.chdir({str(tmp_path)!r})")
    cells = blocks("ipython") + blocks("python")
    assert len(cells) >= 5
    for cell in cells:
        shown = kernel.run(cell)
        assert "Error" not in shown, f"{cell}\n{shown}"
    assert (tmp_path / "snow.mp4").stat().st_size > 0
    service: Service = local_service()
    assert service.held == 0


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_the_commands_exist() -> None:
    """Every make target that the README names is one."""
    targets = set(re.findall(r"make ([a-z]+)", TEXT))
    assert targets >= {"demo", "test", "help"}
    for target in targets:
        done = subprocess.run(
            ["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr


def test_the_pictures_exist() -> None:
    """Each picture is in the repository, is a picture, and is not too heavy for a front page."""
    paths = re.findall(r"!\[.*?\]\((.*?)\)", TEXT)
    assert len(paths) == 2
    for path in paths:
        assert (ROOT / path).stat().st_size < 1_000_000
        with Image.open(ROOT / path) as picture:
            assert picture.width >= 800
