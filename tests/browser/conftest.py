"""A real JupyterLab and a real Chromium."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pytest
from playwright.sync_api import Page, expect

from tests.conftest import Service, end_local_services, find_local_service, wait_until


@dataclass
class Lab:
    """A running JupyterLab, its files in `folder`, all below `home`."""

    url: str
    token: str
    home: Path

    @property
    def folder(self) -> Path:
        """Where notebooks are."""
        return self.home / "notebooks"

    def write(self, name: str, *cells: str) -> None:
        """Write a notebook of code cells."""
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(each) for each in cells],
            metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        )
        nbformat.write(notebook, self.folder / name)

    def address(self, name: str) -> str:
        """Where a notebook of `folder` opens, alone and in a fresh workspace."""
        workspace = secrets.token_hex(4)
        return f"{self.url}doc/workspaces/{workspace}/tree/{name}?token={self.token}"

    def service(self) -> Service:
        """The local service that a notebook has started."""
        return find_local_service(self.home / "runtime")

    def end_kernels(self) -> None:
        """Shut every kernel down, as closing them in the page does."""

        def none_left() -> bool:
            kernels = self._api("GET")
            for kernel in kernels:
                # One that restarts at this moment refuses; it is asked again.
                with suppress(urllib.error.HTTPError):
                    self._api("DELETE", f"/{kernel['id']}")
            return not kernels

        wait_until(none_left, seconds=10, what="every kernel's end")

    def _api(self, method: str, path: str = "") -> Any:
        request = urllib.request.Request(
            f"{self.url}api/kernels{path}",
            headers={"Authorization": f"token {self.token}"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=10) as response:
            return json.loads(response.read() or b"null")


@pytest.fixture(scope="session")
def running_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Run one JupyterLab for all tests, with configuration, data and notebooks of its own."""
    home = tmp_path_factory.mktemp("lab")
    (home / "notebooks").mkdir()
    (home / "runtime").mkdir(mode=0o700)
    environment = os.environ | {
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "jupyter-data"),
        "JUPYTER_RUNTIME_DIR": str(home / "jupyter-runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
        "JUPYTER_PREFER_ENV_PATH": "1",
        "IPYTHONDIR": str(home / "ipython"),
        "MPLCONFIGDIR": str(home / "matplotlib"),
        "ODYSSEY_NB_RUNTIME_DIR": str(home / "runtime"),
        "ODYSSEY_NB_DATA_DIR": str(home / "data"),
        "ODYSSEY_NB_WORLD": "test_pattern",
    }
    settings = home / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text(
        json.dumps({"fetchNews": "false", "checkForUpdates": False})
    )
    token = secrets.token_hex(8)
    with (home / "lab.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1",
             "--port=0", f"--IdentityProvider.token={token}", "--LabApp.extension_manager=readonly",
             f"--ServerApp.root_dir={home / 'notebooks'}"],
            env=environment, stdout=log, stderr=log, cwd=home / "notebooks",
        )  # fmt: skip
        try:
            yield Lab(_address(home / "jupyter-runtime"), token, home)
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            end_local_services(home / "runtime")


def _address(runtime: Path) -> str:
    """Wait until JupyterLab has written where it listens."""

    def read() -> str:
        for file in runtime.glob("jpserver-*.json"):
            with suppress(ValueError):
                return str(json.loads(file.read_text())["url"])
        return ""

    return str(wait_until(read, seconds=40, what="JupyterLab's start"))


@pytest.fixture
def lab(running_lab: Lab) -> Iterator[Lab]:
    """The JupyterLab; the test's kernels end with it, and must leave no streamer held."""
    yield running_lab
    running_lab.end_kernels()
    if list((running_lab.home / "runtime").glob("service-*.json")):
        running_lab.service().wait_free(seconds=3)


@dataclass
class Notebook:
    """A notebook that is open in the page."""

    page: Page
    lab: Lab
    name: str

    def save(self) -> None:
        """Save it from the keyboard, and wait until its outputs are in the file."""
        file = self.lab.folder / self.name
        self.page.keyboard.press("Control+s")
        wait_until(lambda: '"output_type"' in file.read_text(), what="the saved outputs")

    def run_all(self) -> None:
        """Run every cell, from the menu."""
        self.page.get_by_role("menuitem", name="Run", exact=True).click()
        self.page.get_by_role("menuitem", name="Run All Cells", exact=True).click()

    @property
    def player(self) -> Any:
        """The Player's root element."""
        return self.page.locator(".odyssey-player").first

    @property
    def seq(self) -> int:
        """The newest painted picture."""
        return int(self.player.locator("canvas").get_attribute("data-seq") or 0)

    def wait_live(self, *, pictures: int = 3, seconds: float = 60) -> None:
        """Wait until so many pictures are painted."""
        expect(self.player).to_have_attribute("data-streaming", "true", timeout=seconds * 1000)
        self.page.wait_for_function(
            "n => Number(document.querySelector('.odyssey-player canvas').dataset.seq) >= n",
            arg=pictures,
            timeout=seconds * 1000,
        )


OpenNotebook = Callable[..., Notebook]


@pytest.fixture
def open_notebook(lab: Lab, page: Page) -> OpenNotebook:
    """Write the given cells as a notebook and open it: ``open_notebook("x = 1", "x")``."""

    def open_it(*cells: str, name: str = "test.ipynb") -> Notebook:
        if cells:
            lab.write(name, *cells)
        page.goto(lab.address(name))
        page.locator(".jp-Notebook").wait_for(timeout=60_000)
        # Without a saved preference JupyterLab asks which kernel to use.
        idle = page.get_by_title("Kernel status: Idle").or_(page.get_by_text("| Idle")).first
        select = page.locator(".jp-Dialog .jp-mod-accept")
        select.or_(idle).first.wait_for(timeout=60_000)
        if select.is_visible():
            select.click()
        idle.wait_for(timeout=60_000)
        return Notebook(page, lab, name)

    return open_it
