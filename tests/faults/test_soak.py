"""A soak: random actions and faults for minutes, after which nothing may have grown.

It is done to a notebook that is open in a real page, and shows the Player all the time. The page is
not reloaded: JupyterLab leaves a subshell in the kernel each time (a thread and six descriptors).
A plain kernel runs the same cells (`plain.py`); what that grows by, the notebook's may as well.
"""

from __future__ import annotations

import gc
import json
import os
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import psutil
import pytest
from playwright.sync_api import Browser

from tests.conftest import Serve, Service, wait_until
from tests.faults import count
from tests.faults.plain import start_plain_kernel
from tests.faults.report import soak_file
from tests.faults.scene import LOAD, STREAM, start_kernel
from tests.faults.tab import Tab
from tests.faults.test_server import LabKernel
from tests.kernel.conftest import Kernel, sidecars
from tests.lab import Lab, running_lab

T = TypeVar("T")

MINUTES = float(os.environ.get("SOAK_MINUTES", "20"))
GROWTH = 0.05  # by which the last third may exceed the first
PAGE_GROWTH = 0.15  # JupyterLab's own share is in it
STEPS = 12  # actions between two looks
FAULTS = ("sidecar", "streamer", "interrupt", "kernel", "none")
# In which modules load, and pools fill: the service's threads keep what their first request took.
WARM_ROUNDS = 2 * len(FAULTS)
WARM_PART = 0.1  # of the time

# For full tracebacks IPython keeps the source of every file in them; asyncio keeps its threads; and
# Jupyter the signatures of the last 65,536 messages (10 MB).
LEAN = """%xmode Minimal
import asyncio, ctypes, gc, os, random, time
get_ipython().kernel.session.digest_history_size = 0
threads = range(min(32, os.cpu_count() + 4))
await asyncio.gather(*(asyncio.to_thread(time.sleep, 0.1) for _ in threads))"""
# What glibc keeps of freed memory for later (15 MB, of decoded pictures) is no growth, nor is what
# the notebook keeps: in `In` and `Out`, and since IPython 9 every output as it was shown. That a
# stream kept there keeps little is `tests/kernel/test_manager.py`'s affair.
REST = """ody.disconnect()
%reset -f in out
get_ipython().history_manager.outputs.clear()
gc.collect(); ctypes.CDLL(None).malloc_trim(0); None"""
SHOW = 'stream = ody.connect().start("a forest")\nstream'
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
    """How large one thing was, at every look."""

    def __init__(self) -> None:
        self._values: dict[str, list[float]] = {}

    def note(self, **values: float) -> None:
        """Note what was found at one look."""
        for kind, value in values.items():
            self._values.setdefault(kind, []).append(value)

    def look(self, process: psutil.Process) -> None:
        """Note the sizes of a process."""
        with process.oneshot():
            self.note(
                megabytes=process.memory_full_info().uss / 1e6,
                threads=process.num_threads(),
                descriptors=process.num_fds(),
            )

    def thirds(self) -> dict[str, tuple[float, float]]:
        """Return the least of the first and of the last third.

        What is kept for good is in the least as well; what an allocator holds for later, as 7 MB of
        a decoder's pictures between two rounds, is not.
        """
        found = {}
        for kind, values in self._values.items():
            third = max(1, len(values) // 3)
            found[kind] = min(values[:third]), min(values[-third:])
        return found


class Desk:
    """A notebook in a page that shows the Player, its kernel reached beside it, and a plain one."""

    def __init__(
        self, lab: Lab, page: Tab, browser: Browser, aside: ThreadPoolExecutor, runtime: Path
    ) -> None:
        self._lab = lab
        self._aside = aside  # this thread runs Playwright's loop, that one the kernels' clients
        self.plain: Kernel = self.beside(lambda: start_plain_kernel(runtime, LEAN))
        (running,) = lab.kernels("GET")
        self.kernel = self.beside(lambda: LabKernel(lab, running["id"]))
        self._page = page
        self._page.send("Performance.enable")
        self._browser = browser.new_browser_cdp_session()

    def beside(self, work: Callable[[], T]) -> T:
        """Do something with a kernel, on the thread for it."""
        return self._aside.submit(work).result()

    def run(self, code: str) -> str:
        """Run a cell that is not the page's."""
        self.beside(lambda: self.plain.run(code))
        return self.beside(lambda: self.kernel.run(code, seconds=90))

    def interrupted(self, code: str, seconds: float) -> None:
        """Interrupt such a cell."""
        self.beside(lambda: self.plain.run(code))
        self.beside(lambda: self.kernel.begin(code))
        time.sleep(seconds)
        self._lab.kernels("POST", f"/{self.kernel.id}/interrupt")

    def show(self) -> None:
        """Run the page's cell, which shows the Player anew."""
        self.beside(lambda: self.plain.run(SHOW))
        self._page.run(1)
        self._page.wait_live()

    def look(self, sizes: Sizes) -> None:
        """Note the sizes of the page, without what its collector would take."""
        self._page.send("HeapProfiler.collectGarbage")
        metrics = self._page.send("Performance.getMetrics")["metrics"]
        found = {each["name"]: each["value"] for each in metrics}
        processes = self._browser.send("SystemInfo.getProcessInfo")["processInfo"]
        memory = 0
        for each in processes:
            if each["type"] == "renderer":
                memory += psutil.Process(each["id"]).memory_full_info().uss
        sizes.note(
            megabytes=memory / 1e6,
            heap_megabytes=found["JSHeapUsedSize"] / 1e6,
            nodes=found["Nodes"],
            listeners=found["JSEventListeners"],
        )

    def close(self) -> None:
        """Close the page, and the clients' sockets on their thread."""
        self._page.close()
        self.beside(self.plain.stop)
        self.beside(self.kernel.stop)


@contextmanager
def desk(lab: Lab, browser: Browser, runtime: Path) -> Iterator[Desk]:
    """Open a notebook whose kernel has loaded the extension."""
    page = Tab.of_notebook(browser, lab, f"{LEAN}\n{LOAD}", SHOW)
    page.run(0)
    with ThreadPoolExecutor(1, "kernel") as aside:
        opened = Desk(lab, page, browser, aside, runtime)
        try:
            yield opened
        finally:
            opened.close()


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


def _fault(kind: str, desk: Desk, service: Service, runtime: Path, chance: random.Random) -> str:
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
            desk.interrupted(chance.choice(ACTIONS), chance.uniform(0, 1))
            return "interrupt"
        case "kernel":
            desk.beside(lambda: _end_of_other_kernel(service, runtime, chance))
            return "another kernel killed"
    return "none"


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.timeout(MINUTES * 60 + 300)
def test_nothing_grows(
    serve: Serve, machine: Path, chromium: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kernel, sidecar, service and page are as large at the end as at the beginning."""
    seed = int(os.environ["FAULTS_SEED"])
    chance = random.Random(seed)
    service = serve("--streamers", "3", "--limit", "concurrent_streams=3")
    monkeypatch.setenv("ODYSSEY_API_URL", service.url)
    monkeypatch.setenv("ODYSSEY_API_KEY", service.api_key)
    most = count.most(psutil.Process(service.pid))
    sizes = {name: Sizes() for name in ("kernel", "plain kernel", "sidecar", "service", "page")}
    done: dict[str, int] = {"rounds": 0, "actions": 0}
    until = time.monotonic() + MINUTES * 60
    warm_at = until - (1 - WARM_PART) * MINUTES * 60
    try:
        with running_lab(machine.parent) as lab, desk(lab, chromium, machine) as notebook:
            while time.monotonic() < until or done["rounds"] < WARM_ROUNDS + 3:
                notebook.show()
                for _ in range(STEPS):
                    notebook.run(f"{chance.choice(ACTIONS)}; None")  # Out would keep streams
                    done["actions"] += 1
                warm = done["rounds"] >= WARM_ROUNDS and time.monotonic() >= warm_at
                kind = chance.choice(FAULTS) if warm else FAULTS[done["rounds"] % len(FAULTS)]
                fault = _fault(kind, notebook, service, machine, chance)
                done[fault] = done.get(fault, 0) + 1
                notebook.run(STREAM)  # whatever happened, it goes on
                assert notebook.run("ody.connect().is_open").endswith("True")
                notebook.run(REST)
                service.wait_free(seconds=10)
                done["rounds"] += 1
                if warm:
                    sizes["kernel"].look(notebook.kernel.process)
                    sizes["plain kernel"].look(notebook.plain.process)
                    sizes["sidecar"].look(_one_sidecar(machine))
                    sizes["service"].look(psutil.Process(service.pid))
                    notebook.look(sizes["page"])
                gc.collect()
    finally:  # an hour that failed in its last minute says what it saw
        found = {name: each.thirds() for name, each in sizes.items()}
        soak_file(MINUTES).write_text(
            json.dumps({"minutes": MINUTES, "seed": seed, "done": done, "sizes": found}, indent=1)
            + "\n"
        )
    wait_until(lambda: not sidecars(machine), seconds=10, what="every sidecar's end")
    # The service's pools of threads and database connections fill when they are needed.
    pools = dict(zip(("threads", "descriptors"), most, strict=True))
    first, last = found["plain kernel"]["megabytes"]
    jupyters = {("kernel", "megabytes"): max(0.0, last - first)}
    grown = [
        f"{name}: {kind} from {first:.1f} to {last:.1f}"
        for name, kinds in found.items()
        for kind, (first, last) in kinds.items()
        if last - jupyters.get((name, kind), 0)
        > first * (1 + (PAGE_GROWTH if name == "page" else GROWTH))
        and not (name == "service" and last <= pools.get(kind, 0))
    ]
    assert not grown, (grown, jupyters, done)


def _one_sidecar(runtime: Path) -> psutil.Process:
    found: list[psutil.Process] = wait_until(
        lambda: [each for each in (sidecars(runtime),) if len(each) == 1],
        seconds=10,
        what="one sidecar",
    )[0]
    return found[0]
