"""The tutorials: where they are, and one run without a screen that reports what happened."""

from __future__ import annotations

import ast
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from odyssey_nb.errors import UsageError

if TYPE_CHECKING:
    from nbformat import NotebookNode

FIRST = "01"
CELL_SECONDS = 120
_PACKAGE = Path(__file__).parent


def tutorials() -> list[Path]:
    """Return the tutorials: of the source tree, or as they were installed with the package."""
    found: list[Path] = []
    for folder in (_PACKAGE.parent / "notebooks", _PACKAGE / "notebooks"):
        found = found or sorted(folder.glob("[0-9][0-9]_*.ipynb"))
    return found


def tutorial(which: str = FIRST) -> Path:
    """Return the tutorial of that number, or whose name has these letters.

    Raises:
        UsageError: There is none, or there are several.
    """
    number = which.zfill(2) if which.isdecimal() else ""
    words = "_".join(which.casefold().replace("-", " ").split())
    found = [
        each
        for each in tutorials()
        if (each.stem.startswith(f"{number}_") if number else words in each.stem)
    ]
    if len(found) != 1:
        known = ", ".join(each.stem for each in found or tutorials())
        raise UsageError(
            f"{len(found) or 'no'} tutorials are called {which!r}",
            hint=f"There are {known}." if known else "Install odyssey-nb again.",
        )
    return found[0]


def needs(module: str) -> UsageError:
    """Return what to say when `module` is not installed."""
    return UsageError(f"the demo needs {module}", hint='Run pip install "odyssey-nb[demo]".')


def readers_copy(out: Path, which: str = FIRST) -> Path:
    """Return a tutorial where its reader may change it.

    That is the source tree; an installed one is copied to `out`, unless it was copied before.
    """
    found = tutorial(which)
    if _PACKAGE not in found.parents:
        return found
    copy = out / found.name
    if not copy.exists():
        out.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(found.read_bytes())
    return copy.resolve()


def run_headless(out: Path, which: str = FIRST) -> int:
    """Run a tutorial in a kernel and print a report.

    Writes the executed notebook, and the files that it saves, to `out`.

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
    found = tutorial(which)
    out.mkdir(parents=True, exist_ok=True)
    notebook = nbformat.read(found, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=CELL_SECONDS,
        resources={"metadata": {"path": str(out)}},
        extra_arguments=["--IPKernelApp.log_level=ERROR"],  # its start-up remarks are not the demo
    )
    failure, began = "", time.monotonic()
    with client.setup_kernel(cwd=str(out)):
        try:
            for number, cell in enumerate(tqdm(notebook.cells, desc="running", unit="cell")):
                client.execute_cell(cell, number)
        except CellExecutionError as error:
            failure = str(error).strip().splitlines()[-1]
    nbformat.write(notebook, out / found.name)
    print(_said_by_connect(notebook))
    print(f"{found.stem}: {time.monotonic() - began:.0f} s")
    for name, value in _report(notebook).items():
        print(f"{name}: {value}")
    if failure:
        print(f"failed: {failure}")
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
    return "not connected: simulations need no connection"
