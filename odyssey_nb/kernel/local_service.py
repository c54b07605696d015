"""The local service: found again if it runs, started if not, alone by itself when unused.

Its address is in a file of the runtime directory. A file proves nothing, so the service is asked
for its nonce before it is used; whoever starts one holds a lock, so that two kernels do not start
two.
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from odyssey_nb.config import (
    ServiceAddress,
    default_data_dir,
    local_key,
    local_world,
    read_service_info,
    runtime_dir,
    service_info_file,
)
from odyssey_nb.errors import ServiceStartError
from odyssey_nb.kernel.runtime import runtime

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

START_SECONDS = 30.0
PROBE_SECONDS = 1.0
BUSY_SECONDS = 5.0
UNUSED_SECONDS = 900  # a service that a notebook started ends after so long without sessions
POLL_SECONDS = 0.05


def ensure_local_service(say: Callable[[str], None] = lambda _: None) -> tuple[str, str]:
    """Return URL and API key of the local service, started first if none runs; `say` tells that.

    Raises:
        ServiceStartError: It did not start.
    """
    _reap()
    info = running_service()
    if info is None:
        with _starting():
            info = running_service()
            if info is None:
                say("starting the local service…")
                info = _start()
    return info.url, local_key(Path(info.data_dir))


def running_service() -> ServiceAddress | None:
    """Return the local service's address if it answers."""
    import psutil

    info = read_service_info()
    if info is None:
        return None
    answer = _probe(info.url, PROBE_SECONDS)
    if answer is None and psutil.pid_exists(info.pid):
        answer = _probe(info.url, BUSY_SECONDS)  # it runs, so it may only be busy
    return info if answer is not None and answer.get("nonce") == info.nonce else None


def _probe(url: str, seconds: float) -> dict[str, object] | None:
    """Ask who answers at `url`; ``None`` for nobody."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=seconds)
    try:
        connection.request("GET", "/healthz")
        found = json.loads(connection.getresponse().read())
    except (OSError, ValueError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    return found if isinstance(found, dict) else None


def _start() -> ServiceAddress:
    folder = runtime_dir()
    ready, log, data = folder / "service.ready", folder / "service.log", default_data_dir()
    ready.unlink(missing_ok=True)
    command = [
        sys.executable, "-m", "odyssey_nb.cli", "serve", "--port", "0", "--data-dir", str(data),
        "--ready-file", str(ready), "--stop-when-unused", str(UNUSED_SECONDS),
    ]  # fmt: skip
    world = local_world()
    if world:
        command += ["--world", world]
    with os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True, cwd="/",
        )  # fmt: skip
    deadline = time.monotonic() + START_SECONDS
    try:
        while not ready.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise ServiceStartError(f"the local service did not start{_last_line(log)}")
            time.sleep(POLL_SECONDS)
        url = str(json.loads(ready.read_text())["url"])
        answer = _probe(url, BUSY_SECONDS)
        if answer is None:
            raise ServiceStartError("the local service started but does not answer")
    except BaseException:
        with suppress(ProcessLookupError):
            process.terminate()
        raise
    info = ServiceAddress(url=url, pid=process.pid, nonce=str(answer["nonce"]), data_dir=str(data))
    _publish(info)
    # It outlives this kernel on purpose; Popen would complain that nobody waits for it.
    runtime().children.append(process.pid)
    process.returncode = 0
    return info


def _reap() -> None:
    """Take note of services that this process started and that have ended; no zombie stays."""
    children = runtime().children
    for pid in tuple(children):
        running = False
        with suppress(ChildProcessError, AttributeError):  # somebody else's wait, Windows
            running = os.waitpid(pid, os.WNOHANG) == (0, 0)
        if not running:
            children.remove(pid)


def _publish(info: ServiceAddress) -> None:
    partial = service_info_file().with_suffix(f".{os.getpid()}")
    fields = {"url": info.url, "pid": info.pid, "nonce": info.nonce, "data_dir": info.data_dir}
    partial.write_text(json.dumps(fields))
    partial.replace(service_info_file())


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return f": {lines[-1]}" if lines else ""


@contextmanager
def _starting() -> Iterator[None]:
    """Hold the lock under which a service is started."""
    fd = os.open(runtime_dir() / "service.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not _lock(fd):
            if time.monotonic() > deadline:
                raise ServiceStartError("another process has been starting the service for long")
            time.sleep(POLL_SECONDS)
        yield
    finally:
        os.close(fd)


def _lock(fd: int) -> bool:
    if fcntl is None:
        return True
    try:
        fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
