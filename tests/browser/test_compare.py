"""Two streams side by side in a real JupyterLab, under one prompt box."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from odyssey_nb.service.worlds.test_pattern import prompt_hash
from tests.browser.conftest import Lab, Notebook, painted
from tests.browser.test_player import LOAD
from tests.conftest import wait_until

pytestmark = pytest.mark.browser

START = """left = ody.start("a red house", on="left")
right = ody.start("a blue house", on="right")
ody.compare(left, "right")"""


def test_one_prompt_steers_both(
    open_notebook: Callable[..., Notebook], lab: Lab, page: Page
) -> None:
    """Each says what it applied; one that cannot says why, and does not keep the other.

    In a narrow cell they stand one below the other.
    """
    notebook = open_notebook(LOAD, START, 'ody.disconnect("right")', "ody.disconnect()")
    notebook.run(0)
    notebook.run(1)
    players = page.locator(".odyssey-player")
    expect(players).to_have_count(2, timeout=60_000)
    for number, prompt in enumerate(("a red house", "a blue house")):
        player = players.nth(number)
        wait_until(
            lambda player=player, prompt=prompt: painted(player)[1] == prompt_hash(prompt),
            what=prompt,
            seconds=20,
        )
        expect(player.get_by_label("prompt", exact=True)).to_be_hidden()

    box = page.get_by_label("prompt for all", exact=True)
    box.fill("heavy snow")
    box.press("Enter")
    said = page.locator(".odyssey-prompt-box li")
    expect(said).to_have_text(["left applied: heavy snow", "right applied: heavy snow"])
    for player in (players.first, players.last):
        wait_until(
            lambda player=player: painted(player)[1] == prompt_hash("heavy snow"), what="the prompt"
        )

    def tops() -> set[int]:
        boxes = [players.nth(number).bounding_box() for number in (0, 1)]
        return {round(each["y"]) for each in boxes if each is not None}

    assert len(tops()) == 1, "side by side"
    page.set_viewport_size({"width": 560, "height": 1000})
    wait_until(lambda: len(tops()) == 2, what="one below the other")
    page.set_viewport_size({"width": 1280, "height": 1000})

    notebook.run(2)
    expect(players.last).to_have_attribute("data-status", "disconnected", timeout=10_000)
    box.fill("fog")
    page.get_by_role("button", name="Send to all").click()
    expect(said.first).to_have_text("left applied: fog")
    expect(said.last).to_contain_text("there is no open connection called 'right'")
    wait_until(lambda: painted(players.first)[1] == prompt_hash("fog"), what="the other prompt")
    notebook.run(3)
    lab.service().wait_free(seconds=10)
