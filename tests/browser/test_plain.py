"""Pages that are no secure context, such as plain http by host name: they have no WebCodecs."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from odyssey_nb.service.worlds.test_pattern import prompt_hash
from tests.browser.conftest import Lab, Notebook, OpenNotebook
from tests.browser.test_player import LOAD, START, canvas
from tests.conftest import wait_until
from tests.plugins.chromium import FLAGS

pytestmark = pytest.mark.browser

HOST = "labserver"
NO_MEDIA_SOURCE = "delete window.MediaSource"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A Chromium that finds this machine under a name."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=[*FLAGS, f"--host-resolver-rules=MAP {HOST} 127.0.0.1"],
        )
        yield browser
        browser.close()


@pytest.fixture
def lab(lab: Lab) -> Lab:
    """The JupyterLab as pages see it from elsewhere."""
    return replace(lab, url=lab.url.replace("127.0.0.1", HOST))


def start(open_notebook: OpenNotebook, way: str, *more: str) -> Notebook:
    """Open a notebook with a stream, whose pictures become pixels this way."""
    notebook = open_notebook(LOAD, START, *more)
    assert notebook.page.evaluate("[isSecureContext, 'VideoDecoder' in window]") == [False, False]
    notebook.run(0)
    notebook.run(1)
    notebook.wait_live()
    expect(notebook.player).to_have_attribute("data-way", way)
    return notebook


def follow(notebook: Notebook) -> None:
    """See that pictures come and follow the prompt that is typed."""
    first, shown = canvas(notebook)
    assert shown == prompt_hash("a misty forest at dawn")
    wait_until(lambda: canvas(notebook)[0] > first + 30, what="later pictures")
    box = notebook.player.get_by_label("prompt", exact=True)
    box.fill("heavy snow")
    box.press("Enter")
    wait_until(lambda: canvas(notebook)[1] == prompt_hash("heavy snow"), what="the new prompt")


def test_media_source_plays_where_webcodecs_is_missing(open_notebook: OpenNotebook) -> None:
    """Painted pixels follow the stream and its prompt, and a next stream of another size."""
    again = 'stream.end()\nstream = ody.start("a calm sea", orientation="portrait")'
    notebook = start(open_notebook, "Media Source", again)
    follow(notebook)
    meter = notebook.player.locator(".odyssey-meter")
    expect(meter).to_contain_text("fps relay")
    assert "plain http" in meter.get_attribute("title")
    notebook.run(2)
    painted = notebook.player.locator("canvas")
    expect(painted).to_have_attribute("data-height", "1280", timeout=30_000)
    wait_until(lambda: canvas(notebook)[1] == prompt_hash("a calm sea"), what="the next stream")


def test_jpegs_come_where_nothing_decodes_video(open_notebook: OpenNotebook, page: Page) -> None:
    """Painted pixels follow stream and prompt; out of sight the kernel decodes nothing."""
    filler = "print('line\\n' * 120)"
    fetched = (
        "import time; time.sleep(1)\n"  # in which the picture that was asked for last still comes
        "a = stream.statistics(); time.sleep(2); a == stream.statistics()"
    )
    broken = "import sys; sys.modules['odyssey_nb.media.jpeg'] = None"
    mended = "del sys.modules['odyssey_nb.media.jpeg']"
    page.add_init_script(NO_MEDIA_SOURCE)
    notebook = start(open_notebook, "JPEG", filler, fetched, broken, mended)
    follow(notebook)
    meter = notebook.player.locator(".odyssey-meter")
    expect(meter).to_contain_text("fps JPEG")
    assert "plain http" in meter.get_attribute("title")
    notebook.run(2)
    lines = notebook.page.locator(".jp-OutputArea-output", has_text="line line")
    expect(lines).to_be_visible()  # only they push what follows down
    last = notebook.page.get_by_text("a == stream.statistics()").last
    last.scroll_into_view_if_needed()
    expect(notebook.player).not_to_be_in_viewport()
    notebook.run(3)
    output = notebook.page.locator(".jp-OutputArea-output", has_text="True")
    expect(output).to_be_visible(timeout=20_000)
    still = notebook.seq
    notebook.player.scroll_into_view_if_needed()
    wait_until(lambda: notebook.seq > still + 5, what="pictures back in sight")
    notebook.run(4)
    notebook.player.scroll_into_view_if_needed()
    problem = notebook.player.locator(".odyssey-problem")
    expect(problem).to_contain_text("decode failed")
    expect(problem).to_contain_text("log")
    still = notebook.seq
    notebook.run(5)
    notebook.player.scroll_into_view_if_needed()
    expect(problem).to_have_text(" ")
    wait_until(lambda: notebook.seq > still + 20, what="pictures again")
