"""The local service that notebooks start, share and outlive."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

import odyssey_nb as ody
from odyssey_nb.discovery import running_service
from odyssey_nb.errors import ServiceStartError
from odyssey_nb.kernel import local_service as module
from odyssey_nb.kernel.local_service import ensure_local_service
from tests.conftest import Serve, Service, wait_until

pytestmark = pytest.mark.newest

ASK = "from odyssey_nb.kernel.local_service import ensure_local_service as e; print(e()[0])"


def test_processes_that_ask_at_once_share_one(local_service: Callable[[], Service]) -> None:
    """Two processes and two threads start one service between them, and it outlives them."""

    def ask(_: int) -> str:
        return subprocess.run(
            [sys.executable, "-c", ASK], check=True, capture_output=True, text=True, timeout=60
        ).stdout.strip()

    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(ask, n) for n in range(2)]
        asked += [pool.submit(lambda: ensure_local_service()[0]) for _ in range(2)]
        urls = {each.result() for each in asked}
    assert urls == {local_service().url}
    assert running_service() is not None
    assert local_service().held == 0


def test_an_address_that_lies_is_not_believed(
    local_service: Callable[[], Service], machine: Path
) -> None:
    """After the service was killed a new one is started."""
    first, key = ensure_local_service()
    process = psutil.Process(local_service().pid)
    process.kill()
    process.wait(5)
    second, same_key = ensure_local_service()
    assert second != first
    assert same_key == key, "the key outlives the service"


def test_a_service_from_a_terminal_is_used(serve: Serve) -> None:
    """Whoever serves by hand wants notebooks to use that; no second one is started."""
    service = serve()
    url, key = ensure_local_service()
    assert url == service.url
    assert key == (service.data_dir / "local.key").read_text()


def test_an_upgrade_takes_over(
    serve: Serve, machine: Path, local_service: Callable[[], Service],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """A service of another version gives the data directory up when nobody uses it."""
    service = serve()
    (info,) = machine.glob("service-*.json")
    older = info.rename(machine / "service-0.0.1.json")
    monkeypatch.setenv("ODYSSEY_NB_DATA_DIR", str(service.data_dir))
    connection = ody.connect("upgrade", url=service.url, api_key=service.api_key)
    with pytest.raises(ServiceStartError, match="already"):
        ensure_local_service()
    connection.disconnect()
    url, _ = ensure_local_service()
    assert url != service.url
    assert service.process.wait(5) == 0
    older.unlink(missing_ok=True)


def test_an_unused_service_stops(
    local_service: Callable[[], Service], machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service that a notebook started ends by itself."""
    monkeypatch.setattr(module, "UNUSED_SECONDS", 1)
    ensure_local_service()
    process = psutil.Process(local_service().pid)
    wait_until(
        lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE,
        seconds=15,
        what="the service's end",
    )
    assert not list(machine.glob("service-*.json")), "it takes its address along"


def test_a_service_that_cannot_start_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error carries the service's own last line."""
    monkeypatch.setenv("ODYSSEY_NB_WORLD", "atlantis")
    with pytest.raises(ServiceStartError, match="no world called 'atlantis'"):
        ensure_local_service()


def test_the_files_are_private(local_service: Callable[[], Service], machine: Path) -> None:
    """Key, log and runtime directory are for this user alone."""
    ensure_local_service()
    data = local_service().data_dir
    files = [
        data / "local.key",
        data / "service.db",
        data / "token.secret",
        machine / "service.log",
    ]
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    key = (data / "local.key").read_text()
    assert key not in (data / "service.db").read_bytes().decode(errors="replace")
    assert key not in (machine / "service.log").read_text()
