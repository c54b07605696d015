"""Prompt sliders in a real JupyterLab: drag a word, and the world changes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Notebook

pytestmark = pytest.mark.browser

STREAM = """
%load_ext odyssey_nb
import time
import odyssey_nb as ody
from odyssey_nb.service.worlds.test_pattern import prompt_hash, read
stream = ody.start("a quiet place")
"""
SLIDERS = """
controls = ody.sliders(
    "a {place} with {fog} fog, wind {wind}, {birds}, in {season}",
    place=["forest", "sea"], fog=ody.scale(), wind=(0, 40), birds=True, season="spring",
    presets={"storm": {"fog": 0.9, "wind": 33}},
    automation={0: {"fog": 0}, 0.5: {"fog": 1}},
)
controls
"""
# Quicker than the front end tells the kernel, which makes one message of them.
QUICK = """root => {
  const place = root.querySelector("select");
  root.querySelector("button.odyssey-control").click(); // birds
  place.value = "forest";
  place.dispatchEvent(new Event("change"));
  root.querySelector("[aria-label='take back']").click();
}"""
FOLLOWS = """
until = time.monotonic() + 20
while read(stream.frame())[1] != prompt_hash(stream.prompt):
    assert time.monotonic() < until
print("the world shows:", stream.prompt)
"""


def test_the_sentence_steers(open_notebook: Callable[..., Notebook]) -> None:
    """Dragging, keys, typing and choosing change the prompt; what was applied is echoed."""
    notebook = open_notebook(STREAM, SLIDERS, FOLLOWS, FOLLOWS + "ody.disconnect()")
    page = notebook.page
    notebook.run(0)
    notebook.run(1)
    sliders = page.locator(".odyssey-sliders")
    expect(sliders).to_be_visible(timeout=60_000)
    applied = sliders.locator(".odyssey-applied")
    fog = sliders.get_by_role("slider", name="fog")
    expect(fog).to_have_attribute("aria-valuetext", "no")

    box = fog.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 5, box["y"] + 9)
    page.mouse.down()
    for step in range(1, 11):  # 50 steps of 4 pixels are all of it
        page.mouse.move(box["x"] + 5 + 12 * step, box["y"] + 9)
    page.mouse.up()
    expect(fog).to_have_attribute("aria-valuetext", "dense")
    expect(applied).to_contain_text("a forest with dense fog, wind 0, birds, in spring")
    notebook.run(2)
    shown = page.locator(".jp-OutputArea-output")
    expect(
        shown.get_by_text("the world shows: a forest with dense fog, wind 0, birds, in spring")
    ).to_be_visible(timeout=30_000)

    wind = sliders.get_by_role("slider", name="wind")
    wind.press("ArrowRight")
    wind.press("Shift+ArrowRight")
    expect(wind).to_have_attribute("aria-valuenow", "11")
    wind.press("7")
    page.keyboard.press("Enter")
    expect(wind).to_have_attribute("aria-valuenow", "7")
    sliders.get_by_role("combobox", name="place").select_option("sea")
    sliders.get_by_role("button", name="birds").press("Space")
    season = sliders.get_by_role("textbox", name="season")
    season.fill("autumn, at dd")  # two keys that would delete the cell
    season.press("Enter")
    expect(applied).to_contain_text("a sea with dense fog, wind 7, in autumn, at dd")

    season.press("Tab")
    sliders.get_by_role("button", name="take back", exact=True).press("Enter")
    expect(season).to_have_value("spring")
    sliders.get_by_role("button", name="birds").press("Control+z")
    expect(sliders.get_by_role("button", name="birds")).to_have_attribute("aria-pressed", "true")
    sliders.get_by_role("button", name="put the controls as in storm").press("Enter")
    expect(applied).to_contain_text("a sea with extreme fog, wind 33, birds, in spring")

    sliders.evaluate(QUICK)
    expect(applied).to_contain_text("a sea with extreme fog, wind 33, in spring")
    sliders.get_by_role("button", name="birds").press("Control+z")

    sliders.get_by_role("button", name="remember").press("Enter")
    page.keyboard.type("mine")
    page.keyboard.press("Enter")
    expect(sliders.get_by_role("button", name="put the controls as in mine")).to_be_visible()
    sliders.get_by_role("button", name="put every control").press("Enter")
    expect(applied).to_contain_text("a forest with no fog, wind 0")
    sliders.get_by_role("button", name="play the automation").press("Enter")
    expect(applied).to_contain_text("a forest with extreme fog, wind 0", timeout=15_000)
    notebook.run(3)
    expect(
        shown.get_by_text("the world shows: a forest with extreme fog, wind 0, birds, in spring")
    ).to_be_visible(timeout=30_000)
