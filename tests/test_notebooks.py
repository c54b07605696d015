"""The tutorials run from top to bottom, and are saved clean."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import papermill
import pytest

from tests.conftest import end_local_services, find_local_service

FOLDER = Path(__file__).parent.parent / "notebooks"
# Simulations give way to whatever else the machine does.
PATIENT = pytest.mark.timeout(300)
TUTORIALS = sorted(FOLDER.glob("*.ipynb"))
FIRST, *OTHERS = TUTORIALS


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give all tutorials one local service, as a reader's have."""
    home = tmp_path_factory.mktemp("tutorials")
    (home / "runtime").mkdir(mode=0o700)
    yield home
    end_local_services(home / "runtime")


@pytest.fixture
def desk(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where a tutorial runs; it leaves nothing held."""
    monkeypatch.setenv("ODYSSEY_NB_RUNTIME_DIR", str(home / "runtime"))
    monkeypatch.setenv("ODYSSEY_NB_DATA_DIR", str(home / "data"))
    monkeypatch.setenv("ODYSSEY_NB_WORLD", "landscape")
    monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    yield tmp_path
    if any((home / "runtime").glob("service-*.json")):  # one of the tutorials has its own
        find_local_service(home / "runtime").wait_free(seconds=5)


def names(tutorial: Path) -> str:
    """What a tutorial is called in a test's name."""
    return tutorial.stem


@PATIENT
@pytest.mark.parametrize(
    "tutorial",
    [FIRST, *(pytest.param(each, marks=pytest.mark.newest) for each in OTHERS)],
    ids=names,
)
def test_a_tutorial_runs_under_nbval(tutorial: Path, desk: Path) -> None:
    """Every cell runs, with the assertions in it, and the streamer is free afterwards."""
    copy = desk / tutorial.name
    copy.write_text(tutorial.read_text())
    command = [sys.executable, "-m", "pytest", "--nbval-lax", "-q", str(copy)]
    config = ["-c", "/dev/null", "--rootdir", str(desk), "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, *config],
        capture_output=True, text=True, timeout=280, cwd=desk, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


@PATIENT
@pytest.mark.newest
def test_a_tutorial_runs_unseen_with_other_parameters(
    desk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Papermill sets what the tagged cell has, and stills take the place of live views."""
    monkeypatch.setenv("ODYSSEY_NB_HEADLESS", "1")
    monkeypatch.chdir(desk)
    (tutorial,) = FOLDER.glob("02_*.ipynb")
    done = papermill.execute_notebook(
        tutorial, "done.ipynb", {"place": "sea", "seconds": 1.2}, progress_bar=False
    )
    outputs = [output for cell in done.cells for output in cell.get("outputs", ())]
    live = [
        output["data"]["text/plain"]
        for output in outputs
        if "application/vnd.jupyter.widget-view+json" in output.get("data", {})
    ]
    assert not [each for each in live if each.startswith("<")], "only bars may be live"
    text = "".join(str(output.get("data", "")) for output in outputs)
    assert text.count("data:image/jpeg") == text.count("<figure data-odyssey-poster") == 1
    assert "extreme fog over a sea at noon" in text


@pytest.mark.parametrize("tutorial", TUTORIALS, ids=names)
def test_a_tutorial_is_saved_clean(tutorial: Path) -> None:
    """No outputs, no counts, numbered, for papermill, and it opens with what one will see."""
    notebook = nbformat.read(tutorial, as_version=4)
    assert tutorial.name[:2].isdigit()
    opening, first = notebook.cells[:2]
    assert opening.cell_type == "markdown"
    assert opening.source.startswith("# ")
    assert first.metadata.get("tags") == ["parameters"]
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert not cell.outputs
            assert cell.execution_count is None
