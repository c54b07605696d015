"""The poster in a real JupyterLab: what a saved notebook shows when its kernel is dead."""

from __future__ import annotations

import re
from collections.abc import Callable

import psutil
import pytest
from nbconvert import HTMLExporter
from playwright.sync_api import Page, expect

from tests.browser.conftest import Lab, Notebook, painted
from tests.browser.test_player import LOAD, START
from tests.conftest import wait_until
from tests.posters import posters

pytestmark = pytest.mark.browser


def kill_kernel(lab: Lab) -> None:
    """Kill the lab's kernel, as the machine does when memory runs out."""
    (kernel,) = [
        each
        for each in psutil.Process(lab.process.pid).children()
        if "ipykernel_launcher" in each.cmdline()
    ]
    kernel.kill()


def test_the_saved_notebook_keeps_the_last_picture(
    open_notebook: Callable[..., Notebook], lab: Lab, page: Page
) -> None:
    """The kernel is killed: nbconvert's page, and the notebook opened anew, show the last picture.

    While there is a live view, it stands in the poster's place.
    """
    notebook = open_notebook(LOAD, START)
    notebook.run_all()
    notebook.wait_live()
    poster = page.locator("[data-odyssey-poster] img")
    notebook.player.get_by_label("end the stream").click()
    expect(notebook.player).to_have_attribute("data-streaming", "false")

    def last() -> tuple[int, int] | None:
        shown = painted(notebook.player)
        kept = posters(page.locator("[data-odyssey-poster]").evaluate("it => it.outerHTML"))
        return shown if kept == [shown] else None

    number = wait_until(last, what="the last picture's poster", seconds=20)
    expect(poster).to_be_hidden()
    file = lab.folder / notebook.name
    data = (poster.get_attribute("src") or "").partition(",")[2]
    page.keyboard.press("Control+s")
    wait_until(lambda: data in file.read_text(), what="the poster in the file")
    kill_kernel(lab)

    html, _ = HTMLExporter().from_filename(str(file))
    assert posters(html) == [number]
    page.set_content(html)
    expect(poster).to_be_visible()
    expect(page.get_by_text("<Stream 1")).to_be_hidden()

    page.goto(lab.address(notebook.name))
    notebook.wait_idle()
    expect(poster).to_be_visible(timeout=30_000)
    expect(page.get_by_text(re.compile("a misty forest at dawn")).last).to_be_visible()
    expect(page.get_by_text("Error displaying widget")).to_be_hidden()
