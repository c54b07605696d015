"""Importing the package is quick, and what it offers is said."""

from __future__ import annotations

import importlib
import importlib.metadata
import inspect
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import odyssey_nb
from odyssey_nb import api

HEAVY = {
    "PIL", "aiohttp", "aiortc", "anywidget", "av", "fastapi", "ipywidgets", "matplotlib", "numpy",
    "tqdm", "uvicorn", "websockets",
}  # fmt: skip
OURS = {"odyssey_nb.client", "odyssey_nb.service", "odyssey_nb.sidecar", "odyssey_nb.widgets"}
IMPORT = "import odyssey_nb"
LOAD_EXT = """
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.run_cell('get_ipython().run_line_magic("load_ext", "odyssey_nb")').raise_error()
assert "odyssey" in shell.magics_manager.magics["line"]
assert "odyssey" in shell.magics_manager.magics["cell"]
"""


def modules_after(code: str, folder: Path) -> set[str]:
    """Run `code` in a fresh interpreter and return the modules that it has loaded."""
    out = folder / "modules.json"
    code += f"\nimport json, pathlib, sys\npathlib.Path({str(out)!r}).write_text("
    code += "json.dumps(sorted(sys.modules)))"
    subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**os.environ, "IPYTHONDIR": str(folder)},
        check=True,
        timeout=60,
    )
    return set(json.loads(out.read_text()))


@pytest.mark.parametrize("code", [IMPORT, LOAD_EXT], ids=["import", "load_ext"])
def test_import_loads_nothing_heavy(code, tmp_path):
    """`import odyssey_nb` and `%load_ext odyssey_nb` load no library that takes a while."""
    loaded = modules_after(code, tmp_path)
    assert "odyssey_nb" in loaded
    assert loaded & (HEAVY | OURS) == set()


def test_import_does_not_need_ipython(tmp_path):
    """A script that imports the package does not pay for IPython."""
    assert "IPython" not in modules_after(IMPORT, tmp_path)


def test_heavy_modules_would_be_seen(tmp_path):
    """The check above does see what a module imports."""
    loaded = modules_after("import odyssey_nb.media.pixels", tmp_path)
    assert {"av", "numpy"} <= loaded


def test_all_is_sorted_and_exists():
    """`__all__` is sorted, without repetitions, and every name in it exists."""
    assert odyssey_nb.__all__ == sorted(set(odyssey_nb.__all__))
    assert not [name for name in odyssey_nb.__all__ if not hasattr(odyssey_nb, name)]


def test_all_is_complete():
    """Whatever the package or its `api` defines without an underscore is in `__all__`."""
    files = Path(api.__file__).parent.glob("[a-z]*.py")
    names = {each.stem for each in files} - {"asking"}
    parts = [importlib.import_module(f"odyssey_nb.api.{each}") for each in names]
    defined = {
        name
        for module in (odyssey_nb, *parts)
        for name, value in vars(module).items()
        if getattr(value, "__module__", None) == module.__name__ and not name.startswith("_")
    }
    assert {"connect", "start", "status"} <= set(api.__all__) <= defined <= set(odyssey_nb.__all__)


@pytest.mark.parametrize("name", [each for each in odyssey_nb.__all__ if each != "__version__"])
def test_every_export_is_documented(name):
    """Every exported function and class has a docstring whose first line is a sentence."""
    text = inspect.getdoc(getattr(odyssey_nb, name))
    assert text
    assert text.splitlines()[0][-1] in ".:"


def test_version_is_the_distributions():
    """`__version__` is what was installed."""
    assert odyssey_nb.__version__ == importlib.metadata.version("odyssey-nb")
