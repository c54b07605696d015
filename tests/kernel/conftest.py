"""A real ipykernel, driven as a front end drives it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

from tests.conftest import Service, wait_until


class Cells:
    """The cells of a kernel that runs; `run` executes one and waits for its end."""

    def __init__(self, client: BlockingKernelClient) -> None:
        self.client = client  # its channels are open
        self.client.wait_for_ready(timeout=30)

    def run(self, code: str, *, seconds: float = 40) -> str:
        """Return what the cell printed and showed; a failed cell's error is part of it."""
        shown: list[str] = []

        def hook(message: dict[str, Any]) -> None:
            content = message["content"]
            match message["msg_type"]:
                case "stream":
                    shown.append(content["text"])
                case "execute_result" | "display_data":
                    shown.append(content["data"].get("text/plain", ""))
                case "error":
                    shown.append("\n".join(content["traceback"]))

        self.client.execute_interactive(code, timeout=seconds, output_hook=hook)
        return "\n".join(shown)

    def begin(self, code: str) -> None:
        """Execute a cell without waiting for it; its failure does not call off the next."""
        self.client.execute(code, stop_on_error=False)


class Kernel(Cells):
    """A kernel of its own."""

    def __init__(self, manager: KernelManager) -> None:
        client = manager.client()
        client.start_channels()
        super().__init__(client)
        self.manager = manager

    @property
    def process(self) -> psutil.Process:
        """The kernel's process."""
        provisioner: Any = self.manager.provisioner
        return psutil.Process(provisioner.process.pid)

    def stop(self) -> None:
        """End it, and the client's sockets."""
        self.client.stop_channels()
        if self.manager.is_alive():
            self.manager.shutdown_kernel(now=True)
        self.manager.cleanup_resources()


def sidecars(machine: Path) -> list[psutil.Process]:
    """The sidecars that belong to the test's runtime directory."""
    found = []
    for process in psutil.process_iter():
        try:
            words = process.cmdline()
            if "odyssey_nb.sidecar.process" in words:
                where = process.environ().get("ODYSSEY_NB_RUNTIME_DIR")
                if where == str(machine) and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        except psutil.Error:
            continue
    return found


def kernel_for(machine: Path, name: str) -> Kernel:
    """Start a kernel whose notebook has loaded the extension."""
    manager = KernelManager(kernel_name="python3", transport="ipc", ip=str(machine / name))
    manager.start_kernel()
    kernel = Kernel(manager)
    kernel.run("%load_ext odyssey_nb\nimport odyssey_nb as ody")
    return kernel


@pytest.fixture
def kernel(local_service: Callable[[], Service], machine: Path) -> Iterator[Kernel]:
    """A fresh kernel whose notebook has loaded the extension; nothing of it may be left behind."""
    kernel = kernel_for(machine, "kernel")
    yield kernel
    kernel.stop()
    wait_until(lambda: not sidecars(machine), seconds=5, what="every sidecar's end")
    assert not list((machine / "leases").glob("*")), "a lease was left behind"
