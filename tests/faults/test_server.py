"""Faults of the Jupyter server, and what its menus do to a kernel."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from contextlib import suppress

import psutil
from jupyter_client.blocking.client import BlockingKernelClient

from odyssey_nb.sidecar.watch import SERVER_GRACE
from tests.conftest import wait_until
from tests.faults.fault import KERNEL_DIED, KERNEL_SAYS_SO, Fault, Table
from tests.faults.scene import LOAD, STREAM, Scene
from tests.faults.test_kernel import HOLDS_THE_GIL
from tests.kernel.conftest import Cells
from tests.lab import Lab, running_lab

TABLE = Table("Jupyter server")


class LabKernel(Cells):
    """A kernel of a JupyterLab, a new one or that with an `id`, reached as its page reaches it."""

    def __init__(self, lab: Lab, id: str = "") -> None:
        self.id = id or str(lab.kernels("POST")["id"])
        file = lab.home / "jupyter-runtime" / f"kernel-{self.id}.json"
        client = BlockingKernelClient()
        client.load_connection_info(json.loads(file.read_text()))
        client.start_channels()
        wait_until(lambda: _answers(client), seconds=60, what="the kernel's start")
        super().__init__(client)
        self.process = psutil.Process(int(self.run("import os; os.getpid()")))

    def stop(self) -> None:
        """End it, if its server has not."""
        self.client.stop_channels()
        if self.process.is_running():
            self.process.kill()


def _answers(client: BlockingKernelClient) -> bool:
    """Whether the kernel answers; one that does not listen yet looks dead to its client."""
    with suppress(RuntimeError):
        client.wait_for_ready(timeout=5)
        return True
    return False


def _open(scene: Scene) -> Lab:
    """Let a notebook of a JupyterLab stream."""
    lab = scene.stack.enter_context(running_lab(scene.runtime.parent))
    scene.use(LabKernel(lab))
    scene.streams()
    scene.pause(0.5)
    return lab


def _kernel_path(scene: Scene, verb: str = "") -> str:
    return f"/{scene.kernel.id}{verb}"


@TABLE.row("restart from the menu", bound=KERNEL_SAYS_SO, quick=1)
def _restart(scene: Scene) -> None:
    lab = _open(scene)
    scene.strike()
    lab.kernels("POST", _kernel_path(scene, "/restart"))


@TABLE.row("shut down from the menu", bound=KERNEL_SAYS_SO)
def _shut_down(scene: Scene) -> None:
    lab = _open(scene)
    scene.strike()
    lab.kernels("DELETE", _kernel_path(scene))


@TABLE.row("kernel killed, restarted by the server", bound=KERNEL_DIED)
def _killed(scene: Scene) -> None:
    _open(scene)
    kernel = scene.kernel
    scene.strike()
    kernel.process.kill()
    scene.wait_freed(KERNEL_DIED)
    # The same connection file, another process.
    wait_until(lambda: _answers(kernel.client), seconds=60, what="the kernel's restart")
    assert str(kernel.process.pid) not in kernel.run("import os; os.getpid()")
    assert "(704, 1280, 3)" in scene.tell(f"{LOAD}\n{STREAM}")
    scene.tell("ody.disconnect()")


@TABLE.row("server SIGTERM", bound=KERNEL_DIED, quick=1)
def _server_terminated(scene: Scene) -> None:
    lab = _open(scene)
    scene.strike()
    lab.process.send_signal(signal.SIGTERM)
    lab.process.wait(20)


@TABLE.row("server SIGKILL", bound=KERNEL_DIED)
def _server_killed(scene: Scene) -> None:
    lab = _open(scene)
    scene.strike()
    lab.process.kill()
    lab.process.wait(20)


@TABLE.row("server SIGTERM while the kernel holds the GIL", bound=KERNEL_DIED)
def _server_terminated_gil(scene: Scene) -> None:
    lab = _open(scene)
    scene.kernel.begin(HOLDS_THE_GIL.format(microseconds=30_000_000))
    scene.pause(1.0, least=0.3)
    scene.strike(death_of=scene.kernel.process)  # of which the server takes care after 2.5 s
    lab.process.send_signal(signal.SIGTERM)
    lab.process.wait(20)


@TABLE.row(
    "server SIGKILL while the kernel holds the GIL (and lives on)",
    bound=SERVER_GRACE + KERNEL_DIED,
    quick=1,
)
def _server_killed_gil(scene: Scene) -> None:
    lab = _open(scene)
    scene.kernel.begin(HOLDS_THE_GIL.format(microseconds=30_000_000))
    scene.pause(1.0, least=0.3)
    scene.strike()
    lab.process.kill()
    lab.process.wait(20)
    wait_until(lambda: scene.service.held == 0, seconds=20, what="the release")
    assert scene.kernel.process.is_running(), "the kernel cannot have noticed"


@TABLE.each_run
def test_server(scene: Scene, fault: Fault, seed: int, conclude: Callable[[], None]) -> None:
    """However a kernel's server ends it, or itself, nothing stays behind."""
    fault.do(scene)
    conclude()
