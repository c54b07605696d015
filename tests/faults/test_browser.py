"""Faults of the browser: every way in which a view can go away, and the page's line and kernel."""

from __future__ import annotations

import asyncio
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

import psutil
import pytest
from playwright.sync_api import Browser, Error, Page, expect

from tests.browser import conftest as lab_fixtures
from tests.browser.conftest import Notebook, open_in
from tests.conftest import wait_until
from tests.faults.fault import KERNEL_DIED, KERNEL_SAYS_SO, Fault, Table
from tests.faults.scene import Scene
from tests.lab import Lab
from tests.plugins.chromium import FLAGS
from tests.relay import Relay

pytestmark = pytest.mark.browser
lab, one_lab = lab_fixtures.lab, lab_fixtures.one_lab

TABLE = Table("Browser")
SOON = (2, 4)  # seconds unseen until the stream ends, and until the streamer is free
UNSEEN = SOON[1] + 1
PATIENT = (40, 60)  # more than a page takes to load
BUSY = "import time\nwhile not os.path.exists('go'): time.sleep(0.05)"
EDIT = (
    "from odyssey_nb.kernel.runtime import get_manager\n"
    'get_manager().players["default"]._esm += "\\n// edited"'
)


class Desk(Scene):
    """A scene with a JupyterLab and a browser, in which a notebook streams."""

    def __init__(self, scene: Scene, lab: Lab, chromium: Browser) -> None:
        vars(self).update(vars(scene))
        self.lab, self.chromium = lab, chromium
        self.stack.callback(lab.end_kernels)

    def page(self, browser: Browser | None = None) -> Page:
        """A page in a fresh context."""
        context = (browser or self.chromium).new_context(viewport={"width": 1280, "height": 1000})
        self.stack.callback(_close, context)
        return context.new_page()

    def opens(
        self,
        *cells: str,
        unseen: object = SOON,
        page: Page | None = None,
        lab: Lab | None = None,
    ) -> Notebook:
        """Open a notebook whose Player streams, and see at the service that it holds the streamer.

        More `cells` follow; they do not run yet.
        """
        environment = {
            name: os.environ[name]
            for name in ("ODYSSEY_NB_RUNTIME_DIR", "ODYSSEY_API_URL", "ODYSSEY_API_KEY")
        }
        load = f"import os\nos.environ.update({environment})\n%load_ext odyssey_nb\n"
        start = f"ody.connect(when_hidden={unseen})\nstream = ody.start('a forest')\nstream"
        notebook = open_in(
            page or self.page(), lab or self.lab, load + "import odyssey_nb as ody", start, *cells
        )
        notebook.run(0)
        notebook.run(1)
        notebook.wait_live()
        assert self.service.held == 1
        return notebook

    def stays(self, notebook: Notebook, *, seconds: float = SOON[1] + 2) -> None:
        """See that for so long the notebook shows pictures; then the user ends it from there."""
        notebook.page.wait_for_timeout(seconds * 1000)
        before = notebook.seq
        wait_until(lambda: notebook.seq > before + 5, seconds=20, what="more pictures")
        assert self.service.held == 1, "the session should have been kept"
        with self.striking():
            notebook.player.get_by_label("disconnect and free the streamer").click()

    def reads(self, notebook: Notebook, words: str, *, under: bool = False) -> None:
        """Wait until it is said in the picture, or under it; keep what the user is told."""
        place = notebook.player.locator(".odyssey-problem") if under else notebook.stage
        expect(place).to_contain_text(words, timeout=20_000)
        self.told += f"{place.text_content()}\n"


def _close(thing: object) -> None:
    with suppress(Error):  # its browser may be gone
        thing.close()


@contextmanager
def line_to(lab: Lab) -> Iterator[tuple[Lab, Callable[[bool], None]]]:
    """The lab as seen through a line, and what cuts the line or mends it."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="line")
    thread.start()

    def do(work: object) -> object:
        return asyncio.run_coroutine_threadsafe(work, loop).result(10)

    opened = Relay.to(lab.url)
    relay = do(opened.__aenter__())

    async def cut(down: bool) -> None:
        relay.down = down
        if down:
            relay.cut()

    try:
        yield replace(lab, url=f"{relay.url}/"), lambda down: do(cut(down))
    finally:
        do(opened.__aexit__(None, None, None))
        do(_rest())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _rest() -> None:
    """Let what is left of the connections end."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for each in others:
        each.cancel()
    await asyncio.gather(*others, return_exceptions=True)


@TABLE.row("the tab is closed", bound=UNSEEN, quick=1)
def _closed(desk: Desk) -> None:
    notebook = desk.opens()
    desk.pause(1.0)
    with desk.striking():
        notebook.page.close()


@TABLE.row("the tab is closed, another one shows the notebook", bound=KERNEL_SAYS_SO, quick=1)
def _closed_beside_another(desk: Desk) -> None:
    notebook = desk.opens(f"ody.connect(when_hidden={SOON})", unseen=PATIENT)
    notebook.save()
    other = open_in(notebook.page.context.new_page(), desk.lab)
    other.wait_live()
    other.run(2)  # from now on, and not while the other page loads
    expect(other.page.get_by_text("reused the open connection")).to_be_visible()
    other.player.scroll_into_view_if_needed()
    desk.pause(0.5)
    notebook.page.close()
    desk.stays(other)


@TABLE.row("the page is reloaded", bound=KERNEL_SAYS_SO)
def _reloaded(desk: Desk) -> None:
    notebook = desk.opens(unseen=PATIENT)
    notebook.save()
    desk.pause(1.0)
    notebook.page.reload()
    notebook.wait_live()
    desk.stays(notebook)


@TABLE.row("the page is reloaded while a cell runs", bound=KERNEL_SAYS_SO, quick=1)
def _reloaded_while_a_cell_runs(desk: Desk) -> None:
    go = desk.lab.folder / "go"
    go.unlink(missing_ok=True)
    notebook = desk.opens(BUSY, unseen=PATIENT)
    notebook.save()
    notebook.run(2)
    desk.pause(1.0, least=0.2)
    notebook.page.reload()
    notebook.page.locator(".jp-Notebook").wait_for(timeout=60_000)
    assert notebook.player.count() == 0, "JupyterLab asks a busy kernel for no widgets"
    go.touch()
    notebook.wait_live()
    desk.stays(notebook, seconds=1)


@TABLE.row("the browser is killed", bound=UNSEEN)
def _browser_killed(desk: Desk) -> None:
    browser = desk.chromium.browser_type.launch(
        executable_path=shutil.which("chromium"), args=FLAGS, headless=True
    )
    desk.stack.callback(_close, browser)
    desk.opens(page=desk.page(browser))
    told = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")
    (number,) = [each["id"] for each in told["processInfo"] if each["type"] == "browser"]
    desk.pause(1.0)
    with desk.striking():
        psutil.Process(number).kill()


@TABLE.row("the output is cleared", bound=UNSEEN)
def _cleared(desk: Desk) -> None:
    notebook = desk.opens()
    desk.pause(0.5)
    with desk.striking():
        notebook.choose("Edit", "editmenu:clear-all")


@TABLE.row("the cell is deleted", bound=UNSEEN)
def _deleted(desk: Desk) -> None:
    notebook = desk.opens()
    notebook.select(1)
    desk.pause(0.5)
    with desk.striking():
        notebook.page.keyboard.press("d")
        notebook.page.keyboard.press("d")


@TABLE.row("the widget's code is changed (hot reload)", bound=KERNEL_SAYS_SO)
def _hot_reload(desk: Desk) -> None:
    notebook = desk.opens(EDIT)
    notebook.player.evaluate("old => { old.dataset.old = 'yes' }")
    notebook.run(2)
    notebook.page.locator(".odyssey-player:not([data-old])").wait_for(timeout=20_000)
    notebook.wait_live()
    desk.stays(notebook)


def _line_cut(seconds: float, desk: Desk) -> None:
    with line_to(desk.lab) as (lab, cut):
        notebook = desk.opens(unseen=(120, 300), lab=lab)
        notebook.page.add_locator_handler(
            notebook.page.locator(".jp-Dialog", has_text="Server Connection Error"),
            lambda dialog: dialog.locator("button").last.click(),
        )
        expect(notebook.player).to_have_attribute("data-path", "direct", timeout=20_000)
        desk.pause(1.0)
        cut(True)
        desk.reads(notebook, "lost the Jupyter server", under=True)
        before = notebook.seq
        notebook.page.wait_for_timeout(seconds * 1000)
        assert notebook.seq > before + 5 * seconds, "pictures come from the sidecar"
        cut(False)
        if seconds > 30:  # JupyterLab tries ever more seldom, and gives up in the end
            notebook.choose("Kernel", "kernelmenu:reconnect-to-kernel")
        expect(notebook.player.locator(".odyssey-error")).to_be_empty(timeout=60_000)
        desk.stays(notebook, seconds=0)


for _seconds in (5, 60):
    TABLE.add(
        lambda desk, seconds=_seconds: _line_cut(seconds, desk),
        name=f"the line to the server is cut for {_seconds} s",
        bound=KERNEL_SAYS_SO,
        told=("lost the jupyter server",),
        timeout=240,
    )


@TABLE.row("Restart in the menu", bound=KERNEL_SAYS_SO, told=("the kernel restarted",))
def _restarted(desk: Desk) -> None:
    notebook = desk.opens()
    desk.pause(1.0)
    with desk.striking():
        notebook.restart()
    desk.reads(notebook, "run the connect cell")


@TABLE.row("Shut Down in the menu", bound=KERNEL_SAYS_SO, told=("the kernel was shut down",))
def _shut_down(desk: Desk) -> None:
    notebook = desk.opens()
    desk.pause(1.0)
    with desk.striking():
        notebook.choose("Kernel", "kernelmenu:shutdown")
    desk.reads(notebook, "run the connect cell")


@TABLE.row(
    "the kernel is killed, JupyterLab starts it again", bound=KERNEL_DIED, told=("died and",)
)
def _killed(desk: Desk) -> None:
    notebook = desk.opens("os.kill(os.getpid(), 9)")
    desk.pause(1.0)
    with desk.striking():
        notebook.run(2)
    desk.reads(notebook, "run the connect cell")


@pytest.fixture
def scene(scene: Scene, lab: Lab, chromium: Browser) -> Desk:
    """The scene, with a JupyterLab and a browser in it."""
    return Desk(scene, lab, chromium)


@TABLE.each_run
def test_browser(scene: Desk, fault: Fault, seed: int, conclude: Callable[[], None]) -> None:
    """Whatever becomes of the page, what nobody sees ends, and what somebody sees goes on."""
    fault.do(scene)
    conclude()
