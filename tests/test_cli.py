"""The command line as a user types it."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from odyssey_nb import demo
from odyssey_nb.config import VERSION
from odyssey_nb.errors import UsageError
from tests.conftest import Serve, Service, wait_until


def odyssey_nb(
    *words: str, seconds: float = 60, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run the command, which may read `stdin`, and return what it said."""
    command = [sys.executable, "-m", "odyssey_nb.cli", *words]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=seconds, check=False, input=stdin
    )


def test_version_and_help() -> None:
    """Both answer without loading anything heavy."""
    assert odyssey_nb("--version").stdout.strip() == VERSION
    assert "serve" in odyssey_nb("--help").stdout


def test_a_mistake_is_one_line() -> None:
    """A wrong option is told in one line, with exit status 1."""
    done = odyssey_nb("serve", "--world", "atlantis")
    assert done.returncode == 1
    assert "no world called 'atlantis'" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_taken_port_is_one_line() -> None:
    """The line names the address and what else to try."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = odyssey_nb("serve", "--port", str(taken.getsockname()[1]))
    assert done.returncode == 1
    assert "--port" in done.stderr
    assert done.stderr.count("\n") == 1


def test_sessions_without_any() -> None:
    """An empty machine says so."""
    assert "no sessions" in odyssey_nb("sessions").stdout


def test_recordings_from_a_terminal(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """The verb works without a notebook, and its mistakes are one line."""
    service = serve()
    monkeypatch.setenv("ODYSSEY_API_URL", service.url)
    monkeypatch.setenv("ODYSSEY_API_KEY", service.api_key)
    assert "no recordings" in odyssey_nb("recordings", "--limit", "3").stdout
    monkeypatch.setenv("ODYSSEY_API_KEY", "ody_wrong")
    done = odyssey_nb("recordings")
    assert done.returncode == 1
    assert done.stderr.startswith("odyssey-nb: invalid api key")


def test_a_simulation_from_a_terminal(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file with a script is run to its end, and one that makes no sense is one line."""
    monkeypatch.setenv("ODYSSEY_API_URL", service.url)
    monkeypatch.setenv("ODYSSEY_API_KEY", service.api_key)
    file = tmp_path / "forest.txt"
    file.write_text("0 start a forest\n0.5 end")
    assert "completed, 10 of 10 pictures" in odyssey_nb("simulate", str(file)).stdout
    assert "completed, 10 of 10 pictures" in odyssey_nb("simulations", "--limit", "1").stdout
    file.write_text("0 start a forest\n0.5 stop")
    done = odyssey_nb("simulate", str(file))
    assert done.returncode == 1
    assert done.stderr.startswith("odyssey-nb: line 2: 'stop' is none of")


def test_the_ready_file_says_where(service: Service) -> None:
    """The file appears once requests are accepted, and only this user can read it."""
    assert service.pid == service.process.pid
    assert service.ask("GET", "/healthz")["version"] == VERSION


def only_loopback() -> list[str]:
    """What gives a command a network namespace whose only interface is lo, which needs root."""
    if sys.platform != "linux" or shutil.which("unshare") is None or os.getuid() != 0:
        return []
    return ["unshare", "-n", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]


@pytest.mark.newest
def test_the_headless_demo_with_only_the_loopback_interface(
    tmp_path: Path, machine: Path, local_service: Callable[[], Service]
) -> None:
    """With no network but lo it runs the tutorial, reports, and writes notebook, MP4 and PNG."""
    out = tmp_path / "out"
    command = [sys.executable, "-m", "odyssey_nb.cli", "demo", "--headless", "--out", str(out)]
    done = subprocess.run(
        [*only_loopback(), *command], capture_output=True, text=True, timeout=110, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for figure in ("connected to", "pictures received", "pictures per second", "acknowledgement"):
        assert figure in done.stdout
    assert {file.name for file in out.iterdir()} == {
        "01_first_light.ipynb", "first_light.mp4", "first_light.png"
    }  # fmt: skip
    executed = json.loads((out / "01_first_light.ipynb").read_text())
    assert all(cell.get("execution_count") for cell in executed["cells"] if "outputs" in cell)
    assert local_service().api_key not in json.dumps(executed)
    assert not list((machine / "leases").iterdir()), "the tutorial leaves nothing held"


def test_a_tutorial_is_found_by_its_number_or_name() -> None:
    """Each is, and a name that fits none or several is told with those there are."""
    for each in demo.tutorials():
        number, _, name = each.stem.partition("_")
        assert demo.tutorial(number) == demo.tutorial(str(int(number))) == each
        assert demo.tutorial(name) == demo.tutorial(name.replace("_", " ").title()) == each
    for wrong in ("99", "i", "no such"):
        with pytest.raises(UsageError, match="tutorials are called") as raised:
            demo.tutorial(wrong)
        assert "01_first_light" in str(raised.value.hint)


def _status(url: str) -> int:
    """Return the page's status, or 0 while nobody listens."""
    try:
        with urllib.request.urlopen(url, timeout=10) as page:
            return int(page.status)
    except urllib.error.URLError:
        return 0


def test_the_demo_opens_jupyterlab_on_the_tutorial(
    tmp_path: Path, local_service: Callable[[], Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It prints the service's address and JupyterLab's, and the page is there."""
    monkeypatch.setenv("BROWSER", "/bin/true")
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "jupyter"))
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "config"))
    process = subprocess.Popen(
        [sys.executable, "-m", "odyssey_nb.cli", "demo"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        said = ""
        while not (found := re.search(r"http://127\.0\.0\.1:\d+/lab/tree/\S+", said)):
            line = process.stdout.readline()
            assert line, said
            said += line
        assert f"local service: {local_service().url}" in said
        assert "01_first_light.ipynb" in found[0]
        page = wait_until(lambda: _status(found[0]), seconds=20, what="JupyterLab's page")
        assert page == 200
    finally:
        process.terminate()
        process.communicate(timeout=20)
