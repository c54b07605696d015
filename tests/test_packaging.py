"""What a user installs: the wheel has every file, and the metadata says what the code needs."""

from __future__ import annotations

import ast
import configparser
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from functools import cache
from importlib.metadata import distribution, packages_distributions
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "odyssey_nb"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """Return the wheel, built as an index would get it but without fetching anything."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=60)
    (path,) = folder.glob("*.whl")
    return zipfile.ZipFile(path)


def test_wheel_has_every_file(wheel: zipfile.ZipFile) -> None:
    """Each file of the package and every tutorial is in the wheel, and nothing else."""
    files = {
        path.relative_to(ROOT).as_posix()
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert any(file.startswith("odyssey_nb/widgets/static/") for file in files)
    tutorials = {f"odyssey_nb/notebooks/{path.name}" for path in ROOT.glob("notebooks/*.ipynb")}
    assert {name for name in wheel.namelist() if ".dist-info/" not in name} == files | tutorials


def test_wheel_has_licence_and_entry_points(wheel: zipfile.ZipFile) -> None:
    """The wheel carries the licence and declares what `pyproject.toml` declares."""
    (licence,) = (name for name in wheel.namelist() if name.endswith("/licenses/LICENSE"))
    assert b"Apache License" in wheel.read(licence)

    (entries,) = (name for name in wheel.namelist() if name.endswith("/entry_points.txt"))
    parser = configparser.ConfigParser()
    parser.read_string(wheel.read(entries).decode())
    project = read_project()
    assert dict(parser["console_scripts"]) == project["scripts"]
    assert dict(parser["odyssey_nb.worlds"]) == project["entry-points"]["odyssey_nb.worlds"]


def test_an_installed_tutorial_is_copied_to_its_reader(
    wheel: zipfile.ZipFile, tmp_path: Path
) -> None:
    """Nobody edits a file of the installed package, and a copy with somebody's work stays."""
    site = tmp_path / "site-packages"
    wheel.extractall(site)
    code = (
        "import pathlib; from odyssey_nb import demo; print(demo.readers_copy(pathlib.Path('out')))"
    )
    command = [sys.executable, "-c", code]
    environment = os.environ | {"PYTHONPATH": str(site)}

    def copy() -> Path:
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, check=True, capture_output=True, text=True
        )
        return Path(done.stdout.strip())

    assert copy().parent == tmp_path / "out"
    assert copy().read_text() == (ROOT / "notebooks" / copy().name).read_text()
    copy().write_text("my notes")
    assert copy().read_text() == "my notes"


def test_entry_points_load() -> None:
    """Every declared entry point leads to something that can be called."""
    for entry in distribution("odyssey-nb").entry_points:
        assert callable(entry.load()), entry


def test_every_import_is_declared() -> None:
    """What the package imports comes with an install of it, or of an extra for its users."""
    imports = third_party_imports()
    assert {name: imports[name] for name in imports if not is_declared(name)} == {}


def test_every_requirement_has_a_lowest_version() -> None:
    """The lowest supported versions are stated, so `make test` can try them."""
    without = [each for each in read_project()["dependencies"] if ">=" not in each]
    assert without == []


def read_project() -> dict[str, Any]:
    """Return the project table of `pyproject.toml`."""
    project: dict[str, Any]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return project


def third_party_imports() -> dict[str, set[str]]:
    """Return the top-level modules that the package imports from others, and where."""
    imports: dict[str, set[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            for name in {name.partition(".")[0] for name in names}:
                if name not in sys.stdlib_module_names | {"odyssey_nb"}:
                    imports.setdefault(name, set()).add(path.name)
    return imports


def is_declared(module: str) -> bool:
    """Say whether a distribution that provides this module is required."""
    providers = installed().get(module, [module])
    return any(normal(provider) in declared() for provider in providers)


installed = cache(packages_distributions)


@cache
def declared() -> set[str]:
    """Return the distributions that users get, extras included except the developers' own."""
    project = read_project()
    extras = project["optional-dependencies"]
    lines = project["dependencies"] + [
        line for extra in extras if extra not in {"lint", "test"} for line in extras[extra]
    ]
    return {normal(re.split(r"[<>=\[; ]", line)[0]) for line in lines}


def normal(name: str) -> str:
    """Return a distribution's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()
