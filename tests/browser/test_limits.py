"""Limits in a real JupyterLab: the Player counts down, and goes on with one click."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Notebook, OpenNotebook
from tests.browser.test_direct import WATCH
from tests.conftest import API_KEY, Service, wait_until
from tests.service.running import running

pytestmark = pytest.mark.browser

LOAD = "%load_ext odyssey_nb\nimport odyssey_nb as ody"
SECONDS = 19  # that a stream lasts; it is warned of in the last 15
PATIENCE = 60_000  # milliseconds, on a busy machine


@pytest.fixture
def brief(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with short streams."""
    place = tmp_path_factory.mktemp("brief")
    with running(place, "--limit", f"stream_seconds={SECONDS}", world="landscape") as service:
        yield service


def painted(notebook: Notebook) -> list[int]:
    """The pictures that were painted since `WATCH`; black ones are -1."""
    found: list[list[object]] = notebook.page.evaluate("window.painted")
    return [int(str(seq)) for _, seq in found]


def test_a_stream_goes_on_with_one_click(open_notebook: OpenNotebook, brief: Service) -> None:
    """What is left is shown; the click ends nothing early, and no picture is black in between.

    The next limit warns anew, and who lets it pass can still go on afterwards; also where the
    connection has ended, on another one.
    """
    connect = f"conn = ody.connect(url={brief.url!r}, api_key={API_KEY!r}, budget=9)"
    notebook = open_notebook(
        LOAD,
        connect,
        'stream = conn.start("a misty forest")\nstream',
        "import os\nos.kill(conn.link.pid, 9)",
    )
    for cell in range(3):
        notebook.run(cell)
    notebook.wait_live()
    player, page = notebook.player, notebook.page
    expect(player.locator(".odyssey-meter")).to_have_text(re.compile(r"fps .* · 0:\d\d left"))
    expect(player.locator(".odyssey-left")).to_have_text(
        re.compile(r"^59:\d\d left · budget \d:\d\d$")
    )

    page.evaluate(WATCH)
    warning = player.locator(".odyssey-ending")
    words = re.compile(r"^the stream ends at its limit in 0:(0\d|1[0-5])$")
    expect(warning.locator("span")).to_have_text(words, timeout=PATIENCE)
    expect(player.locator(".odyssey-aloud")).to_have_text("the stream is about to end at its limit")
    before = notebook.seq
    warning.get_by_role("button", name="Continue").click()
    expect(warning).to_be_hidden()
    expect(player.locator(".odyssey-meter")).to_have_text(re.compile(r"left, then on$"))
    wait_until(lambda: notebook.seq > before + 5, what="pictures of the same stream")
    wait_until(lambda: notebook.seq < before, seconds=60, what="the next stream")
    went_on = player.locator('.odyssey-moment[data-kind="continued"]')
    expect(went_on).to_have_attribute("aria-label", re.compile(r"^0:00 went on past "))
    expect(player.locator(".odyssey-moment")).to_have_count(2)  # it is one with the stream before
    shown = painted(notebook)
    assert -1 not in shown[shown.index(before) :]

    warning.wait_for(timeout=PATIENCE)
    expect(warning.locator("span")).to_have_text(
        "the stream has reached its limit", timeout=PATIENCE
    )
    expect(player.locator(".odyssey-meter")).to_have_text(re.compile(r"^holding a GPU 0:\d\d, no"))
    warning.get_by_role("button", name="Continue").click()
    expect(player).to_have_attribute("data-streaming", "true", timeout=PATIENCE)
    expect(player.locator(".odyssey-prompt")).to_have_text(re.compile("^a misty forest"))

    notebook.run(3)
    expect(warning.locator("span")).to_have_text("the connection has ended", timeout=PATIENCE)
    warning.get_by_role("button", name="Continue").click()
    expect(player).to_have_attribute("data-streaming", "true", timeout=PATIENCE)
    expect(warning.locator("span")).not_to_have_text("the connection has ended")
    expect(player.locator(".odyssey-error")).to_be_empty()
    expect(player.locator(".odyssey-prompt")).to_have_text(re.compile("^a misty forest"))
