"""A notebook that is open in a page and shows the Player, with all that is measured of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import psutil
from playwright.sync_api import Browser

from tests.conftest import Service, wait_until
from tests.faults.growth import Looks
from tests.faults.plain import start_plain_kernel
from tests.faults.scene import LOAD
from tests.faults.tab import Tab
from tests.faults.test_server import LabKernel
from tests.kernel.conftest import Kernel, sidecars
from tests.lab import Lab

T = TypeVar("T")

# For full tracebacks IPython keeps the source of every file in them; asyncio keeps its threads; and
# Jupyter the signatures of the last 65,536 messages (10 MB).
LEAN = """%xmode Minimal
import asyncio, ctypes, gc, os, random, time
get_ipython().kernel.session.digest_history_size = 0
threads = range(min(32, os.cpu_count() + 4))
await asyncio.gather(*(asyncio.to_thread(time.sleep, 0.1) for _ in threads))"""
_SEQ = "Number(document.querySelector('.odyssey-player canvas').dataset.seq)"


class Desk:
    """A notebook in a page that shows the Player, its kernel reached beside it, and a plain one."""

    names = ("kernel", "plain kernel", "sidecar", "service", "page")  # of what it looks at

    def __init__(
        self,
        lab: Lab,
        page: Tab,
        browser: Browser,
        aside: ThreadPoolExecutor,
        runtime: Path,
        shown: str,
    ) -> None:
        self._lab = lab
        self._runtime = runtime
        self._shown = shown
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
        self.beside(lambda: self.plain.run(self._shown))
        self._page.run(1)
        self._page.wait_live()

    def watch(self, pictures: int) -> None:
        """Wait until the Player has painted so many pictures more, or those of a new stream."""
        before = self._page.evaluate(_SEQ)
        self._page.wait_for(f"Math.abs({_SEQ} - {before}) >= {pictures}")

    def look(self, looks: Looks, service: Service) -> None:
        """Note how large everything is; of the page, without what its collector would take."""
        looks["kernel"].look(self.kernel.process)
        looks["plain kernel"].look(self.plain.process)
        looks["sidecar"].look(one_sidecar(self._runtime))
        looks["service"].look(psutil.Process(service.pid))
        self._page.send("HeapProfiler.collectGarbage")
        metrics = self._page.send("Performance.getMetrics")["metrics"]
        found = {each["name"]: each["value"] for each in metrics}
        processes = self._browser.send("SystemInfo.getProcessInfo")["processInfo"]
        memory = 0
        for each in processes:
            if each["type"] == "renderer":
                memory += psutil.Process(each["id"]).memory_full_info().uss
        looks["page"].note(
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
def desk(lab: Lab, browser: Browser, runtime: Path, shown: str) -> Iterator[Desk]:
    """Open a notebook whose kernel has loaded the extension; its second cell is `shown`."""
    page = Tab.of_notebook(browser, lab, f"{LEAN}\n{LOAD}", shown)
    page.run(0)
    with ThreadPoolExecutor(1, "kernel") as aside:
        opened = Desk(lab, page, browser, aside, runtime, shown)
        try:
            yield opened
        finally:
            opened.close()


def one_sidecar(runtime: Path) -> psutil.Process:
    """Return the sidecar, once there is one."""
    found: list[psutil.Process] = wait_until(
        lambda: [each for each in (sidecars(runtime),) if len(each) == 1],
        seconds=10,
        what="one sidecar",
    )[0]
    return found[0]
