"""How long one waits for the live view: for a command's picture, for the first, for a return."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.benchmarks.report import Report
from tests.benchmarks.view import source, steered
from tests.benchmarks.view.measure import PROBE
from tests.browser.conftest import Notebook, open_in
from tests.conftest import wait_until
from tests.lab import Lab, running_lab

pytestmark = [pytest.mark.benchmark, pytest.mark.browser, pytest.mark.timeout(600)]

SECTION = "Waits"
ROOT = Path(__file__).parents[2]
WAITS = PROBE.with_name("waits.js")
LOAD = "%load_ext odyssey_nb\nimport odyssey_nb as ody"
START = 'stream = ody.start("a misty forest at dawn")\nstream'
HOLD = """import ctypes, time
ctypes.PyDLL(None).usleep(3_000_000)  # seconds, in which it holds the GIL
print("free at", int(time.time() * 1000))"""
EXTENSION = """import time
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
began = time.perf_counter()
shell.run_line_magic("load_ext", "odyssey_nb")
print(time.perf_counter() - began)"""
COMMANDS, CONNECTS, RETURNS, HOLDS, LOADS = 20, 7, 5, 3, 5


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A JupyterLab whose local service has the world that tells what it was told, and when."""
    home = tmp_path_factory.mktemp("lab")
    source.offer(home / "worlds", **{steered.NAME: steered.Steered})
    path = os.pathsep.join([str(ROOT), str(home / "worlds")])
    with running_lab(home, PYTHONPATH=path, ODYSSEY_NB_WORLD=steered.NAME) as running:
        yield running


@contextmanager
def opened(browser: Browser, lab: Lab, *cells: str, direct: bool = True) -> Iterator[Notebook]:
    """Open a notebook that has loaded the extension, in a page of its own with the probes."""
    context = browser.new_context(viewport={"width": 1280, "height": 1150})
    try:
        context.add_init_script(f"globalThis.benchDirect = {str(direct).lower()}")
        context.add_init_script(path=PROBE)
        context.add_init_script(path=WAITS)
        notebook = open_in(context.new_page(), lab, f"{LOAD}\nprint('loaded')", *cells)
        notebook.run(0)
        notebook.page.get_by_text("loaded", exact=True).wait_for()
        yield notebook
    finally:
        context.close()
        lab.end_kernels()


def streaming(notebook: Notebook, path: str) -> None:
    """Start the stream, and wait until its pictures come this way."""
    notebook.run(1)
    notebook.wait_live(pictures=20)
    expect(notebook.player).to_have_attribute("data-path", path, timeout=30_000)


def first_picture(notebook: Notebook) -> float:
    """Return the seconds from running the cell to the first painted picture."""
    notebook.select(1)
    notebook.page.evaluate("() => { bench.begun = Date.now(); bench.shown = bench.first(); }")
    notebook.page.keyboard.press("Control+Enter")
    return float(notebook.page.evaluate("bench.shown.then((at) => at - bench.begun)")) / 1000


def test_first_picture(report: Report, lab: Lab, chromium: Browser) -> None:
    """From the cell that connects to the first picture, without and with a running service."""
    found = []
    for _ in range(1 + CONNECTS):  # the first of them has to start the service
        with opened(chromium, lab, START) as notebook:
            found.append(first_picture(notebook))
    cold, warm = found[0], median(found[1:])
    report.say(
        SECTION,
        "Cell to first picture",
        f"{warm:.2f} s with a running service (at most 1.5), {cold:.2f} s without one (4)",
        met=warm < 1.5 and cold < 4,
    )


def test_command_to_picture(report: Report, lab: Lab, chromium: Browser) -> None:
    """From sending a prompt to the first picture that the world painted by it, and its parts."""
    with opened(chromium, lab, START) as notebook:
        streaming(notebook, "direct")
        box = notebook.player.get_by_label("prompt", exact=True)
        found = []
        for number in range(COMMANDS):
            box.fill(f"a misty forest with {number} deer")
            notebook.page.wait_for_timeout(37 * (number % 7))  # at any moment between pictures
            found.append(_parts(notebook.page.evaluate("bench.command()")))
    part = {name: median(each[name] for each in found) for name in found[0]}
    p95 = quantiles([each["all"] for each in found], n=20)[-1]
    report.say(
        SECTION,
        "Command to visible change",
        f"median {part['all']:.0f} ms (at most 120), 95 % within {p95:.0f} ms: "
        f"{part['world']:.0f} ms to the world's next picture (acknowledged after "
        f"{part['acknowledge']:.0f}), {part['network']:.0f} to encode and carry it to the page, "
        f"{part['decode']:.1f} to decode, {part['paint']:.1f} to paint",
        met=part["all"] < 120,
    )


def _parts(times: dict[str, Any]) -> dict[str, float]:
    began = times["asked"]
    stamp = began + (times["stamp"] - began) % source.TIMES  # the strip has 32 bits
    return {
        "all": times["painted"] - began,
        "acknowledge": times["acknowledged"] - began,
        "world": stamp - began,
        "network": times["handed"] - stamp,
        "decode": times["decoded"] - times["handed"],
        "paint": times["painted"] - times["decoded"],
    }


def test_back_in_sight(report: Report, lab: Lab, chromium: Browser) -> None:
    """A view that was out of sight shows a picture at once, through the kernel's relay."""
    filler = "print('line\\n' * 120)"
    with opened(chromium, lab, START, filler, "'the last cell'", direct=False) as notebook:
        streaming(notebook, "relay")
        notebook.run(2)
        notebook.page.locator(".jp-OutputArea-output", has_text="line").wait_for()
        last = notebook.page.get_by_text("the last cell").last
        found = []
        for _ in range(RETURNS):
            last.scroll_into_view_if_needed()
            expect(notebook.player).not_to_be_in_viewport()
            wait_until(lambda: _is_still(notebook), what="an unseen view's rest")
            found.append(float(notebook.page.evaluate("bench.back()")))
    report.say(
        SECTION,
        "Back in sight to a new picture",
        f"median {median(found):.0f} ms (at most 100), through the kernel's relay",
        met=median(found) < 100,
    )


def _is_still(notebook: Notebook) -> bool:
    before = notebook.seq
    notebook.page.wait_for_timeout(300)
    return notebook.seq == before


def test_after_the_gil_was_held(report: Report, lab: Lab, chromium: Browser) -> None:
    """Half a second after a cell let go of the GIL the relay's pictures are new ones again."""
    found = []
    with opened(chromium, lab, START, HOLD, direct=False) as notebook:
        streaming(notebook, "relay")
        page = notebook.page
        for _ in range(HOLDS):
            page.evaluate("() => { bench.seen = bench.watch('.odyssey-player canvas', 6000); }")
            notebook.run(2)
            seen = page.evaluate("bench.seen")
            said = page.get_by_text(re.compile(r"free at \d+")).last.inner_text()
            then = int(said.split()[-1]) + 500
            stamp = [stamp for _, stamp, at in seen if at <= then][-1]
            found.append((then - stamp) % source.TIMES)
    report.say(
        SECTION,
        "Age of the picture half a second after a cell held the GIL for 3 s",
        f"median {median(found):.0f} ms (at most 300), through the kernel's relay",
        met=median(found) <= 300,
    )


def test_load_extension(report: Report) -> None:
    """`%load_ext odyssey_nb` in an IPython that has loaded nothing else."""
    found = []
    for _ in range(LOADS):
        command = [sys.executable, "-c", EXTENSION]
        done = subprocess.run(command, stdout=subprocess.PIPE, timeout=60, check=True)
        found.append(float(done.stdout))
    report.say(
        SECTION,
        "%load_ext odyssey_nb",
        f"{1000 * median(found):.0f} ms beyond IPython (at most 100)",
        met=median(found) < 0.1,
    )
