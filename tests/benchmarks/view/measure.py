"""Measures one way from the service's picture to the painted one, in a fresh notebook."""

from __future__ import annotations

import base64
import io
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import psutil
from PIL import Image

from odyssey_nb.service.worlds.test_pattern import STRIP, read
from tests.benchmarks.view.figures import CANVAS, DIRECT, IMAGE, RELAY, RFB
from tests.benchmarks.view.load import RUNNING, STOP
from tests.benchmarks.view.source import NAME, TIMES, exact
from tests.browser.conftest import Notebook, open_in
from tests.conftest import launch, wait_until
from tests.contact_sheet import rgb

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from playwright.sync_api import Browser, Page

    from tests.conftest import Service
    from tests.lab import Lab

PROBE: Final = Path(__file__).with_name("probe.js")
SECONDS: Final = 4.0  # that each measurement takes
SETTLE: Final = 1.5  # seconds before each
SHOTS: Final = 3

PLAYER_CELL: Final = (
    "%load_ext odyssey_nb\n"
    "import odyssey_nb as ody\n"
    "stream = ody.connect(url={url!r}, api_key={key!r}).start('anything')\nstream"
)
PEER_CELL: Final = "from tests.benchmarks.view import {peer}\n{peer}.show({url!r}, {key!r})"
LOAD_CELL: Final = "from tests.benchmarks.view import load\nload.{load}()"


@dataclass(frozen=True, slots=True)
class Way:
    """A way for pictures to come."""

    name: str
    selector: str  # of the element that is painted
    peer: str = ""  # the module that shows it; without one it is our Player
    direct: bool = False

    def cell(self, service: Service) -> str:
        """Return what a user types to see them."""
        text = PEER_CELL if self.peer else PLAYER_CELL
        return text.format(peer=self.peer, url=service.url, key=service.api_key)


PLAYER: Final = ".odyssey-player canvas"
WAYS: Final = (
    Way(IMAGE, "img.widget-image", peer="image"),
    Way(RFB, "img.renderview-view", peer="rfb"),
    Way(CANVAS, ".jp-OutputArea-output canvas", peer="canvas"),
    Way(RELAY, PLAYER),
    Way(DIRECT, PLAYER, direct=True),
)
LOADS: Final = {"python": "compute", "gil": "hold"}


@dataclass(frozen=True, slots=True)
class Painted:
    """What was painted within some seconds."""

    offered: float  # pictures that the world painted per second
    fps: float  # of which so many were painted
    p50: float | None  # milliseconds from the world's painting to the page's; None without any
    p95: float | None

    @classmethod
    def of(cls, seen: list[list[int]], seconds: float) -> Painted:
        """Sum up what the probe noted; the first was painted before it began."""
        fresh = seen[1:]
        delays = [(at - stamp) % TIMES for _, stamp, at in fresh]
        (first, began, _), (last, ended, _) = seen[0], seen[-1]
        offered = 1000 * (last - first) / ((ended - began) % TIMES) if len(fresh) > 1 else 0.0
        p95 = quantiles(delays, n=20)[-1] if len(delays) > 1 else None
        return cls(offered, len(fresh) / seconds, median(delays) if delays else None, p95)


class Meter:
    """Reads what a notebook has cost so far: processor times of its processes, and bytes."""

    def __init__(self, notebook: Notebook) -> None:
        self._page = notebook.page
        lab = psutil.Process(notebook.lab.process.pid)
        (kernel,) = (
            each for each in lab.children() if "ipykernel_launcher" in " ".join(each.cmdline())
        )
        ours = psutil.Process().children(recursive=True)
        self._processes = {
            "kernel": [kernel],
            "sidecar": kernel.children(recursive=True),
            "server": [lab],
            "browser": [each for each in ours if "chrom" in each.name()],
        }

    def read(self) -> dict[str, float]:
        """Return milliseconds of processor time, and the bytes that the page has received."""
        spent = {
            name: sum(1000 * processor_time(each.pid) for each in processes)
            for name, processes in self._processes.items()
        }
        return {**spent, "bytes": float(self._page.evaluate("bench.bytes"))}

    def since(self, before: dict[str, float]) -> dict[str, float]:
        """Return what was spent since `before`."""
        return {name: value - before[name] for name, value in self.read().items()}


def measure(way: Way, lab: Lab, browser: Browser, folder: Path) -> dict[str, Any]:
    """Return what was measured of `way`; the files of its service are in `folder`."""
    (folder / "runtime").mkdir(parents=True, mode=0o700)
    service = launch(folder, "--streamers", "1", runtime=folder / "runtime", world=NAME)
    context = browser.new_context(viewport={"width": 1280, "height": 1150})
    try:
        context.add_init_script(f"globalThis.benchDirect = {str(way.direct).lower()}")
        context.add_init_script(path=PROBE)
        page = context.new_page()
        loads = [LOAD_CELL.format(load=each) for each in LOADS.values()]
        notebook = open_in(page, lab, *loads, way.cell(service), name=f"{folder.name}.ipynb")
        notebook.run(len(loads))
        _wait_live(way, page)
        return _measured(way, notebook)
    except BaseException:
        context.pages[0].screenshot(path=folder / "broken.png")
        raise
    finally:
        context.close()
        lab.end_kernels()
        service.stop()


def _wait_live(way: Way, page: Page) -> None:
    page.wait_for_function("s => bench.number(s) > 10", arg=way.selector, timeout=60_000)
    if not way.peer:
        path = "direct" if way.direct else "relay"
        page.locator(f".odyssey-player[data-path={path}]").wait_for(timeout=30_000)


def _measured(way: Way, notebook: Notebook) -> dict[str, Any]:
    page, folder = notebook.page, notebook.lab.folder
    running = folder / RUNNING
    page.wait_for_timeout(SETTLE * 1000)
    painted, cost = _at_leisure(way, notebook)
    found: dict[str, Any] = {"idle": painted, "cost": cost, "psnr": _likeness(way, page)}
    for cell, load in enumerate(LOADS):
        notebook.run(cell)
        wait_until(running.exists, seconds=60, what="the load's beginning")
        page.wait_for_timeout(SETTLE * 1000)
        found[load] = asdict(_watch(way, page))
        (folder / STOP).touch()
        wait_until(lambda: not running.exists(), seconds=60, what="the load's end")
    return found


def _watch(way: Way, page: Page) -> Painted:
    seen = page.evaluate("([s, ms]) => bench.watch(s, ms)", [way.selector, SECONDS * 1000])
    assert seen, "nothing is painted"
    return Painted.of(seen, SECONDS)


def _at_leisure(way: Way, notebook: Notebook) -> tuple[dict[str, Any], dict[str, float]]:
    """Return what was painted, and what each picture cost: milliseconds and bytes.

    Looking at the pixels costs the browser something, so its part is taken while nobody does.
    """
    meter = Meter(notebook)
    before = meter.read()
    notebook.page.wait_for_timeout(SECONDS * 1000)
    unseen = meter.since(before)
    before = meter.read()
    painted = _watch(way, notebook.page)
    spent = {**meter.since(before), "browser": unseen["browser"]}
    pictures = painted.fps * SECONDS
    return asdict(painted), {name: value / pictures for name, value in spent.items()}


def processor_time(pid: int) -> float:
    """Return the seconds of processor time that a process has used, to the nanosecond.

    /proc counts in hundredths; the clock of a process has this number on Linux
    (clock_getcpuclockid).
    """
    return time.clock_gettime((~pid << 3) | 2)


def _likeness(way: Way, page: Page) -> float:
    """Return the median PSNR of some painted pictures, of luma, in dB."""
    found = []
    for _ in range(SHOTS):
        url = wait_until(
            lambda: page.evaluate("s => bench.shoot(s)", way.selector), what="a whole picture"
        )
        png = base64.b64decode(url.partition(",")[2])
        shown = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))
        number, _ = read(shown)
        found.append(_psnr(_luma(shown), _luma(np.asarray(rgb(exact(number))))))
        page.wait_for_timeout(200)
    return median(found)


def _luma(picture: NDArray) -> NDArray:
    below = picture[picture.shape[0] // STRIP :].astype(float)
    return below @ [0.299, 0.587, 0.114]


def _psnr(one: NDArray, other: NDArray) -> float:
    return float(10 * np.log10(255**2 / np.mean((one - other) ** 2)))
