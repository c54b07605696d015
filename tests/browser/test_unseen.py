"""A stream that nobody sees, in a real JupyterLab: the page counts down, and brings it back."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.conftest import Lab, Notebook, open_in
from tests.conftest import wait_until
from tests.plugins.chromium import FLAGS

pytestmark = pytest.mark.browser

LOAD = "%load_ext odyssey_nb\nimport odyssey_nb as ody"
SECONDS = 16  # unseen until the stream ends; pages count down the second half
START = f'ody.connect(when_hidden=({SECONDS}, 600))\nstream = ody.start("a forest")\nstream'
TALL = "from IPython.display import HTML\nHTML('<div style=\"height: 3000px\"></div>')"
WORDS = re.compile(r"^Nobody sees the stream 'default': it ends in 0:0\d\.$")
COUNTDOWN = re.compile(r"^\u2060\(0:0\d\) ")
PATIENCE = 40_000  # milliseconds, on a busy machine


def notice(notebook: Notebook) -> Locator:
    """What the page's corner says."""
    return notebook.page.locator(".odyssey-unseen")


def wait_counting(notebook: Notebook) -> None:
    """Wait until the page counts down."""
    expect(notice(notebook)).to_have_count(1, timeout=PATIENCE)
    expect(notice(notebook).locator(".odyssey-words")).to_have_text(WORDS)


@pytest.mark.timeout(240)
def test_a_player_out_of_sight_is_kept_and_comes_back(lab: Lab, page: Page) -> None:
    """Whatever shows that somebody attends begins the time anew; two views have one notice.

    Show also finds the tab in JupyterLab in which the Player is. What was announced, and not
    withdrawn, happens, and is announced no more.
    """
    lab.write("other.ipynb", "2 + 2")
    cells = (LOAD, START, "stream", TALL, "1 + 1", START.split("\n")[0].replace(str(SECONDS), "8"))
    notebook = open_in(page, lab, *cells, alone=False)
    for cell in range(3):
        notebook.run(cell)
    notebook.wait_live()
    expect(page.locator(".odyssey-player")).to_have_count(2)
    notebook.run(3)
    notebook.run(4)
    wait_counting(notebook)
    expect(notice(notebook).get_by_role("status")).to_have_text(WORDS)

    page.get_by_role("button", name="Keep the stream").focus()
    page.keyboard.press("Enter")
    expect(notice(notebook)).to_have_count(0)
    wait_counting(notebook)

    notebook.run(4)
    expect(notice(notebook)).to_have_count(0)
    page.locator(".jp-DirListing-item", has_text="other.ipynb").dblclick()
    expect(notebook.player).to_be_hidden(timeout=PATIENCE)
    wait_counting(notebook)

    page.get_by_role("button", name="Show the stream").click()
    expect(notice(notebook)).to_have_count(0)
    expect(notebook.player).to_be_in_viewport()
    expect(notebook.player.locator(".odyssey-screen")).to_be_focused()
    expect(notebook.player).to_have_attribute("data-streaming", "true")

    notebook.run(5)
    expect(notice(notebook)).to_have_count(1, timeout=PATIENCE)
    expect(notebook.player).to_have_attribute("data-streaming", "false", timeout=PATIENCE)
    expect(notice(notebook)).to_have_count(0)
    expect(notebook.player.locator(".odyssey-error")).to_contain_text("so the stream ended")


@pytest.fixture
def tabs(chromium: Browser, tmp_path: Path) -> Iterator[Page]:
    """A tab that another one hides; those of Playwright's own browser all count as visible."""
    command = [shutil.which("chromium"), *FLAGS, "--headless=new", "--remote-debugging-port=0"]
    process = subprocess.Popen(
        [*command, "--window-size=1280,1000", f"--user-data-dir={tmp_path}", "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        port = tmp_path / "DevToolsActivePort"
        wait_until(
            lambda: port.exists() and port.read_text().count("\n"), seconds=40, what="Chromium"
        )
        browser = chromium.browser_type.connect_over_cdp(
            f"http://127.0.0.1:{port.read_text().split()[0]}", no_defaults=True
        )
        (page,) = browser.contexts[0].pages
        yield page
        browser.close()
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def test_the_title_of_a_hidden_tab_counts_down(lab: Lab, tabs: Page) -> None:
    """Also after JupyterLab has changed it; seen again, the tab has its own title back."""
    # JupyterLab wants the focus, which a browser without a window has not.
    browser = tabs.context.new_cdp_session(tabs)
    browser.send("Emulation.setFocusEmulationEnabled", {"enabled": True})
    notebook = open_in(tabs, lab, LOAD, START)
    notebook.run_all()
    notebook.wait_live()
    browser.send("Emulation.setFocusEmulationEnabled", {"enabled": False})
    title = tabs.title()
    assert not COUNTDOWN.match(title)
    other = tabs.context.new_page()
    tabs.wait_for_function("document.visibilityState === 'hidden'", polling=100)
    wait_until(lambda: COUNTDOWN.match(tabs.title()), seconds=40, what="the countdown")
    assert tabs.title().endswith(f") {title}")
    first = tabs.title()
    wait_until(lambda: tabs.title() != first, seconds=5, what="the next second")
    tabs.evaluate("document.title = 'renamed'")
    wait_until(lambda: COUNTDOWN.match(tabs.title()), seconds=5, what="the countdown again")
    assert tabs.title().endswith(") renamed")
    other.close()
    tabs.bring_to_front()
    wait_until(lambda: tabs.title() == "renamed", seconds=5, what="the title")
    expect(notebook.player).to_have_attribute("data-streaming", "true")
