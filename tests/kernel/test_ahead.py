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
    said = kernel.run(f"import os; os.kill({ready.pid}, 9); {PID}")  # whose line still looks open
    (other,) = sidecars(machine)
    assert other.pid != ready.pid
    assert str(other.pid) in said
