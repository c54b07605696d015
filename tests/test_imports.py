"""Importing the package is quick, and what it offers is said."""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import inspect
import json
import os
import subprocess
import sys
from collections.abc import Iterator
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


def runtime_imports(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line and name of every module that a file imports at run time, in order."""
    tree = ast.parse(path.read_text())
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from ((node.lineno, each.name) for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.lineno, node.module


@pytest.mark.newest
def test_pyav_is_loaded_as_a_whole() -> None:
    """Nobody asks for a part of it first: two threads that do so at once break its loading."""
    package = Path(odyssey_nb.__file__).parent
    for path in package.rglob("*.py"):
        found = sorted(runtime_imports(path))
        parts = [line for line, name in found if name.startswith("av.")]
        whole = [line for line, name in found if name == "av"]
        assert not parts or (whole and whole[0] < parts[0]), path


# The thread that is in the middle of PyAV goes on when the other one has got into it, or could not.
AT_ONCE = """
import sys, threading

inside, began = threading.Event(), threading.Event()

class Meet:
    def find_spec(self, name, path=None, target=None):
        if name == "av.error" and threading.current_thread() is not first:
            inside.set()
        if name == "av.audio" and threading.current_thread() is first:
            began.set()
            inside.wait(0.5)

def load():
    from odyssey_nb.kernel.pictures import _check_format
    _check_format("rgb")

def decode():
    from odyssey_nb.kernel.newest import Newest
    began.wait(20)
    Newest(None)._decode(1, [])

sys.meta_path.insert(0, Meet())
broken = []
threading.excepthook = lambda given: broken.append(given.exc_value)
first, second = threading.Thread(target=load), threading.Thread(target=decode)
first.start(), second.start(), first.join(), second.join()
assert began.is_set() and not broken, broken
"""


@pytest.mark.newest
def test_two_threads_load_pyav_at_once() -> None:
    """A cell that shows a stream and the page that asks for its first picture."""
    subprocess.run([sys.executable, "-c", AT_ONCE], check=True, timeout=60)
