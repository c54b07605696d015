"""The Player's tools in a real JupyterLab: prompts again, what happened when, files and figures."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from odyssey_nb.service.worlds.test_pattern import prompt_hash, read
from tests.browser.conftest import Lab, Notebook, open_in
from tests.browser.test_player import LOAD
from tests.conftest import wait_until

pytestmark = pytest.mark.browser

PATIENCE = 30_000  # milliseconds, on a busy machine
START = 'stream = ody.start("a misty forest")\nstream'
SPACE = "from IPython.display import HTML\nHTML('<div style=\"height: 2500px\"></div>')"

# Which of the parts that are seen overlap each other, or stick out of the player.
COLLISIONS = """root => {
    const shown = (each) => each.checkVisibility() && each.getBoundingClientRect().width > 0;
    const box = root.getBoundingClientRect();
    const parts = [...root.querySelectorAll(
        "button, select, input, .odyssey-pill, .odyssey-meter, .odyssey-figures, .odyssey-notice," +
        ".odyssey-prompt, .odyssey-source, .odyssey-left, .odyssey-timeline"
    )].filter((each) => shown(each) && !each.matches(".odyssey-moment"));
    const found = [];
    for (const one of parts) {
        const { left, right, top, bottom } = one.getBoundingClientRect();
        if (left < box.left - 1 || right > box.right + 1) found.push(`${one.className} sticks out`);
        if (one.scrollWidth > one.clientWidth + 1 && one.matches("button")) {
            found.push(`${one.className} is cut`);
        }
        for (const other of parts) {
            if (one === other || one.contains(other) || other.contains(one)) continue;
            const its = other.getBoundingClientRect();
            const wide = Math.min(right, its.right) - Math.max(left, its.left);
            const high = Math.min(bottom, its.bottom) - Math.max(top, its.top);
            if (wide > 1 && high > 1) found.push(`${one.className} over ${other.className}`);
        }
    }
    return found;
}"""

NAMELESS = """root => [...root.querySelectorAll("button, select, input")]
    .filter((each) => !each.getAttribute("aria-label") && !each.textContent.trim())
    .map((each) => each.className)"""


@pytest.fixture(scope="module")
def notebook(one_lab: Lab, chromium: Browser) -> Iterator[Notebook]:
    """One notebook for all these tests; its stream is shown by two outputs."""
    context = chromium.new_context(accept_downloads=True, viewport={"width": 1280, "height": 1400})
    cells = (LOAD, START, "stream", SPACE, "1 + 1")
    notebook = open_in(context.new_page(), one_lab, *cells, name="tools.ipynb")
    for cell in range(4):
        notebook.run(cell)
    notebook.page.locator(".odyssey-player").first.scroll_into_view_if_needed()
    notebook.wait_live()
    yield notebook
    context.close()
    one_lab.end_kernels()
    one_lab.service().wait_free(seconds=5)


@pytest.fixture
def player(notebook: Notebook) -> Locator:
    """The first of the two views, seen and live."""
    if notebook.player.get_attribute("data-streaming") == "false":
        notebook.run(1)
    notebook.player.scroll_into_view_if_needed()
    notebook.wait_live()
    return notebook.player


def pictures(data: bytes) -> list[int]:
    """Read the numbers of a video's pictures back from their pixels."""
    with av.open(io.BytesIO(data)) as file:
        return [read(frame.to_ndarray(format="rgb24"))[0] for frame in file.decode(video=0)]


def test_prompts_come_back(notebook: Notebook, player: Locator) -> None:
    """By the arrow keys, with the unfinished text; and by the timeline, in every view."""
    page = notebook.page
    box = player.get_by_label("prompt", exact=True)
    for prompt in ("heavy snow", "thick fog"):
        box.fill(prompt)
        box.press("Enter")
        expect(player.locator(".odyssey-prompt")).to_have_text(prompt)
    box.fill("unfin")
    seen = []
    for key in ("ArrowUp", "ArrowUp", "ArrowUp", "ArrowUp", "ArrowDown", "ArrowDown", "ArrowDown"):
        box.press(key)
        seen.append(box.input_value())
    forest = "a misty forest"
    assert seen == ["thick fog", "heavy snow", forest, forest, "heavy snow", "thick fog", "unfin"]

    box.press("Escape")
    page.keyboard.press("m")
    expect(player.locator(".odyssey-notice")).to_have_text(re.compile(r"^marked at \d:\d\d$"))
    other = page.locator(".odyssey-player").nth(1)
    for view in (player, other):  # both show the same stream, and what happened
        view.scroll_into_view_if_needed()
        kinds = ["start", "interact", "interact", "mark"]
        marks = view.locator(".odyssey-moment")
        expect(marks).to_have_count(len(kinds), timeout=PATIENCE)
        assert [each.get_attribute("data-kind") for each in marks.all()] == kinds
        expect(view.locator(".odyssey-prompt")).to_have_text("thick fog")
    places = [float(each.evaluate("each => each.style.left").rstrip("%")) for each in marks.all()]
    assert places == sorted(places)
    expect(other.locator("canvas")).to_have_attribute("data-seq", re.compile(r"\d+"))

    snow = other.get_by_role("button", name=re.compile(r"^\d:\d\d heavy snow; use this"))
    snow.hover()
    tip = other.locator(".odyssey-tip")
    expect(tip).to_have_text(re.compile(r"^\d:\d\d heavy snow$"))
    snow.focus()
    page.keyboard.press("ArrowLeft")
    expect(tip).to_have_text(re.compile(rf"^0:00 {forest}$"))
    page.keyboard.press("Enter")
    box = other.get_by_label("prompt", exact=True)
    expect(box).to_have_value(forest)
    expect(box).to_be_focused()
    box.fill("")


def test_pictures_are_kept(notebook: Notebook, player: Locator, one_lab: Lab) -> None:
    """A snapshot is what was painted; clip and recording are files, and links bring them here."""
    page = notebook.page
    with page.expect_download() as download:
        player.get_by_label("snapshot, as a PNG").click()
    assert re.fullmatch(r"odyssey-snapshot-\d{8}-\d{6}\.png", download.value.suggested_filename)
    image = Image.open(download.value.path())
    assert image.size == (1280, 704)
    shown = str(player.locator(".odyssey-prompt").text_content())
    assert read(np.asarray(image.convert("RGB")))[1] == prompt_hash(shown)

    saved = player.locator(".odyssey-saved")
    player.get_by_label("seconds of a clip").select_option("5")
    player.get_by_label("save the last seconds as a clip").click()
    expect(saved).to_have_text(re.compile(r"^clip saved: \d\.\d s, [\d.]+ [kM]B, odyssey-clip-"))
    clip = _brought(page, saved, one_lab.folder)
    assert len(pictures(clip)) > 10

    player.locator(".odyssey-screen").click()
    page.keyboard.press("r")
    views = page.locator(".odyssey-record")
    for view in range(2):
        expect(views.nth(view)).to_have_attribute("aria-pressed", "true")
    expect(player.locator(".odyssey-elapsed")).to_have_text("0:02", timeout=PATIENCE)
    player.get_by_label("stop the recording").click()
    expect(saved).to_have_text(re.compile(r"^recording saved: \d+\.\d s, .* odyssey-recording-"))
    expect(views.nth(1)).to_have_attribute("aria-pressed", "false")
    numbers = pictures(_brought(page, saved, one_lab.folder))
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), "none left out"
    assert len(numbers) > 25


def _brought(page: Page, saved: Locator, folder: Path) -> bytes:
    """Click the link to a file, and return what came: the file that lies beside the notebook."""
    link = saved.get_by_role("button")
    with page.expect_download() as download:
        link.click()
    data = Path(download.value.path()).read_bytes()
    assert download.value.suggested_filename == link.text_content()
    assert data == (folder / str(link.text_content())).read_bytes()
    return data


def test_figures_and_a_narrow_cell(notebook: Notebook, player: Locator) -> None:
    """A key shows what comes; nothing is cut at 320 px; and out of sight nothing is asked for."""
    page = notebook.page
    player.locator(".odyssey-screen").click()
    page.keyboard.press("i")
    figures = player.locator(".odyssey-figures")
    for name, words in (
        ("pictures", r"\d+ fps, 1280 × 704"),
        ("latency", r"\d+ ms"),
        ("bitrate", r"[\d.]+ [kM]bit/s"),
        ("loss", r"0 % packets, 0 % pictures"),
        ("way", r"direct, WebCodecs"),
    ):
        row = figures.locator("div", has_text=re.compile(f"^{name}")).locator("dd")
        expect(row).to_have_text(re.compile(f"^{words}$"), timeout=PATIENCE)

    for width in ("700px", "320px"):
        player.evaluate("(root, width) => { root.parentElement.style.width = width; }", width)
        assert player.evaluate(COLLISIONS) == []
    player.evaluate("root => { root.parentElement.style.width = ''; }")
    assert player.evaluate(NAMELESS) == []

    page.evaluate(
        """() => {
            window.sent = 0;
            const send = WebSocket.prototype.send;
            WebSocket.prototype.send = function (data) { window.sent += 1; send.call(this, data); };
        }"""
    )

    def quiet() -> bool:
        before = page.evaluate("window.sent")
        page.wait_for_timeout(3000)  # longer than figures, or a view, ever wait
        return bool(page.evaluate("window.sent") == before)

    page.get_by_text("1 + 1").last.scroll_into_view_if_needed()
    expect(player).not_to_be_in_viewport()
    wait_until(quiet, seconds=30, what="a page that says nothing")
    player.scroll_into_view_if_needed()
    page.wait_for_function("window.sent > 0")
    page.keyboard.press("i")
