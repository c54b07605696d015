"""The gallery in a real JupyterLab: recordings play, come home, and go."""

from __future__ import annotations

import json
from collections.abc import Callable

import av
import nbformat
import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Notebook
from tests.conftest import wait_until

pytestmark = pytest.mark.browser

Open = Callable[..., Notebook]

STREAM = """
%load_ext odyssey_nb
import time
import odyssey_nb as ody
stream = ody.start("a misty forest")
stream.frame()
stream.mark("odd!")
stream.end()
until = time.monotonic() + 10
while stream.id not in {each.stream_id for each in ody.recordings()}:
    assert time.monotonic() < until
    time.sleep(0.05)
"""


def test_the_gallery(open_notebook: Open) -> None:
    """A recording plays with its events, is downloaded and deleted; nothing secret is saved."""
    notebook = open_notebook(STREAM, "ody.recordings()")
    notebook.run_all()
    gallery = notebook.page.locator(".odyssey-gallery")
    card = gallery.get_by_role("button", name="play recording 0")
    expect(card).to_be_visible(timeout=60_000)
    picture = card.locator("img")
    wait_until(lambda: picture.evaluate("it => it.naturalWidth") == 320, what="the thumbnail")
    cards = gallery.get_by_role("listitem").filter(has=notebook.page.locator(".odyssey-card"))
    before = cards.count()

    card.press("Enter")
    video = gallery.locator("video")
    wait_until(lambda: video.evaluate("it => it.videoWidth") == 1280, what="the video")
    wait_until(lambda: video.evaluate("it => it.currentTime") > 0, what="its pictures")
    events = gallery.get_by_role("list", name="what happened").locator("li")
    expect(events).to_have_count(3)
    expect(events.nth(1)).to_contain_text("⚑ odd!")
    events.first.get_by_role("button").press("Enter")
    with notebook.page.expect_download() as download:
        gallery.get_by_text("Download").click()
    with av.open(str(download.value.path())) as file:
        assert next(file.decode(video=0)).width == 1280

    notebook.page.locator(".jp-InputArea-prompt").first.click()  # keys in a widget stay there
    notebook.save()
    saved = nbformat.read(notebook.lab.folder / notebook.name, as_version=4)
    text = json.dumps(saved)
    assert "signature=" not in text
    assert "/media/" not in text
    output = saved.cells[1].outputs[0].data
    assert output["text/html"].count("data:image/jpeg") == before
    assert "stream" not in json.dumps(saved.metadata.get("widgets", {}))

    remove = gallery.get_by_role("button", name="Delete")
    remove.press("Enter")
    gallery.get_by_role("button", name="Delete for good?").press("Enter")
    expect(cards).to_have_count(before - 1)
    expect(gallery.locator("video")).to_have_count(0)
    expect(gallery.locator(".odyssey-problem")).to_be_empty()
