"""Fixtures that every test may use: a private machine, and a whole service on it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from odyssey_nb.kernel.runtime import runtime as live_state

pytest_plugins = ["tests.plugins.skips", "tests.plugins.chromium", "tests.plugins.faults"]

API_KEY = "ody_test_key_of_the_tests"


# Files with few long tests. Begun last, each would leave the other workers without work.
LONG = (
    "browser/", "faults/", "test_cli.py", "test_notebooks.py", "kernel/", "sdk/", "test_readme.py",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let long files begin first."""
    items.sort(key=lambda item: not any(each in item.nodeid for each in LONG))


def wait_until(condition: Callable[[], Any], *, seconds: float = 10.0, what: str = "it") -> Any:
    """Return what `condition` returns as soon as it is true; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            pytest.fail(f"{what} did not happen within {seconds:g} s (last: {found!r})")
        time.sleep(0.02)


@dataclass
class Service:
    """A running ``odyssey-nb serve``, counted from outside."""

    url: str
    pid: int
    data_dir: Path
    process: subprocess.Popen[bytes] | psutil.Process
    api_key: str = API_KEY

    def ask(self, method: str, path: str, body: object = None, token: str = "") -> Any:
        """Send a request and return the decoded answer; raises HTTPError on a refusal."""
        request = urllib.request.Request(
            self.url + path,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "Authorization": f"Bearer {token}"},
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=5) as response:
                return json.loads(response.read() or b"null")
        except urllib.error.HTTPError as refusal:
            refusal.close()
            raise

    def token(self, api_key: str | None = None) -> str:
        """Exchange a key for an access token."""
        body = {"api_key": api_key or self.api_key}
        return str(self.ask("POST", "/auth/token", body)["access_token"])

    @property
    def held(self) -> int:
        """How many streamers are held, by whomever."""
        return int(self.ask("GET", "/healthz")["sessions"])

    def sessions(self, api_key: str | None = None) -> list[dict[str, Any]]:
        """The sessions of the key's account."""
        return list(self.ask("GET", "/sessions", token=self.token(api_key))["sessions"])

    def wait_free(self, *, seconds: float = 2.0) -> None:
        """Wait until nobody holds a streamer."""
        wait_until(lambda: self.held == 0, seconds=seconds, what="every streamer free")

    def stop(self) -> int:
        """End it as a terminal does, and return its exit status."""
        self.process.terminate()
        try:
            return self.process.wait(30)
        except (subprocess.TimeoutExpired, psutil.TimeoutExpired):
            self.process.kill()
            self.process.wait()
            raise


Serve = Callable[..., Service]


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the test runtime and data directories of its own, and no keys from outside.

    Nor is it an affair of this test where the connections of others in this process went.
    """
    if (manager := live_state().manager) is not None:
        manager._targets.clear()
    runtime = tmp_path / "runtime"
    runtime.mkdir(mode=0o700)
    monkeypatch.setenv("ODYSSEY_NB_RUNTIME_DIR", str(runtime))
    monkeypatch.setenv("ODYSSEY_NB_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("ODYSSEY_NB_WORLD", "test_pattern")
    monkeypatch.delenv("ODYSSEY_API_KEY", raising=False)
    monkeypatch.delenv("ODYSSEY_API_URL", raising=False)
    return runtime


def launch(folder: Path, *options: str, runtime: Path, world: str = "test_pattern") -> Service:
    """Start a service whose files are in `folder`, and wait until it accepts requests."""
    ready, data = folder / "ready", folder / "data"
    command = [
        sys.executable, "-m", "odyssey_nb.cli", "serve", "--port", "0", "--world", world,
        "--data-dir", str(data), "--ready-file", str(ready), "--api-key", API_KEY, *options,
    ]  # fmt: skip
    environment = {**os.environ, "ODYSSEY_NB_RUNTIME_DIR": str(runtime)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        wait_until(
            lambda: ready.exists() or process.poll() is not None, seconds=60, what="the service"
        )
        assert process.poll() is None, "the service did not start"
    except BaseException:
        process.kill()
        process.wait()
        raise
    said = json.loads(ready.read_text())
    return Service(said["url"], said["pid"], data, process)


@pytest.fixture
def serve(tmp_path: Path, machine: Path) -> Iterator[Serve]:
    """Start services with options: ``serve("--streamers", "1")``; all end with the test."""
    services: list[Service] = []

    def start(*options: str, world: str = "test_pattern") -> Service:
        folder = tmp_path / f"service-{len(services)}"
        folder.mkdir()
        services.append(launch(folder, *options, runtime=machine, world=world))
        return services[-1]

    yield start
    for service in services:
        if service.process.poll() is None:
            service.stop()


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """Services that tests share, by their options; each is kept as long as it lives."""
    kept: dict[tuple[str, ...], Service] = {}

    def find(*options: str) -> Service:
        if options not in kept or kept[options].process.poll() is not None:
            folder = tmp_path_factory.mktemp("kept")
            (folder / "runtime").mkdir(mode=0o700)
            kept[options] = launch(folder, *options, runtime=folder / "runtime")
        return kept[options]

    yield find
    for service in kept.values():
        if service.process.poll() is None:
            service.stop()


@pytest.fixture
def keep(kept: Serve) -> Iterator[Serve]:
    """Like `serve`, for tests that may find what others left there: none may leave a session."""
    used: list[Service] = []

    def find(*options: str) -> Service:
        used.append(kept(*options))
        return used[-1]

    yield find
    for service in used:
        if service.process.poll() is None:
            service.wait_free(seconds=30)


@pytest.fixture
def service(keep: Serve) -> Service:
    """A service with default options that shows the test pattern, shared as by `keep`."""
    return keep()


def find_local_service(runtime: Path) -> Service:
    """Return the local service that a kernel with this runtime directory has started."""
    (info,) = runtime.glob("service-*.json")
    said = json.loads(info.read_text())
    data = Path(said["data_dir"])
    key = (data / "local.key").read_text().strip()
    return Service(said["url"], said["pid"], data, psutil.Process(said["pid"]), key)


def end_local_services(runtime: Path) -> None:
    """End what `find_local_service` finds; it would outlive the tests by its idle time."""
    for info in runtime.glob("service-*.json"):
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(json.loads(info.read_text())["pid"])
            process.terminate()
            process.wait(10)


@pytest.fixture
def local_service(machine: Path) -> Iterator[Callable[[], Service]]:
    """Find the local service that the code under test has started; it ends with the test."""
    yield lambda: find_local_service(machine)
    end_local_services(machine)
