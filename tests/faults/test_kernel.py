"""Faults of the kernel: every way it can end, be interrupted or be stopped."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

from tests.conftest import wait_until
from tests.faults.fault import KERNEL_DIED, KERNEL_SAYS_SO, Fault, Table
from tests.faults.scene import PLAYS, Scene, start_kernel

TABLE = Table("Kernel")
COMPUTES = """
while True:
    try:
        sum(range(1000))
    except KeyboardInterrupt: pass
"""
COMPUTES_IN_NUMPY = """
import numpy as np
numbers = np.ones((1500, 1500))
while True:
    try:
        numbers @ numbers
    except KeyboardInterrupt: pass
"""
HOLDS_THE_GIL = "import ctypes; ctypes.PyDLL(None).usleep({microseconds})"


def _again(scene: Scene) -> None:
    """After a restart the notebook connects and streams again, and then ends it."""
    scene.kernel.client.wait_for_ready(timeout=30)


@TABLE.row("restart", bound=KERNEL_SAYS_SO, quick=1)
def _restart(scene: Scene) -> None:
    scene.streams()
    scene.pause(0.5)
    scene.strike()
    scene.kernel.manager.restart_kernel(now=False)
    _again(scene)


@TABLE.row("restart at once (now=True)", bound=KERNEL_DIED)
def _restart_now(scene: Scene) -> None:
    scene.streams()
    scene.pause(0.5)
    scene.strike()
    scene.kernel.manager.restart_kernel(now=True)
    _again(scene)


@TABLE.row("shutdown", bound=KERNEL_SAYS_SO)
def _shutdown(scene: Scene) -> None:
    scene.streams()
    scene.pause(0.5)
    scene.strike()
    scene.kernel.manager.shutdown_kernel(now=False)


@TABLE.row("shutdown at once (now=True)", bound=KERNEL_DIED)
def _shutdown_now(scene: Scene) -> None:
    scene.streams()
    scene.pause(0.5)
    scene.strike()
    scene.kernel.manager.shutdown_kernel(now=True)


def _restart_while(code: str, scene: Scene) -> None:
    scene.streams()
    scene.kernel.begin(code)
    scene.pause(1.0, least=0.3)
    scene.strike()
    scene.kernel.manager.restart_kernel(now=False)
    _again(scene)


TABLE.add(
    lambda scene: _restart_while(COMPUTES, scene),
    name="restart while a cell computes in Python",
    bound=KERNEL_SAYS_SO,
    quick=1,
)
TABLE.add(
    lambda scene: _restart_while(COMPUTES_IN_NUMPY, scene),
    name="restart while a cell computes in numpy",
    bound=KERNEL_SAYS_SO,
)


@TABLE.row("restart while C code holds the GIL", bound=KERNEL_DIED, quick=1)
def _restart_holding_the_gil(scene: Scene) -> None:
    scene.streams()
    scene.kernel.begin(HOLDS_THE_GIL.format(microseconds=20_000_000))
    scene.pause(1.0, least=0.3)
    scene.strike(death_of=scene.kernel.process)  # of which Jupyter takes care after 2.5 s
    scene.kernel.manager.restart_kernel(now=False)
    _again(scene)


def _ends_itself(code: str, scene: Scene) -> None:
    scene.streams()
    scene.pause(0.5)
    scene.strike(death_of=scene.kernel.process)
    scene.kernel.begin(code)


for _name, _code in {
    "exit()": "exit()",
    "os._exit(1)": "import os; os._exit(1)",
    "segmentation fault": "import ctypes; ctypes.string_at(0)",
    "abort()": "import os; os.abort()",
}.items():
    TABLE.add(
        lambda scene, code=_code: _ends_itself(code, scene),
        name=_name,
        bound=KERNEL_DIED,
        quick=int(_name == "exit()"),
    )


def _killed_by(number: signal.Signals, scene: Scene) -> None:
    scene.streams()
    scene.pause(0.5)
    scene.strike()
    scene.kernel.process.send_signal(number)


for _number in (signal.SIGTERM, signal.SIGHUP, signal.SIGKILL):
    TABLE.add(
        lambda scene, number=_number: _killed_by(number, scene),
        name=_number.name,
        bound=KERNEL_DIED,
        quick=int(_number == signal.SIGKILL),
    )


@TABLE.row("SIGKILL at a random instant of connect", bound=KERNEL_DIED, runs=50, quick=2)
def _killed_while_connecting(scene: Scene) -> None:
    scene.kernel.begin("ody.connect()")
    scene.pause(1.2)
    scene.strike()
    scene.kernel.process.kill()


@TABLE.row("interrupt during connect", bound=KERNEL_SAYS_SO, quick=1)
def _interrupted_connect(scene: Scene) -> None:
    scene.kernel.begin("ody.connect()")
    scene.pause(0.8)
    scene.kernel.manager.interrupt_kernel()
    scene.tell("conn = ody.connect(); conn.is_open")
    assert "True" in scene.told, scene.told
    scene.disconnect()


@TABLE.row("interrupt during start", bound=KERNEL_SAYS_SO, quick=1)
def _interrupted_start(scene: Scene) -> None:
    scene.kernel.run("conn = ody.connect()")
    scene.kernel.begin('conn.start("a forest")')
    scene.pause(0.3)
    scene.kernel.manager.interrupt_kernel()
    assert "True" in scene.tell('stream = conn.start("a desert"); stream.active')
    scene.disconnect()


@TABLE.row("interrupt during interact", bound=KERNEL_SAYS_SO)
def _interrupted_interact(scene: Scene) -> None:
    scene.streams()
    scene.kernel.begin("for number in range(1000): stream.interact(f'snow {number}')")
    scene.pause(0.5)
    scene.kernel.manager.interrupt_kernel()
    assert "rain" in scene.tell("stream.interact('rain')")
    assert "plays on" in scene.tell(PLAYS)
    scene.disconnect()


@TABLE.row("interrupt of a long cell", bound=KERNEL_SAYS_SO)
def _interrupted_cell(scene: Scene) -> None:
    scene.streams()
    scene.kernel.begin("import time; time.sleep(60)")
    scene.pause(1.0)
    scene.kernel.manager.interrupt_kernel()
    assert "plays on" in scene.tell(PLAYS)
    scene.disconnect()


@TABLE.row("SIGSTOP for a while", bound=KERNEL_SAYS_SO)
def _stopped(scene: Scene) -> None:
    scene.streams()
    scene.kernel.process.suspend()
    scene.pause(6, least=3)
    assert scene.service.held == 1, "a stopped kernel keeps its session for a while"
    scene.kernel.process.resume()
    assert "plays on" in scene.tell(PLAYS)
    scene.disconnect()


SUSPENDED = 2.0  # seconds that a stopped kernel's session is kept here, instead of 120


@TABLE.row(
    "SIGSTOP for good (kept for 2 s here, 120 s by default)",
    bound=SUSPENDED + 1.0 + KERNEL_SAYS_SO,  # it is looked at every half second, and twice
    told=("the kernel was stopped for 2 s",),
)
def _stopped_for_good(scene: Scene) -> None:
    scene.use(
        start_kernel(
            scene.runtime,
            ODYSSEY_API_URL=scene.service.url,
            ODYSSEY_NB_SUSPENDED_SECONDS=f"{SUSPENDED:g}",
        )
    )
    scene.streams()
    scene.pause(0.5)
    scene.strike()
    scene.kernel.process.suspend()
    scene.wait_freed(SUSPENDED)
    scene.kernel.process.resume()
    wait_until(lambda: "True" in scene.kernel.run("not conn.is_open"), what="the loss")
    scene.tell("print(conn.problem)")
    assert "True" in scene.tell("ody.connect().is_open")
    scene.kernel.run("ody.disconnect()")


HEARTBEAT = 8.0  # the service's clock for a client that says nothing
SLEEP = 32.0  # seconds; a process that did not run for 30 has slept


@TABLE.row(
    "kernel and sidecar stopped, as by a sleeping laptop",
    bound=HEARTBEAT + HEARTBEAT / 4,
    limits=(f"heartbeat_seconds={HEARTBEAT}",),
    told=("a machine sleeps",),
)
def _sleeps(scene: Scene) -> None:
    scene.streams()
    processes = [scene.sidecar, scene.kernel.process]
    scene.strike()
    for each in processes:
        each.suspend()
    began = time.monotonic()
    scene.wait_freed(HEARTBEAT)
    time.sleep(max(0, began + SLEEP - time.monotonic()))
    for each in processes:
        each.resume()
    wait_until(lambda: "True" in scene.kernel.run("not conn.is_open"), seconds=20, what="the loss")
    scene.tell("print(conn.problem)")
    assert scene.service.held == 0, "what slept is not resumed"
    assert "True" in scene.tell("ody.connect().is_open")
    scene.kernel.run("ody.disconnect()")


def _holds_the_gil(seconds: int, scene: Scene) -> None:
    scene.streams()
    scene.kernel.begin(HOLDS_THE_GIL.format(microseconds=seconds * 1_000_000) + "; 'let go'")
    assert "plays on" in scene.tell(PLAYS, seconds=seconds + 30)
    scene.disconnect()


TABLE.add(
    lambda scene: _holds_the_gil(5 if scene.quick else 60, scene),
    name="a cell holds the GIL for 60 s (5 s in the quick half)",
    bound=KERNEL_SAYS_SO,
    quick=1,
)


@TABLE.each_run
def test_kernel(scene: Scene, fault: Fault, seed: int, conclude: Callable[[], None]) -> None:
    """Whatever ends or disturbs the kernel, nothing stays behind."""
    fault.do(scene)
    conclude()
