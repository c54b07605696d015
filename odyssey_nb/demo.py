"""The first tutorial without a screen: run it, report what happened, keep what it made."""

from __future__ import annotations

import ast
import os
from pathlib import Path
from typing import TYPE_CHECKING

from odyssey_nb.errors import UsageError

if TYPE_CHECKING:
    from nbformat import NotebookNode

TUTORIAL = "01_first_light.ipynb"
CELL_SECONDS = 120
_PACKAGE = Path(__file__).parent


def tutorial() -> Path:
    """Return the first tutorial: of the source tree, or as it was installed with the package.

    Raises:
        UsageError: It is in neither place.
    """
    for folder in (_PACKAGE.parent / "notebooks", _PACKAGE / "notebooks"):
        if (folder / TUTORIAL).exists():
            return folder / TUTORIAL
    raise UsageError(f"{TUTORIAL} is not installed", hint="Install odyssey-nb again.")


def needs(module: str) -> UsageError:
    """Return what to say when `module` is not installed."""
    return UsageError(f"the demo needs {module}", hint='Run pip install "odyssey-nb[demo]".')


def readers_copy(out: Path) -> Path:
    """Return the tutorial where its reader may change it.

    That is the source tree; an installed one is copied to `out`, unless it was copied before.
    """
    found = tutorial()
    if _PACKAGE not in found.parents:
        return found
    copy = out / TUTORIAL
    if not copy.exists():
        out.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(found.read_bytes())
    return copy.resolve()


def run_headless(out: Path) -> int:
    """Run the tutorial in a kernel and print a report.

    Writes the executed notebook, and the MP4 and PNG that it saves, to `out`.

    Returns:
        0 if every cell ran, else 1.
    """
    try:
        import nbformat
        from nbclient import NotebookClient
        from nbclient.exceptions import CellExecutionError
        from tqdm import tqdm
    except ImportError as error:
        raise needs(str(error.name)) from error
    out.mkdir(parents=True, exist_ok=True)
    notebook = nbformat.read(tutorial(), as_version=4)
    client = NotebookClient(
        notebook,
        timeout=CELL_SECONDS,
        resources={"metadata": {"path": str(out)}},
        extra_arguments=["--IPKernelApp.log_level=ERROR"],  # its start-up remarks are not the demo
    )
    failure = ""
    with client.setup_kernel(cwd=str(out)):
        try:
            for number, cell in enumerate(tqdm(notebook.cells, desc="running", unit="cell")):
                client.execute_cell(cell, number)
        except CellExecutionError as error:
            failure = str(error).strip().splitlines()[-1]
    nbformat.write(notebook, out / TUTORIAL)
    print(_said_by_connect(notebook))
    for name, value in _report(notebook).items():
        print(f"{name}: {value}")
    missing = [name for name in ("first_light.mp4", "first_light.png") if not (out / name).exists()]
    if failure or missing:
        print(f"failed: {failure or 'no ' + ', '.join(missing)}")
        return 1
    print(f"written to {out}{os.sep}: {', '.join(sorted(each.name for each in out.iterdir()))}")
    return 0


def _report(notebook: NotebookNode) -> dict[str, object]:
    """Return the dictionary that the tutorial's report cell shows."""
    for cell in notebook.cells:
        if cell.source.endswith("report"):
            for output in cell.get("outputs", ()):
                found: dict[str, object] = ast.literal_eval(output["data"]["text/plain"])
                return found
    return {}


def _said_by_connect(notebook: NotebookNode) -> str:
    """Return the line in which connecting told its target and time."""
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            for line in output.get("text", "").splitlines():
                if "connected to" in line or "reused" in line:
                    return str(line)
    return "not connected"
