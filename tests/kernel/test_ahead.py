"""What is made ready before the cell is run that connects."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import wait_until
from tests.kernel.conftest import Kernel, sidecars

PID = "print(ody.connect().link.pid); ody.disconnect()"


def test_the_sidecar_is_there_before_it_is_needed(kernel: Kernel, machine: Path) -> None:
    """Loading the extension starts it, once; one that was lost meanwhile is started anew."""
    (ready,) = wait_until(lambda: sidecars(machine), seconds=20, what="a sidecar")
    assert str(ready.pid) in kernel.run(PID)
    kernel.run("%reload_ext odyssey_nb")
    assert str(ready.pid) in kernel.run(PID)
    ready.kill()
    wait_until(lambda: not sidecars(machine), seconds=10, what="its end")
    said = kernel.run(PID)
    (other,) = sidecars(machine)
    assert str(other.pid) in said
