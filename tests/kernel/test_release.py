"""Sessions that end from outside, and what dead kernels leave behind; counted at the service."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from odyssey_nb.client.reservation import RELEASE_SECONDS
from odyssey_nb.config import Target
from odyssey_nb.errors import ConnectError
from odyssey_nb.kernel import release
from odyssey_nb.kernel.leases import Lease
from odyssey_nb.kernel.release import WAIT_SECONDS, Reaping
from odyssey_nb.kernel.sessions import SessionRow
from odyssey_nb.leasefile import read_note
from tests.conftest import Serve, Service, wait_until
from tests.kernel.conftest import Kernel, kernel_for, sidecars

pytestmark = pytest.mark.newest

Start = Callable[[str], Kernel]


@pytest.fixture
def single(keep: Serve) -> Iterator[Service]:
    """A service with one streamer, of which the account may hold one."""
    service = keep("--streamers", "1", "--limit", "concurrent_streams=1")
    yield service
    if service.process.poll() is None:
        service.wait_free(seconds=60)  # after 40 s also without the goodbye of a busy sidecar


@pytest.fixture
def notebook(single: Service, machine: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Open notebooks by name, each with a kernel that goes to the one service."""
    monkeypatch.setenv("ODYSSEY_API_URL", single.url)
    monkeypatch.setenv("ODYSSEY_API_KEY", single.api_key)
    kernels: list[Kernel] = []

    def start(name: str) -> Kernel:
        monkeypatch.setenv("JPY_SESSION_NAME", f"/home/somebody/{name}.ipynb")
        kernels.append(kernel_for(machine, f"kernel-{len(kernels)}"))
        return kernels[-1]

    yield start
    for kernel in kernels:
        kernel.stop()
    wait_until(lambda: not sidecars(machine), seconds=10, what="every sidecar's end")


def terminal(*words: str) -> str:
    """Run the command, and return what it said."""
    command = [sys.executable, "-m", "odyssey_nb.cli", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout + done.stderr


def kill_both(kernel: Kernel, machine: Path) -> None:
    """Kill a kernel and its sidecar so that neither can say goodbye for the other."""
    mine = [each for each in sidecars(machine) if each.ppid() == kernel.process.pid]
    assert len(mine) == 1
    for process in [kernel.process, *mine]:
        process.suspend()
    for process in [kernel.process, *mine]:
        process.kill()
    psutil.wait_procs(mine, timeout=5)


def test_what_a_dead_kernel_left_behind_is_freed_by_the_next_connect(
    notebook: Start, single: Service, machine: Path
) -> None:
    """Kernel and sidecar die at once: the session is shown to dangle, and is in nobody's way."""
    first, second = notebook("first"), notebook("second")
    assert "(704, 1280, 3)" in first.run('ody.start("a forest").frame().shape')
    kill_both(first, machine)
    assert single.held == 1
    shown = second.run("%odyssey sessions")
    assert re.search(r"default +dangling .*first.ipynb: its kernel is gone", shown), shown
    assert "%odyssey reap ends what dangles (1)" in shown
    shown = second.run('ody.start("a desert").frame().shape')
    assert "freed what was left behind by first.ipynb" in shown
    assert "(704, 1280, 3)" in shown
    assert len(list((machine / "leases").iterdir())) == 1


def test_a_terminal_ends_the_session_of_a_living_kernel(notebook: Start, single: Service) -> None:
    """`sessions` lists it, `kill` with the beginning of its id ends it; its kernel says by whom."""
    kernel = notebook("walk")
    kernel.run('conn = ody.connect(); stream = conn.start("a quiet sea")')
    shown = terminal("ps")
    row = next(line for line in shown.splitlines() if "walk.ipynb, pid" in line)
    assert f"pid {kernel.process.pid}" in row
    assert row.endswith("a quiet sea")
    assert terminal("kill", "nobody").startswith("odyssey-nb: no session is called 'nobody'")
    shown = terminal("kill", row.split()[0])
    assert shown.startswith(f"ended {row.split()[0]}: walk.ipynb, pid {kernel.process.pid}")
    single.wait_free()
    told = wait_until(lambda: "ended" in (said := kernel.run("conn.problem")) and said, what="it")
    assert re.search(r"ended from outside by odyssey_nb.cli \(process \d+\). Connect again", told)
    assert "NotConnectedError" in kernel.run('stream.interact("rain")')
    assert "(704, 1280, 3)" in kernel.run('ody.start("a forest").frame().shape')
    assert "no sessions" not in terminal("sessions")
    kernel.run("ody.disconnect()")
    assert "no sessions" in terminal("sessions")


def test_at_the_limit_the_error_names_the_holder_and_what_frees_it(
    notebook: Start, single: Service
) -> None:
    """The second notebook is told who has the one streamer, and takes it with the named command."""
    first, second = notebook("first"), notebook("second")
    first.run("conn = ody.connect()")
    shown = second.run("ody.connect()")
    assert "\n" not in shown
    assert f"Held by first.ipynb, pid {first.process.pid} (default, idle 0:" in shown
    found = re.search(r"Free one with (%odyssey kill [0-9a-f]{4})\.", shown)
    assert found, shown
    assert "ended" in second.run(found[1])
    assert "connected" in second.run("ody.connect()")
    told = wait_until(lambda: "ended" in (said := first.run("conn.problem")) and said, what="it")
    assert "ended from outside by second.ipynb (process " in told
    assert single.held == 1


def test_reaping_from_a_terminal(notebook: Start, single: Service, machine: Path) -> None:
    """`reap` frees what a dead kernel left behind, and says so; a living one's is left alone."""
    dead = notebook("old")
    assert terminal("reap") == "nothing dangles\n"
    dead.run("ody.connect()")
    assert terminal("reap") == "nothing dangles\n"
    kill_both(dead, machine)
    shown = terminal("reap")
    assert re.match(
        r"ended [0-9a-f]{4}: old.ipynb: its kernel is gone \(default, dangling, idle \d:\d\d\)\n",
        shown,
    )
    assert single.held == 0
    assert not list((machine / "leases").iterdir())


def test_a_stopped_kernel_without_a_sidecar_dangles(
    notebook: Start, single: Service, machine: Path
) -> None:
    """A kernel that hangs cannot release what its dead sidecar held; the next one can."""
    first, second = notebook("hung"), notebook("second")
    first.run("conn = ody.connect()")
    (sidecar,) = (each for each in sidecars(machine) if each.ppid() == first.process.pid)
    first.process.suspend()
    try:
        sidecar.kill()
        wait_until(
            lambda: "its sidecar is gone" in second.run("ody.sessions()"), what="that it dangles"
        )
        assert "ended" in second.run("ody.reap()")
        single.wait_free()
        assert "connected" in second.run("ody.connect()")
    finally:
        first.process.resume()
    wait_until(lambda: "sidecar process is gone" in first.run("conn.problem"), what="the problem")
    assert single.held == 1


def test_a_service_that_is_gone_is_in_nobodys_way(
    notebook: Start, single: Service, serve: Serve, machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lease of a service that ended is removed at the next connect, wherever that goes."""
    dead = notebook("old")
    dead.run("ody.connect()")
    kill_both(dead, machine)
    single.process.kill()
    single.process.wait()
    other = serve()
    connect = f'ody.connect(url="{other.url}", api_key="{other.api_key}")'
    monkeypatch.setenv("ODYSSEY_API_URL", single.url)
    assert "connected" in notebook("new").run(connect)
    leases = machine / "leases"
    wait_until(lambda: len(list(leases.iterdir())) == 1, what="the old lease's end")
    assert other.held == 1


def test_a_service_that_hangs_does_not_keep_others_waiting(machine: Path) -> None:
    """Who connects waits a moment for what does not get free, and leaves its lease for later."""
    with socket.create_server(("127.0.0.1", 0)) as server:  # it accepts, and says nothing
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        lease = Lease.take("gone", url, os.getpid())
        lease.name_session("an id", url)
        said = json.loads(lease.path.read_text())
        lease.drop()
        left = lease.path.with_name("left.json")
        left.write_text(json.dumps(said | {"kernel": {"pid": 2**22 + 1, "started": 1.0}}))
        reaping = Reaping(Target(url=url, api_key="ody_x"), [])
        began = time.monotonic()
        assert reaping.wait() == []
        assert WAIT_SECONDS <= time.monotonic() - began < RELEASE_SECONDS
        assert left.exists()
        names = lambda: {each.name for each in threading.enumerate()}  # noqa: E731
        wait_until(lambda: "odyssey-reap" not in names(), what="the end of the attempt")
        assert left.exists(), "the session may be there still"


def test_a_session_that_could_not_be_ended_is_not_said_to_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its holder must not blame a later loss on who only tried."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        monkeypatch.setenv("ODYSSEY_API_URL", url)
        monkeypatch.setenv("ODYSSEY_API_KEY", "ody_x")
        lease = Lease.take("theirs", url, os.getpid())
        try:
            row = SessionRow(
                session_id="s-1", connection="theirs", url=url, status="connected", seconds=1,
                idle=1, holder="walk.ipynb", lease=lease.path,
            )  # fmt: skip
            ended = release.end([row], [])
            assert ended == []
            ((_, error),) = ended.kept
            assert isinstance(error, ConnectError)
            assert repr(ended).startswith("kept a lease: walk.ipynb (theirs, idle 0:01); ")
            assert read_note(lease.path) == ""
        finally:
            lease.drop()


SCRIPT = """
import asyncio, sys
from tests.service.raw_client import RawClient

async def main(url, key):
    async with RawClient.connected(url, key) as client:
        await client.start("a lighthouse")
        print("streaming", flush=True)
        print(await client.socket.receive(), flush=True)

asyncio.run(main(*sys.argv[1:]))
"""


def test_a_program_without_this_package_is_named_and_can_be_ended(
    notebook: Start, single: Service, tmp_path: Path
) -> None:
    """What a script on another client holds is traced to it by its socket."""
    script = tmp_path / "their_script.py"
    script.write_text(SCRIPT)
    path = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
    with subprocess.Popen(
        [sys.executable, str(script), single.url, single.api_key],
        env=os.environ | {"PYTHONPATH": path}, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "streaming\n"
        kernel = notebook("mine")
        shown = kernel.run("ody.connect()")
        assert f"Held by their_script.py, pid {process.pid} (streaming). Free one with" in shown
        shown = terminal("sessions")
        assert f"their_script.py, pid {process.pid}  a lighthouse" in shown
        assert single.api_key not in shown
        assert "dangl" not in shown
        assert terminal("reap") == "nothing dangles\n"
        assert "ended" in kernel.run(f'ody.kill("{shown.splitlines()[1].split()[0]}")')
        assert "4013" in process.stdout.readline()
        assert "connected" in kernel.run("ody.connect()")
    assert single.held == 1
