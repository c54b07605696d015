"""Soaks: minutes of streaming, or of random actions and faults, and nothing may have grown.

They are done to a notebook that is open in a real page, and shows the Player all the time. It is
not reloaded: JupyterLab leaves a subshell in the kernel each time (a thread and six descriptors).
A plain kernel runs the same cells (`plain.py`); what that grows by, the notebook's may as well.
"""

from __future__ import annotations

import gc
import json
import os
import random
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

import psutil
import pytest
from playwright.sync_api import Browser

from tests.conftest import Serve, Service, wait_until
from tests.faults import count
from tests.faults.desk import Desk, desk
from tests.faults.growth import Looks
from tests.faults.report import soak_file
from tests.faults.scene import LOAD, STREAM, start_kernel
from tests.kernel.conftest import sidecars
from tests.lab import running_lab

MINUTES = float(os.environ.get("SOAK_MINUTES", "20"))
pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.timeout(MINUTES * 60 + 300)]

STEPS = 12  # actions between two looks
PICTURES = 200  # so they are while one streams; ten seconds
FAULTS = ("sidecar", "streamer", "interrupt", "kernel", "none")
# In which modules load, pools fill, and the arenas of the kernel's interpreter find their size.
WARM_ROUNDS = 2 * len(FAULTS)
WARM_PART = 0.25  # of the time

# What glibc keeps of freed memory for later (15 MB, of decoded pictures) is no growth, nor is what
# the notebook keeps: in `In` and `Out`, and since IPython 9 every output as it was shown. That a
# stream kept there keeps little is `tests/kernel/test_manager.py`'s affair.
REST = """ody.disconnect()
%reset -f in out
get_ipython().history_manager.outputs.clear()
gc.collect(); ctypes.CDLL(None).malloc_trim(0); None"""
SHOW = 'stream = ody.connect().start("a forest")\nstream'
GO_ON = 'stream = ody.connect().start("a forest", extend=True)\nstream'
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


def _fault(
    kind: str, notebook: Desk, service: Service, runtime: Path, chance: random.Random
) -> str:
    """Do one fault; return what it was."""
    match kind:
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
            notebook.interrupted(chance.choice(ACTIONS), chance.uniform(0, 1))
            return "interrupt"
        case "kernel":
            notebook.beside(lambda: _end_of_other_kernel(service, runtime, chance))
            return "another kernel killed"
    return "none"


class Soak:
    """So many minutes of it; what was done and seen is written down, whatever comes of it."""

    def __init__(self, what: str, service: Service, machine: Path) -> None:
        self.machine = machine
        self.done: dict[str, int] = {}
        self.looks = Looks(*Desk.names)
        self.seed = int(os.environ["FAULTS_SEED"])
        self._what = what
        self._most = count.most(psutil.Process(service.pid))
        self._until = time.monotonic() + MINUTES * 60

    @property
    def warm(self) -> bool:
        """Whether what loads and fills at the beginning has done so."""
        return time.monotonic() > self._until - (1 - WARM_PART) * MINUTES * 60

    @property
    def over(self) -> bool:
        """Whether the time is up."""
        return time.monotonic() >= self._until

    def did(self, what: str) -> None:
        """Count something that was done."""
        self.done[what] = self.done.get(what, 0) + 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        found = {"minutes": MINUTES, "seed": self.seed, "done": self.done}
        found["sizes"] = self.looks.thirds()
        soak_file(self._what, MINUTES).write_text(json.dumps(found, indent=1) + "\n")

    def assert_flat(self) -> None:
        """See that nothing has grown, beyond what Jupyter keeps of every cell."""
        wait_until(lambda: not sidecars(self.machine), seconds=10, what="every sidecar's end")
        # The service's pools of threads and database connections fill when they are needed.
        kinds = ("threads", "descriptors")
        pools = {("service", kind): full for kind, full in zip(kinds, self._most, strict=True)}
        first, last = self.looks["plain kernel"].thirds()["megabytes"]
        granted = {("kernel", "megabytes"): max(0.0, last - first)}
        grown = self.looks.grown(granted=granted, pools=pools)
        assert not grown, (grown, granted, self.done)


@pytest.fixture
def service(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> Service:
    """The service that every kernel uses."""
    service = serve("--streamers", "3", "--limit", "concurrent_streams=3")
    monkeypatch.setenv("ODYSSEY_API_URL", service.url)
    monkeypatch.setenv("ODYSSEY_API_KEY", service.api_key)
    return service


def test_nothing_grows_by_faults(service: Service, machine: Path, chromium: Browser) -> None:
    """After random actions and faults everything is as large as it was at the beginning."""
    with (
        Soak("soak", service, machine) as soak,
        running_lab(machine.parent) as lab,
        desk(lab, chromium, machine, SHOW) as notebook,
    ):
        chance, rounds = random.Random(soak.seed), 0
        while not soak.over or rounds < WARM_ROUNDS + 3:
            notebook.show()
            for _ in range(STEPS):
                notebook.run(f"{chance.choice(ACTIONS)}; None")  # Out would keep streams
                soak.did("actions")
            warm = soak.warm and rounds >= WARM_ROUNDS
            kind = chance.choice(FAULTS) if warm else FAULTS[rounds % len(FAULTS)]
            soak.did(_fault(kind, notebook, service, machine, chance))
            notebook.run(STREAM)  # whatever happened, it goes on
            assert notebook.run("ody.connect().is_open").endswith("True")
            notebook.run(REST)
            service.wait_free(seconds=10)
            rounds += 1
            soak.did("rounds")
            if warm:
                notebook.look(soak.looks, service)
            gc.collect()
    soak.assert_flat()


def test_nothing_grows_by_streaming(service: Service, machine: Path, chromium: Browser) -> None:
    """After minutes of pictures, stream after stream, everything is as large as before."""
    with (
        Soak("streaming", service, machine) as soak,
        running_lab(machine.parent) as lab,
        desk(lab, chromium, machine, GO_ON) as notebook,
    ):
        notebook.show()
        while not soak.over:
            notebook.watch(PICTURES)
            soak.did("looks")
            if soak.warm:
                notebook.look(soak.looks, service)
        said = notebook.run("print(ody.connect().stream is not None, len(ody.recordings()))")
        soak.done["streams"] = int(said.split()[-1]) + 1  # the one that goes on
        assert "True" in said
    soak.assert_flat()
