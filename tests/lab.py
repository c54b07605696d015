"""A real JupyterLab server, with configuration, data and notebooks of its own."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

from tests.conftest import Service, end_local_services, find_local_service, wait_until

LONGEST_START = 100.0  # seconds: it imports much, on a machine that may be busy with other tests


@dataclass
class Lab:
    """A running JupyterLab, its files in `folder`, all below `home`."""

    url: str
    token: str
    home: Path
    process: subprocess.Popen[bytes]

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

    def address(self, name: str, *, alone: bool = True) -> str:
        """Where a notebook of `folder` opens in a fresh workspace, alone or in one tab of many."""
        how = "doc" if alone else "lab"
        workspace = secrets.token_hex(4)
        return f"{self.url}{how}/workspaces/{workspace}/tree/{name}?token={self.token}"

    def service(self) -> Service:
        """The local service that a notebook has started."""
        return find_local_service(self.home / "runtime")

    def end_kernels(self) -> None:
        """Shut every kernel down, as closing them in the page does."""

        def none_left() -> bool:
            kernels = self.kernels("GET")
            for kernel in kernels:
                # One that restarts at this moment refuses; it is asked again.
                with suppress(urllib.error.HTTPError):
                    self.kernels("DELETE", f"/{kernel['id']}")
            return not kernels

        wait_until(none_left, seconds=10, what="every kernel's end")

    def answers(self) -> bool:
        """Whether it listens already."""
        with suppress(urllib.error.URLError):
            self.kernels("GET")
            return True
        return False

    def kernels(self, method: str, path: str = "") -> Any:
        """Ask the server's kernels API, as the page does."""
        request = urllib.request.Request(
            f"{self.url}api/kernels{path}",
            headers={"Authorization": f"token {self.token}"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=10) as response:
            return json.loads(response.read() or b"null")


@contextmanager
def running_lab(home: Path, **more: str) -> Iterator[Lab]:
    """Run a JupyterLab whose files are in `home`; `more` goes into its environment."""
    (home / "notebooks").mkdir()
    (home / "runtime").mkdir(mode=0o700, exist_ok=True)
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
        **more,
    }
    settings = home / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text(
        json.dumps({"fetchNews": "false", "checkForUpdates": False})
    )
    # Else each page asks whether extensions want a build, for which Node.js runs twice.
    page = home / "config" / "labconfig" / "page_config.json"
    page.parent.mkdir(parents=True)
    page.write_text(json.dumps({"buildCheck": False}))
    token = secrets.token_hex(8)
    with (home / "lab.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1",
             "--port=0", f"--IdentityProvider.token={token}", "--LabApp.extension_manager=readonly",
             "--ServerApp.allow_remote_access=True",  # pages may know it by another name
             f"--ServerApp.root_dir={home / 'notebooks'}"],
            env=environment, stdout=log, stderr=log, cwd=home / "notebooks",
        )  # fmt: skip
        try:
            lab = Lab(_address(home / "jupyter-runtime"), token, home, process)
            wait_until(lab.answers, seconds=LONGEST_START, what="JupyterLab's first answer")
            yield lab
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

    return str(wait_until(read, seconds=LONGEST_START, what="JupyterLab's start"))
