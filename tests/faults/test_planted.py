"""The suite itself: a build that forgets one release does not get past it."""

from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest

from tests.conftest import Serve
from tests.faults import count
from tests.faults.fault import KERNEL_DIED, Fault
from tests.faults.scene import Scene

pytestmark = pytest.mark.newest

PLANT = Path(__file__).parent / "plant"


def kill(scene: Scene) -> None:
    """Kill a kernel that streams."""
    scene.streams()
    scene.strike()
    scene.kernel.process.kill()


@pytest.mark.parametrize(
    ("forgotten", "noticed"),
    [
        ("goodbye", "the streamer is held"),
        pytest.param("lease", "lease", marks=pytest.mark.faults),
        pytest.param("process", "sidecar", marks=pytest.mark.faults),
    ],
)
def test_a_planted_leak_is_noticed(
    forgotten: str, noticed: str, serve: Serve, machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sidecar that forgets its goodbye, its lease or its own end counts as a leak."""
    service = serve("--streamers", "1", "--limit", "concurrent_streams=1")
    runtime = machine.parent / "of-the-kernel"
    runtime.mkdir(mode=0o700)
    monkeypatch.setenv("ODYSSEY_NB_RUNTIME_DIR", str(runtime))
    monkeypatch.setenv("ODYSSEY_API_URL", service.url)
    monkeypatch.setenv("ODYSSEY_API_KEY", service.api_key)
    path = os.environ.get("PYTHONPATH", "")
    monkeypatch.setenv("PYTHONPATH", f"{PLANT}{os.pathsep}{path}" if path else str(PLANT))
    monkeypatch.setenv("FAULTS_PLANT", forgotten)
    scene = Scene(service, runtime, seed=1)
    try:
        fault = Fault(name=f"forgets its {forgotten}", do=kill, bound=KERNEL_DIED)
        fault.do(scene)
        outcome = scene.finish(fault, patience=2)
    finally:
        scene.stack.close()
    assert any(noticed in each for each in outcome.left), outcome
    assert not count.belonging(runtime), "the suite tidies up after what it finds"
    assert psutil.pid_exists(service.pid)
