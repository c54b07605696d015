"""Services that live longer than one test, and what can be seen of them from outside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.error import HTTPError

import psutil

from tests.conftest import API_KEY, Service, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OTHER_KEY = "ody_test_key_of_somebody_else"


@contextmanager
def running(directory: Path, *options: str, world: str = "test_pattern") -> Iterator[Service]:
    """Run a service whose files, and whose words (``said``), are under `directory`.

    Another one after it finds what it left behind.
    """
    runtime = directory / "runtime"
    runtime.mkdir(mode=0o700, exist_ok=True)
    ready, data = directory / "ready", directory / "data"
    ready.unlink(missing_ok=True)
    command = [
        sys.executable, "-m", "odyssey_nb.cli", "serve", "--port", "0", "--world", world,
        "--data-dir", str(data), "--ready-file", str(ready),
        "--api-key", API_KEY, "--api-key", OTHER_KEY, *options,
    ]  # fmt: skip
    environment = {**os.environ, "ODYSSEY_NB_RUNTIME_DIR": str(runtime)}
    with (directory / "said").open("wb") as said:
        process = subprocess.Popen(command, env=environment, stdout=said, stderr=subprocess.STDOUT)
    try:
        wait_until(
            lambda: ready.exists() or process.poll() is not None, seconds=60, what="the service"
        )
        assert process.poll() is None, (directory / "said").read_text()
        where = json.loads(ready.read_text())
        yield Service(where["url"], where["pid"], data, process)
    finally:
        process.terminate()
        try:
            process.wait(10)
        finally:
            process.kill()


def run_to_end(directory: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run ``odyssey-nb serve`` with options that it cannot serve with."""
    command = [
        sys.executable, "-m", "odyssey_nb.cli", "serve", "--data-dir", str(directory), *options
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)


def is_ready(service: Service) -> bool:
    """Whether the service says that it is."""
    try:
        return bool(service.ask("GET", "/readyz")["status"] == "ready")
    except HTTPError as error:
        return error.code != 503


def streamers(parent: int) -> list[psutil.Process]:
    """Return the streamer processes that process `parent` started, oldest first."""
    return _children(parent, "odyssey_nb.service.streamer")


def simulators(parent: int) -> list[psutil.Process]:
    """Return the simulator processes that process `parent` started, oldest first."""
    return _children(parent, "odyssey_nb.service.simulator")


def _children(parent: int, module: str) -> list[psutil.Process]:
    try:
        children = psutil.Process(parent).children()
    except psutil.NoSuchProcess:
        return []
    found = []
    for child in children:
        try:
            if module in child.cmdline():
                found.append(child)
        except psutil.NoSuchProcess:
            continue
    return sorted(found, key=lambda process: process.create_time())
