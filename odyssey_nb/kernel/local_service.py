"""The local service for notebooks: used if one runs, started if not, alone by itself when unused.

Whoever starts one holds a lock, so that two kernels do not start two.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from odyssey_nb.config import default_data_dir, local_key, local_world, runtime_dir
from odyssey_nb.discovery import (
    ServiceAddress,
    idle_services_of_other_versions,
    running_service,
)
from odyssey_nb.errors import ServiceStartError
from odyssey_nb.kernel.logs import last_words, open_log
from odyssey_nb.kernel.runtime import runtime
from odyssey_nb.locking import try_lock
from odyssey_nb.private import writing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from odyssey_nb.config import Target

START_SECONDS = 30.0
STOP_SECONDS = 6.0
UNUSED_SECONDS = 900  # a service that a notebook started ends after so long without sessions
POLL_SECONDS = 0.05

_mine = threading.Lock()  # a file lock does not tell this process's threads apart


def ensure_local_service(say: Callable[[str], None] = lambda _: None) -> tuple[str, str]:
    """Return URL and API key of the local service, started first if none runs; `say` tells that.

    Raises:
        ServiceStartError: It did not start.
    """
    _reap()
    found = running_service()
    if found is None:
        with _starting():
            found = running_service()
            if found is None:
                say("starting the local service…")
                found = _start()
    return found.url, local_key(Path(found.data_dir))


def address_of(target: Target, say: Callable[[str], None] = lambda _: None) -> tuple[str, str]:
    """Return URL and API key of `target`, which may be the local service."""
    if target.url is not None and target.api_key is not None:
        return target.url, target.api_key
    return ensure_local_service(say)


def _start() -> ServiceAddress:
    _end_idle_predecessors()
    ready = runtime_dir() / "service.ready"
    ready.unlink(missing_ok=True)
    command = [
        sys.executable, "-m", "odyssey_nb.cli", "serve", "--port", "0",
        "--data-dir", str(default_data_dir()), "--ready-file", str(ready),
        "--stop-when-unused", str(UNUSED_SECONDS),
    ]  # fmt: skip
    world = local_world()
    if world:
        command += ["--world", world]
    with open_log("service") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True, cwd="/",
        )  # fmt: skip
    deadline = time.monotonic() + START_SECONDS
    try:
        while not ready.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise ServiceStartError(f"the local service did not start{last_words('service')}")
            time.sleep(POLL_SECONDS)
        found = running_service()
        if found is None:
            raise ServiceStartError("the local service started but does not answer")
    except BaseException:
        with suppress(ProcessLookupError):
            process.terminate()
        raise
    # It outlives this kernel on purpose; Popen would complain that nobody waits for it.
    runtime().children.append(process.pid)
    process.returncode = 0
    return found


def _end_idle_predecessors() -> None:
    """End services of other versions that nobody uses: they hold the data directory."""
    for service in idle_services_of_other_versions():
        with suppress(psutil.NoSuchProcess, psutil.TimeoutExpired):
            process = psutil.Process(service.pid)
            process.terminate()
            process.wait(STOP_SECONDS)


def _reap() -> None:
    """Take note of services that this process started and that have ended; no zombie stays."""
    children = runtime().children
    for pid in tuple(children):
        running = False
        with suppress(ChildProcessError, AttributeError):  # somebody else's wait, Windows
            running = os.waitpid(pid, os.WNOHANG) == (0, 0)
        if not running:
            children.remove(pid)


@contextmanager
def _starting() -> Iterator[None]:
    """Hold the lock under which a service is started."""
    deadline = time.monotonic() + START_SECONDS
    lock = runtime_dir() / "service.lock"
    with writing(lock):
        fd = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    held = False
    try:
        held = _mine.acquire(timeout=START_SECONDS)
        while not (held and try_lock(fd)):
            if time.monotonic() > deadline:
                raise ServiceStartError("somebody else has been starting the service for long")
            time.sleep(POLL_SECONDS)
        yield
    finally:
        os.close(fd)
        if held:
            _mine.release()
