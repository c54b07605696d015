"""The machine: Python, packages, kernel, folders and settings."""

from __future__ import annotations

import asyncio
import os
import platform
import re
import shutil
import sys
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from odyssey_nb import config
from odyssey_nb.errors import SettingError
from odyssey_nb.kernel.hidden import when_hidden

if TYPE_CHECKING:
    from odyssey_nb.diagnosis.patient import Chart, Patient

TOLD = ("aiortc", "aioice", "aiohttp", "av", "numpy", "ipywidgets", "anywidget", "ipykernel")
ROOM = 200 * 2**20  # bytes that a recording or two take
SDK = "odyssey"  # what the official SDK is imported as; on PyPI that is another project
SDK_FROM = 'pip install "git+https://github.com/odysseyml/odyssey-python"'


async def python(_patient: Patient, chart: Chart) -> None:
    """The interpreter and the system."""
    found = f"Python {platform.python_version()} on {platform.system()} {platform.release()}"
    if sys.platform == "win32":
        chart.warn(found, "Windows is not supported yet; use WSL.")
    else:
        chart.ok(found)


async def packages(_patient: Patient, chart: Chart) -> None:
    """The versions that are needed, and the project that is mistaken for the official SDK."""
    wrong, met = [], 0
    for name, bounds in requirements():
        have = version_of(name)
        if have and all(meets(have, *each) for each in bounds):
            met += 1
        else:
            wanted = ",".join(op + bound for op, bound in bounds)
            wrong.append((f"{name} {have or 'is missing'}", f'"{name}{wanted}"'))
    if wrong:
        chart.fail(
            f"{', '.join(each for each, _ in wrong)}: not what this package needs",
            f"`pip install {' '.join(each for _, each in wrong)}`",
        )
    else:
        told = ", ".join(f"{name} {have}" for name in TOLD if (have := version_of(name)))
        chart.ok(f"odyssey-nb {config.VERSION}; {met} packages are as needed: {told}")
    await _sdk(chart)


async def _sdk(chart: Chart) -> None:
    spec = find_spec(SDK) if SDK not in sys.modules else sys.modules[SDK].__spec__
    if spec is None:
        return  # it is not needed
    folders = [Path(each) for each in spec.submodule_search_locations or ()]
    if any((each / "signaling.py").exists() for each in folders):
        chart.ok(f"Odyssey's own SDK {version_of(SDK)} is there too", of="SDK")
    else:
        chart.warn(
            f"the package called {SDK} here is another project than Odyssey's SDK",
            f"Where you need that: `pip uninstall {SDK}`, then `{SDK_FROM}`.",
            of="SDK",
        )


async def kernel(_patient: Patient, chart: Chart) -> None:
    """What of the kernel's version shows in the notebook."""
    have = version_of("ipykernel")
    if not in_kernel():
        chart.skip("no kernel here; `%odyssey doctor` in a notebook looks at its kernel")
    elif numbers(have) < (7,):
        chart.warn(
            f"ipykernel {have}: the Player's controls wait while a cell runs",
            '`pip install -U "ipykernel>=7.1"`, then restart the kernel.',
        )
    elif numbers(have) < (7, 1):
        chart.fail(
            f"ipykernel {have}: what threads send gets lost",
            '`pip install -U "ipykernel>=7.1"`, then restart the kernel.',
        )
    else:
        chart.ok(f"ipykernel {have}: pages and cells are answered at the same time")
    patched = hasattr(asyncio, "_nest_patched") and not hasattr(asyncio, "_nest_asyncio2")
    if in_kernel() and patched and numbers(have) >= (7,):
        chart.fail(
            "nest_asyncio is applied, which loses cells and messages on ipykernel 7",
            "Restart the kernel, and write `%odyssey asyncio on` in its place.",
        )


async def folders(_patient: Patient, chart: Chart) -> None:
    """Where leases, logs and the local service's files go."""
    runtime, data = config.runtime_dir(), config.default_data_dir()
    held = data
    while not held.exists():
        held = held.parent
    low = [each for each in (runtime, held) if shutil.disk_usage(each).free < ROOM]
    if not os.access(held, os.W_OK):
        chart.fail(f"{short(data)} cannot be written", "Set ODYSSEY_NB_DATA_DIR to one that can.")
    elif low:
        free = shutil.disk_usage(low[0]).free / 2**20
        chart.warn(f"only {free:.0f} MB are free in {short(low[0])}", "Make room there.")
    else:
        chart.ok(f"{short(runtime)} is private, {short(data)} can be written")


async def settings(_patient: Patient, chart: Chart) -> None:
    """The environment's settings, each as it would be read."""
    wrong = False
    for read in (config.daily_budget_seconds, config.suspended_seconds, when_hidden):
        try:
            read()
        except SettingError as error:
            wrong = True
            chart.fail(str(error), error.hint)
    if not wrong:
        names = ", ".join(config.settings_told())
        chart.ok(f"in the environment: {names or 'none'}")


def in_kernel() -> bool:
    """Whether this is a kernel, as notebooks have it."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None


def version_of(name: str) -> str:
    """Return a distribution's version; empty if there is none."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def requirements() -> list[tuple[str, list[tuple[str, str]]]]:
    """Return what this package needs in any case: names, each with its bounds."""
    try:
        lines = metadata.requires("odyssey-nb") or []
    except metadata.PackageNotFoundError:  # a source tree that is not installed
        lines = []
    found = []
    for line in lines:
        text, _, marker = line.partition(";")
        named = re.match(r"[\w.-]+", text)
        if named and "extra" not in marker:
            found.append((named[0], re.findall(r"(>=|<)\s*([\w.]+)", text)))
    return found


def meets(version: str, operator: str, bound: str) -> bool:
    """Whether a version is on the right side of a bound."""
    return (numbers(version) >= numbers(bound)) == (operator == ">=")


def numbers(version: str) -> tuple[int, ...]:
    """Return a version's leading numbers, without zeros at the end."""
    found = re.match(r"\d+(?:\.\d+)*", version)
    parts = [int(each) for each in found[0].split(".")] if found else []
    while parts and not parts[-1]:
        parts.pop()
    return tuple(parts)


def short(path: Path) -> str:
    """Return a path as a person writes it."""
    home = Path.home()
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)
