"""Faults of code: what cells re-run, overwrite, reload and fork."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.conftest import wait_until
from tests.faults.fault import KERNEL_DIED, KERNEL_SAYS_SO, Fault, Table
from tests.faults.scene import PLAYS, Scene

pytestmark = pytest.mark.newest

TABLE = Table("Code")


@TABLE.row("connect re-run 50 times", bound=KERNEL_SAYS_SO, told=("reused",), quick=1)
def _connects(scene: Scene) -> None:
    scene.kernel.run("conn = ody.connect()")
    before = scene.size
    sidecar = scene.sidecar.pid
    for _ in range(50):
        assert "reused" in scene.kernel.run("conn = ody.connect()")
    scene.tell("conn = ody.connect()")
    scene.wait_as_before(before)
    assert scene.sidecar.pid == sidecar
    scene.disconnect()


@TABLE.row("start re-run 20 times", bound=KERNEL_SAYS_SO, told=("replaced",), quick=1)
def _starts(scene: Scene) -> None:
    scene.streams()
    before = scene.size
    for number in range(20):
        assert "replaced" in scene.kernel.run(f"stream = conn.start('world {number}')")
    scene.tell("stream = conn.start('the last')")
    scene.wait_as_before(before)
    assert "plays on" in scene.tell(PLAYS)
    wait_until(
        lambda: [each["prompt"] for each in scene.service.sessions()] == ["the last"],
        what="the one stream",
    )
    scene.disconnect()


@TABLE.row("a second name at the limit", bound=KERNEL_SAYS_SO, told=("limit",))
def _two_names(scene: Scene) -> None:
    scene.streams()
    assert "ConcurrentLimitError" in scene.tell("other = ody.connect('other')")
    assert "plays on" in scene.tell(PLAYS)
    scene.kernel.run("ody.disconnect('default')")
    assert "True" in scene.tell("other = ody.connect('other'); other.is_open")
    scene.disconnect()


@TABLE.row("an exception after connect", bound=KERNEL_SAYS_SO, told=("zerodivision", "reused"))
def _exception(scene: Scene) -> None:
    scene.tell("conn = ody.connect(); 1 / 0")
    scene.tell("ody.connect()")
    scene.disconnect()


@TABLE.row("an exception inside with", bound=KERNEL_SAYS_SO, told=("zerodivision",), quick=1)
def _exception_in_with(scene: Scene) -> None:
    with scene.striking():
        scene.tell("with ody.connect() as conn, conn.start('a sea') as stream: 1 / 0")


@TABLE.row("an interrupt inside with", bound=KERNEL_SAYS_SO, told=("keyboardinterrupt",))
def _interrupt_in_with(scene: Scene) -> None:
    scene.kernel.run("import time")
    scene.kernel.begin("with ody.connect() as conn, conn.start('a sea') as stream: time.sleep(60)")
    wait_until(lambda: scene.service.held, what="a session")
    scene.pause(1.0)
    with scene.striking():
        scene.kernel.manager.interrupt_kernel()
        scene.tell("1")
    scene.told += "KeyboardInterrupt"


for _name, _code in {
    "the variable is overwritten": "conn = stream = 1",
    "the variable is deleted": "del conn, stream",
    "%reset -f": "%reset -f",
}.items():

    def _loses(scene: Scene, code: str = _code) -> None:
        scene.streams()
        scene.kernel.run(code + "\nimport gc; gc.collect()")
        scene.kernel.run("import odyssey_nb as ody")
        assert scene.service.held == 1, "the connection is the kernel's, not the variable's"
        scene.tell("conn = ody.connect(); stream = conn.stream")
        assert "plays on" in scene.tell(PLAYS)
        scene.disconnect()

    TABLE.add(
        _loses, name=_name, bound=KERNEL_SAYS_SO, told=("reused",), quick=int(_name[0] == "%")
    )


FORK = """
import os, signal, time
child = os.fork()
if child == 0:
    signal.alarm(30)
    while True: time.sleep(1)
"""
POOL = """
import multiprocessing, time
pool = multiprocessing.get_context("fork").Pool(2)
waiting = pool.map_async(time.sleep, [30, 30])
"""
CHILD_USES_IT = """
import os, sys
read, write = os.pipe()
if (child := os.fork()) == 0:
    try:
        said = stream.interact("snow")
    except Exception as error:
        said = type(error).__name__
    os.write(write, said.encode())
    os._exit(0)
os.waitpid(child, 0)
os.read(read, 100).decode()
"""


def _dies_with_children(scene: Scene, code: str) -> None:
    scene.streams()
    scene.kernel.run(code)
    children = [
        each for each in scene.kernel.process.children(recursive=True) if each != scene.sidecar
    ]
    assert children
    scene.stack.callback(lambda: [each.kill() for each in children if each.is_running()])
    scene.pause(0.5)
    scene.strike()
    scene.kernel.process.kill()


TABLE.add(
    lambda scene: _dies_with_children(scene, FORK),
    name="SIGKILL while a forked child lives",
    bound=KERNEL_DIED,
    quick=1,
)
TABLE.add(
    lambda scene: _dies_with_children(scene, POOL),
    name="SIGKILL while a multiprocessing pool works",
    bound=KERNEL_DIED,
)


@TABLE.row("a forked child uses the stream", bound=KERNEL_SAYS_SO, told=("forkedprocesserror",))
def _child_uses_it(scene: Scene) -> None:
    scene.streams()
    scene.tell(CHILD_USES_IT)
    assert "plays on" in scene.tell(PLAYS)
    scene.disconnect()


THREADS = """
from concurrent.futures import ThreadPoolExecutor
def use(number):
    try:
        match number % 4:
            case 0: return ody.connect().is_open
            case 1: return stream.interact(f"world {number}")
            case 2: return stream.frame().shape
            case 3: return len(stream.last(1))
    except ody.OdysseyNBError as error:
        return type(error).__name__
with ThreadPoolExecutor(16) as crowd:
    found = list(crowd.map(use, range(64)))
[each for each in found if isinstance(each, str) and each.endswith("Error")]
"""
THREADS_AT_ODDS = """
import random
def disturb(number):
    try:
        match random.randrange(3):
            case 0: ody.connect()
            case 1: ody.start(f"world {number}")
            case 2: ody.disconnect()
    except ody.OdysseyNBError as error:
        return type(error).__name__
with ThreadPoolExecutor(8) as crowd:
    found = list(crowd.map(disturb, range(24)))
set(found) - {None}
"""


@TABLE.row("threads call at once", bound=KERNEL_SAYS_SO, quick=1)
def _threads(scene: Scene) -> None:
    scene.streams()
    assert "[]" in scene.tell(THREADS, seconds=60)
    scene.tell(THREADS_AT_ODDS, seconds=90)
    assert "True" in scene.tell("ody.connect().is_open")
    scene.disconnect()


@TABLE.each_run
def test_code(scene: Scene, fault: Fault, seed: int, conclude: Callable[[], None]) -> None:
    """Whatever cells do to the connection, it is used, kept or freed, and never lost."""
    fault.do(scene)
    conclude()
