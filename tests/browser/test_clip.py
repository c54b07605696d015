"""A clip in a real JupyterLab: its filmstrip, its prompts, and its video on demand."""

from __future__ import annotations

import json
from collections.abc import Callable

import nbformat
import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Notebook
from tests.conftest import wait_until

pytestmark = pytest.mark.browser

CLIP = """
%load_ext odyssey_nb
import odyssey_nb as ody
first = ody.simulate("0 start a misty forest\\n1 interact snow\\n1.5 mark odd!\\n3 end").clip()
both = ody.grid({"whole": first, "snow": first["snow"]})
"""


def test_a_clip_plays_in_its_cell(open_notebook: Callable[..., Notebook]) -> None:
    """One line of time has prompts, marks and playhead; the saved notebook has only the strip."""
    notebook = open_notebook(CLIP, "first", "both")
    notebook.run_all()
    clips = notebook.page.locator(".odyssey-clip")
    expect(clips).to_have_count(2, timeout=60_000)
    clip, grid = clips.nth(0), clips.nth(1)
    film = clip.locator("img")
    wait_until(lambda: film.evaluate("it => it.naturalWidth") > 1000, what="the filmstrip")
    expect(clip.get_by_role("button", name="a misty forest")).to_be_visible()
    assert clip.locator("video").evaluate("it => it.readyState") == 0, "nothing is fetched unasked"

    clip.get_by_role("button", name="snow").press("Enter")
    video = clip.locator("video")
    wait_until(lambda: video.evaluate("it => it.videoWidth") == 1280, what="the video")
    wait_until(lambda: video.evaluate("it => it.currentTime") > 1, what="its pictures")
    assert video.evaluate("it => it.duration") == pytest.approx(3, abs=0.01)
    video.press("ArrowRight")
    assert video.evaluate("it => it.paused")
    clip.get_by_role("button", name="odd!").press("Enter")
    wait_until(lambda: not video.evaluate("it => it.paused"), what="playing from the mark")
    assert video.evaluate("it => it.currentTime") >= 1.5
    left = clip.locator(".odyssey-head").evaluate("it => parseFloat(it.style.left)")
    assert left > 0

    grid.get_by_role("button", name="play the clip").press("Enter")
    tiles = grid.locator("video")
    wait_until(lambda: tiles.evaluate("it => it.videoHeight") > 300, what="the grid's video")
    assert tiles.evaluate("it => it.videoWidth") == 1280

    notebook.page.locator(".jp-InputArea-prompt").first.click()  # keys in a widget stay there
    notebook.save()
    file = notebook.lab.folder / notebook.name
    assert file.stat().st_size < 250_000, "two strips"
    saved = nbformat.read(file, as_version=4)
    html = saved.cells[1].outputs[0].data["text/html"]
    assert len(html) <= 100_000
    assert "a misty forest" in html
    assert "video" not in json.dumps(saved.metadata.get("widgets", {}))
