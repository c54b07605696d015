"""A soak: random actions and faults for minutes, after which nothing may have grown."""

from __future__ import annotations

import gc
import json
import os
import random
import statistics
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.conftest import Serve, Service, wait_until
from tests.faults import count
from tests.faults.report import SOAK
from tests.faults.scene import LOAD, STREAM, start_kernel
from tests.kernel.conftest import Kernel, sidecars

MINUTES = float(os.environ.get("SOAK_MINUTES", "20"))
GROWTH = 0.05  # by which the last third may differ from the first
STEPS = 12  # actions between two looks
WARM_ROUNDS = 2  # in which modules load and pools fill

ACTIONS = [
    "ody.connect()",
    "stream = ody.start(f'world {random.random()}')",
    "stream = ody.start('a city', orientation='portrait')",
    "ody.interact('snow')",
    "ody.interact('rain')",
    "ody.mark('here')",
    "stream.frame().mean()",
    "len(stream.last(2))",
    "ody.end()",
    "ody.disconnect()",
    "ody.sessions()",
    "ody.usage()",
    "await ody.connect().aio.start('a lake')",
]


class Sizes:
    """Memory in MB, threads and descriptors of one process, at every look."""

    def __init__(self) -> None:
        self.memory: list[float] = []
        self.threads: list[int] = []
        self.descriptors: list[int] = []

    def look(self, process: psutil.Process) -> None:
        """Note its sizes."""
        with process.oneshot():
            self.memory.append(process.memory_full_info().uss / 1e6)
            self.threads.append(process.num_threads())
            self.descriptors.append(process.num_fds())

    def thirds(self) -> dict[str, tuple[float, float]]:
        """Return the medians of the first and the last third."""
        third = max(1, len(self.memory) // 3)
        return {
            kind: (statistics.median(values[:third]), statistics.median(values[-third:]))
            for kind, values in vars(self).items()
        }


def _end_of_other_kernel(service: Service, runtime: Path, chance: random.Random) -> None:
    """Another notebook streams and is killed."""
    kernel = start_kernel(runtime, ODYSSEY_API_URL=service.url)
    try:
        kernel.run(LOAD)
        kernel.begin("ody.start('another notebook')")
        time.sleep(chance.uniform(0, 2))
        kernel.process.kill()
    finally:
        kernel.stop()


def _fault(kernel: Kernel, service: Service, runtime: Path, chance: random.Random) -> str:
    """Do one fault; return which."""
    match chance.choice(("sidecar", "streamer", "interrupt", "kernel", "none")):
        case "sidecar":
            for each in sidecars(runtime):
                each.kill()
            return "sidecar killed"
        case "streamer":
            children = psutil.Process(service.pid).children()
            with suppress(psutil.NoSuchProcess, IndexError):
                chance.choice(children).kill()
            return "streamer killed"
        case "interrupt":
            kernel.begin(chance.choice(ACTIONS))
            time.sleep(chance.uniform(0, 1))
            kernel.manager.interrupt_kernel()
            return "interrupt"
        case "kernel":
            _end_of_other_kernel(service, runtime, chance)
            return "another kernel killed"
    return "none"


@pytest.mark.slow
@pytest.mark.timeout(MINUTES * 60 + 300)
def test_nothing_grows(serve: Serve, machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernel, sidecar and service are as large at the end as at the beginning."""
    seed = int(os.environ["FAULTS_SEED"])
    chance = random.Random(seed)
    service = serve("--streamers", "3", "--limit", "concurrent_streams=3")
    monkeypatch.setenv("ODYSSEY_API_URL", service.url)
    monkeypatch.setenv("ODYSSEY_API_KEY", service.api_key)
    most = count.most(psutil.Process(service.pid))
    kernel = start_kernel(machine)
    kernel.run(f"import random, gc\n{LOAD}")
    sizes = {"kernel": Sizes(), "sidecar": Sizes(), "service": Sizes()}
    done: dict[str, int] = {"rounds": 0, "actions": 0}
    until = time.monotonic() + MINUTES * 60
    try:
        while time.monotonic() < until or done["rounds"] < WARM_ROUNDS + 3:
            kernel.run(STREAM)
            for _ in range(STEPS):
                kernel.run(f"{chance.choice(ACTIONS)}; None", seconds=90)  # Out would keep streams
                done["actions"] += 1
            fault = _fault(kernel, service, machine, chance)
            done[fault] = done.get(fault, 0) + 1
            kernel.run(STREAM, seconds=90)  # whatever happened, it goes on
            assert kernel.run("ody.connect().is_open").endswith("True")
            kernel.run("ody.disconnect(); gc.collect(); None")
            service.wait_free(seconds=10)
            done["rounds"] += 1
            if done["rounds"] > WARM_ROUNDS:
                sizes["kernel"].look(kernel.process)
                sizes["sidecar"].look(_one_sidecar(machine))
                sizes["service"].look(psutil.Process(service.pid))
            gc.collect()
    finally:
        kernel.stop()
    wait_until(lambda: not sidecars(machine), seconds=10, what="every sidecar's end")
    found = {name: each.thirds() for name, each in sizes.items()}
    SOAK.write_text(
        json.dumps({"minutes": MINUTES, "seed": seed, "done": done, "sizes": found}, indent=1)
        + "\n"
    )
    # The service's pools of threads and database connections fill when they are needed.
    pools = dict(zip(("threads", "descriptors"), most, strict=True))
    grown = [
        f"{name}: {kind} from {first:.1f} to {last:.1f}"
        for name, kinds in found.items()
        for kind, (first, last) in kinds.items()
        if last > first * (1 + GROWTH) and not (name == "service" and last <= pools.get(kind, 0))
    ]
    assert not grown, (grown, done)


def _one_sidecar(runtime: Path) -> psutil.Process:
    found: list[psutil.Process] = wait_until(
        lambda: [each for each in (sidecars(runtime),) if len(each) == 1],
        seconds=10,
        what="one sidecar",
    )[0]
    return found[0]
