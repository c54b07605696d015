"""The Player in a real JupyterLab: pictures reach the canvas, and its controls work."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from odyssey_nb.service.worlds.test_pattern import prompt_hash, read
from tests.browser.conftest import Lab, Notebook
from tests.conftest import wait_until

pytestmark = pytest.mark.browser

Open = Callable[..., Notebook]

TUTORIAL = Path(__file__).parents[2] / "notebooks" / "01_first_light.ipynb"

LOAD = "%load_ext odyssey_nb\nimport odyssey_nb as ody"
START = 'stream = ody.start("a misty forest at dawn")\nstream'
BUSY = (
    "import time\nuntil = time.monotonic() + 100\nwhile time.monotonic() < until: sum(range(1000))"
)


def canvas(notebook: Notebook) -> tuple[int, int]:
    """Read picture number and prompt hash back from the painted pixels."""
    data = notebook.page.evaluate(
        """async () => {
            const canvas = document.querySelector(".odyssey-player canvas");
            const blob = await new Promise((done) => canvas.toBlob(done, "image/png"));
            return Array.from(new Uint8Array(await blob.arrayBuffer()));
        }"""
    )
    return read(np.asarray(Image.open(io.BytesIO(bytes(data))).convert("RGB")))


def busy_cell(page: Page) -> Locator:
    """The prompt of a cell that computes. The kernel's status says idle after any comm message."""
    return page.locator(".jp-InputArea-prompt", has_text="[*]:").first


def test_pictures_arrive_and_follow_the_prompt(open_notebook: Open, lab: Lab) -> None:
    """Painted pixels carry growing numbers, and the prompt that was typed, or chosen by a slider.

    After Disconnect, a prompt in the box connects again and starts a stream.
    """
    sliders = 'ody.sliders("a {weather} forest", weather=["sunny", "foggy"])'
    notebook = open_notebook(LOAD, START, sliders)
    notebook.run(0)
    notebook.run(1)
    notebook.wait_live(pictures=3)
    first, shown = canvas(notebook)
    assert shown == prompt_hash("a misty forest at dawn")
    wait_until(lambda: canvas(notebook)[0] > first + 10, what="later pictures")

    notebook.player.locator(".odyssey-screen").click()
    notebook.page.keyboard.press("m")
    expect(notebook.player.locator(".odyssey-notice")).to_have_text(
        re.compile(r"marked at \d:\d\d")
    )

    box = notebook.player.get_by_label("prompt", exact=True)
    box.fill("heavy snow")
    box.press("Enter")
    expect(notebook.player.locator(".odyssey-prompt")).to_have_text("heavy snow")
    wait_until(lambda: canvas(notebook)[1] == prompt_hash("heavy snow"), what="the new prompt")
    expect(notebook.player).to_have_attribute("data-status", "connected")

    notebook.run(2)
    notebook.page.get_by_role("combobox", name="weather").select_option("foggy")
    wait_until(lambda: canvas(notebook)[1] == prompt_hash("a foggy forest"), what="the new prompt")

    player = notebook.player
    player.get_by_label("disconnect and free the streamer").click()
    lab.service().wait_free(seconds=5)
    player.get_by_label("prompt", exact=True).fill("a calm sea")
    player.get_by_label("start a stream").click()
    expect(player).to_have_attribute("data-streaming", "true", timeout=20_000)
    wait_until(lambda: canvas(notebook)[1] == prompt_hash("a calm sea"), what="the new stream")


def test_the_controls_work_while_a_cell_runs(open_notebook: Open, lab: Lab) -> None:
    """Pictures go on while a cell computes; prompt, End and Disconnect do not wait for it."""
    notebook = open_notebook(LOAD, START, BUSY)
    notebook.run_all()
    notebook.wait_live()
    expect(busy_cell(notebook.page)).to_be_visible(timeout=20_000)
    before = notebook.seq
    wait_until(lambda: notebook.seq > before + 10, what="pictures beside a busy cell")

    player = notebook.player
    player.get_by_label("prompt", exact=True).fill("fog")
    player.get_by_label("send the prompt").click()
    expect(player.locator(".odyssey-prompt")).to_have_text("fog", timeout=5_000)
    player.get_by_label("end the stream").click()
    expect(player).to_have_attribute("data-streaming", "false", timeout=5_000)
    assert lab.service().held == 1, "ending a stream keeps the connection"
    player.get_by_label("disconnect and free the streamer").click()
    lab.service().wait_free(seconds=5)
    expect(player).to_have_attribute("data-status", "disconnected")
    expect(busy_cell(notebook.page)).to_be_visible()


def test_reloading_the_page_and_restarting_the_kernel(
    open_notebook: Open, lab: Lab, page: Page
) -> None:
    """After a reload the view comes back and goes on from the newest keyframe.

    Two seconds after Restart in the menu the slot is free, and the Player says what happened.
    """
    patient = "from odyssey_nb.kernel import hooks\nhooks.BUDGET_SECONDS = 2.2"  # on a busy machine
    notebook = open_notebook(LOAD, patient, START)
    notebook.run_all()
    notebook.wait_live()
    notebook.save()
    page.reload()
    notebook.wait_live()
    before, _ = canvas(notebook)
    wait_until(lambda: canvas(notebook)[0] > before + 5, what="pictures after the reload")

    service = lab.service()
    notebook.restart()
    service.wait_free(seconds=2)
    said = re.compile(
        r"the kernel restarted; session released \d\.\d+ s later; run the connect cell"
    )
    expect(notebook.stage).to_have_text(said, timeout=10_000)


def test_the_tutorial_in_jupyterlab(open_notebook: Open, lab: Lab, page: Page) -> None:
    """Run All on the first tutorial: pictures are painted, and at its end nothing is held."""
    (lab.folder / TUTORIAL.name).write_text(TUTORIAL.read_text())
    page.set_viewport_size({"width": 1280, "height": 3000})  # Run All scrolls to the last cell
    notebook = open_notebook(name=TUTORIAL.name)
    notebook.run_all()
    notebook.wait_live()
    before, _ = canvas(notebook)
    wait_until(lambda: canvas(notebook)[0] > before, what="growing picture numbers")
    none = notebook.page.get_by_text("no sessions; ody.connect() opens one")
    expect(none).to_be_visible(timeout=60_000)
    expect(notebook.player).to_have_attribute("data-status", "disconnected")
    expect(notebook.page.locator(".jp-OutputArea-output[data-mime-type*=stderr]")).to_have_count(0)
    assert lab.service().held == 0
