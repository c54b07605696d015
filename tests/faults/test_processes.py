"""Faults of the other processes: sidecar, service, streamer, world, disk."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.conftest import Service, wait_until
from tests.faults.fault import KERNEL_DIED, KERNEL_SAYS_SO, SIDECAR_DIED, Fault, Table
from tests.faults.scene import LOAD, PLAYS, STREAM, Scene, start_kernel

pytestmark = pytest.mark.newest

TABLE = Table("Processes")
# The service's clock for a socket that is lost without a goodbye, and its sweep.
CLOCK = 4.0
SWEEP = CLOCK / 4
SWEPT = 0.5  # what a sweep may take under load
SHORT = (f"lost_socket_seconds={CLOCK}",)


@TABLE.row("sidecar SIGKILL", bound=SIDECAR_DIED, told=("ody.connect()", "plays on"), quick=1)
def _sidecar_killed(scene: Scene) -> None:
    scene.streams()
    scene.pause(0.5)
    scene.strike()
    scene.sidecar.kill()
    scene.wait_freed(SIDECAR_DIED)
    assert "ody.connect()" in scene.tell("stream.interact('snow')")
    assert "(704, 1280, 3)" in scene.tell(STREAM)
    assert "plays on" in scene.tell(PLAYS)
    scene.kernel.run("ody.disconnect()")


@TABLE.row("sidecar SIGKILL while it connects", bound=SIDECAR_DIED, told=("error",))
def _sidecar_killed_connecting(scene: Scene) -> None:
    scene.kernel.run("ody.connect(); ody.disconnect()")
    scene.kernel.begin("ody.connect()")
    scene.pause(0.6)
    scene.strike()
    scene.sidecar.kill()
    scene.wait_freed(SIDECAR_DIED)
    scene.tell("ody.status()[0].interact('snow') if ody.status() else ody.interact('snow')")
    assert "True" in scene.tell("ody.connect().is_open")
    scene.kernel.run("ody.disconnect()")


# It is missed after 2 s, and has not said that it lives after another.
@TABLE.row("sidecar SIGSTOP, then a disconnect", bound=3 + SIDECAR_DIED, told=("ody.sessions()",))
def _sidecar_stopped(scene: Scene) -> None:
    scene.streams()
    scene.pause(0.5)
    scene.sidecar.suspend()
    scene.strike()
    scene.tell("ody.disconnect()")


@TABLE.row(
    "sidecar and kernel SIGKILL together", bound=CLOCK + SWEEP + SWEPT, limits=SHORT, quick=1
)
def _both_killed(scene: Scene) -> None:
    scene.streams()
    scene.pause(0.5)
    sidecar, kernel = scene.sidecar, scene.kernel.process
    scene.strike()
    sidecar.suspend()  # or it would see the kernel die in the microsecond between the two
    kernel.kill()
    sidecar.kill()
    scene.wait_freed(CLOCK + SWEEP + SWEPT)
    other = start_kernel(scene.runtime, ODYSSEY_API_URL=scene.service.url)
    scene.stack.callback(other.stop)
    scene.told += other.run(f"{LOAD}\nody.connect(); ody.disconnect()")  # takes the stale lease


@TABLE.row(
    "service SIGKILL, started again", bound=KERNEL_SAYS_SO, told=("ody.connect()",), timeout=240
)
def _service_killed(scene: Scene) -> None:
    service = scene.serve()
    scene.streams()
    scene.pause(0.5)
    service.process.kill()
    service.process.wait()
    wait_until(lambda: "True" in scene.kernel.run("not conn.is_open"), seconds=90, what="the loss")
    scene.tell("print(conn.problem); conn")
    scene.serve(port=int(service.url.rpartition(":")[2]))
    assert "(704, 1280, 3)" in scene.tell(STREAM)
    scene.disconnect()


@TABLE.row("service SIGTERM", bound=KERNEL_SAYS_SO, told=("ody.connect()",), quick=1)
def _service_terminated(scene: Scene) -> None:
    service = scene.serve()
    scene.streams()
    scene.pause(0.5)
    service.process.terminate()
    service.process.wait(10)
    wait_until(lambda: "True" in scene.kernel.run("not conn.is_open"), seconds=90, what="the loss")
    scene.tell("stream.interact('snow')")
    scene.serve(port=int(service.url.rpartition(":")[2]))
    assert "(704, 1280, 3)" in scene.tell(STREAM)
    scene.disconnect()


def _streamers(service: Service) -> list[psutil.Process]:
    """The service's streamers, oldest first; the newest waits for the next session."""
    children = psutil.Process(service.pid).children()
    found = [each for each in children if "odyssey_nb.service.streamer" in each.cmdline()]
    return sorted(found, key=psutil.Process.create_time)


@TABLE.row("streamer killed mid-stream", bound=KERNEL_SAYS_SO, told=("error",), quick=1)
def _streamer_killed(scene: Scene) -> None:
    scene.streams()
    wait_until(lambda: len(_streamers(scene.service)) == 2, what="the next streamer")
    scene.pause(0.5)
    _streamers(scene.service)[0].kill()
    wait_until(lambda: "True" in scene.kernel.run("not stream.active"), what="the stream's end")
    scene.tell("stream.interact('snow')")
    scene.tell("print(conn.problem); conn")
    assert "(704, 1280, 3)" in scene.tell(STREAM)
    scene.disconnect()


@TABLE.row("the waiting streamer killed", bound=KERNEL_SAYS_SO)
def _waiting_streamer_killed(scene: Scene) -> None:
    scene.kernel.run("ody.disconnect()")
    wait_until(lambda: len(_streamers(scene.service)) == 1, what="one streamer")
    _streamers(scene.service)[0].kill()
    assert "(704, 1280, 3)" in scene.tell(STREAM)
    scene.disconnect()


WORLDS = """
import time

class Faulty:
    def __init__(self, *, width, height, prompt, seed, image):
        self.at = 20

    def steer(self, prompt):
        pass

    def paint(self, planes, *, step, time):
        planes.y[:], planes.u[:], planes.v[:] = step % 200 + 16, 128, 128
        if step == self.at:
            self.fail(planes)

class Raises(Faulty):
    def fail(self, planes):
        raise RuntimeError("the world fell apart")

class Hangs(Faulty):
    def fail(self, planes):
        time.sleep(1000)

class WrongShape(Faulty):
    def fail(self, planes):
        planes.y[:] = planes.u

class RaisesAtOnce(Faulty):
    def __init__(self, **_):
        raise RuntimeError("no world today")
"""


def _install_worlds(scene: Scene) -> str:
    """Offer the faulty worlds as an installed package does; return the folder for the path."""
    folder = scene.runtime.parent / "worlds"
    info = folder / "faulty_worlds-1.dist-info"
    info.mkdir(parents=True)
    (folder / "faulty_worlds.py").write_text(WORLDS)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: faulty-worlds\nVersion: 1\n")
    names = ("Raises", "Hangs", "WrongShape", "RaisesAtOnce")
    entries = "\n".join(f"{name} = faulty_worlds:{name}" for name in names)
    (info / "entry_points.txt").write_text(f"[odyssey_nb.worlds]\n{entries}\n")
    return str(folder)


def _faulty_world(scene: Scene, name: str) -> None:
    scene.second_client_streams = name != "RaisesAtOnce"
    scene.serve(world=name, path=_install_worlds(scene))
    scene.tell("conn = ody.connect(); stream = conn.start('a forest')")
    wait_until(
        lambda: "True" in scene.kernel.run("conn.stream is None"), seconds=40, what="its end"
    )
    scene.tell("stream.interact('snow')")
    scene.tell("print(conn.problem)")
    scene.disconnect()


for _name, _world, _told in [
    ("a world that raises", "Raises", "stopped working"),
    ("a world that returns the wrong shape", "WrongShape", "stopped working"),
    ("a world that raises as it is made", "RaisesAtOnce", "did not start"),
    ("a world that hangs", "Hangs", "stopped working"),
]:
    TABLE.add(
        lambda scene, world=_world: _faulty_world(scene, world),
        name=_name,
        bound=KERNEL_SAYS_SO,
        told=(_told,),
        quick=int(_world == "Raises"),
    )


@TABLE.row("disconnect while the world hangs", bound=KERNEL_SAYS_SO)
def _leaves_hanging_world(scene: Scene) -> None:
    scene.serve(world="Hangs", path=_install_worlds(scene))
    scene.tell("conn = ody.connect(); stream = conn.start('a forest')")
    scene.pause(3, least=1)
    scene.disconnect()


DISK = 24 * 2**20  # bytes


@TABLE.row("the service's disk is full", bound=KERNEL_SAYS_SO, quick=1)
def _disk_full(scene: Scene) -> None:
    disk = scene.runtime.parent / "own" / "data"
    disk.mkdir(parents=True)
    fill = _small_disk(scene, disk)
    scene.serve()
    scene.streams()
    scene.pause(2.0)
    fill()
    scene.pause(2.0, least=1.0)
    assert "plays on" in scene.tell(PLAYS)
    assert "snow" in scene.tell("stream.interact('snow')")
    scene.disconnect()


def _small_disk(scene: Scene, folder: Path) -> Callable[[], None]:
    """Mount a small disk where that is allowed; return what fills it, or limits files instead."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(folder)]
    if os.geteuid() == 0 and not subprocess.run(mount, check=False, capture_output=True).returncode:
        scene.stack.callback(lambda: subprocess.run(["umount", "-l", str(folder)], check=True))

        def fill() -> None:
            with suppress(OSError), (folder / "filler").open("wb", buffering=0) as file:
                while True:
                    file.write(bytes(4096))
            scene.before_second_client = (folder / "filler").unlink

        return fill

    def limit() -> None:
        service = psutil.Process(scene.service.pid)
        for each in (service, *service.children(recursive=True)):
            before = each.rlimit(psutil.RLIMIT_FSIZE)
            each.rlimit(psutil.RLIMIT_FSIZE, (1, before[1]))
        scene.before_second_client = lambda: service.rlimit(psutil.RLIMIT_FSIZE, before)

    return limit


@TABLE.row("service unreachable while connecting", bound=KERNEL_SAYS_SO, told=("connecterror",))
def _unreachable(scene: Scene) -> None:
    service = scene.serve()
    assert scene.kernel
    service.stop()
    scene.tell("ody.connect()")
    scene.serve(port=int(service.url.rpartition(":")[2]))
    assert "True" in scene.tell("ody.connect().is_open")
    scene.disconnect()


def _stutter(scene: Scene, process: psutil.Process) -> Callable[[], None]:
    """Let the service answer slowly, until the returned function is called."""
    over = threading.Event()

    def stop_and_go() -> None:
        while not over.wait(scene.chance.uniform(0.01, 0.1)):
            process.suspend()
            over.wait(scene.chance.uniform(0.1, 0.5))
            process.resume()

    thread = threading.Thread(target=stop_and_go, name="stutter")
    thread.start()

    def end() -> None:
        over.set()
        thread.join()

    scene.stack.callback(end)
    return end


@TABLE.row("service slow while connecting, then an interrupt", bound=KERNEL_SAYS_SO)
def _slow_interrupted(scene: Scene) -> None:
    scene.serve()
    scene.kernel.run("1")
    end = _stutter(scene, psutil.Process(scene.service.pid))
    scene.kernel.begin("ody.connect()")
    scene.pause(4.0)
    scene.kernel.manager.interrupt_kernel()
    end()
    with scene.striking():
        scene.tell("ody.disconnect()")


@TABLE.row("service slow while connecting, then SIGKILL of the kernel", bound=KERNEL_DIED)
def _slow_killed(scene: Scene) -> None:
    scene.serve()
    scene.kernel.run("1")
    end = _stutter(scene, psutil.Process(scene.service.pid))
    scene.kernel.begin("ody.connect()")
    scene.pause(4.0)
    scene.kernel.process.kill()
    end()
    scene.strike()


@TABLE.each_run
def test_processes(scene: Scene, fault: Fault, seed: int, conclude: Callable[[], None]) -> None:
    """Whichever process dies, the others make it good."""
    fault.do(scene)
    conclude()
