"""The Player in other front ends than JupyterLab: live pixels in Notebook 7 and in marimo."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from odyssey_nb.service.worlds.test_pattern import prompt_hash
from tests.browser.conftest import Lab, painted
from tests.browser.test_player import LOAD, START
from tests.conftest import Service, find_local_service, wait_until

pytestmark = pytest.mark.browser

PROMPT = "a misty forest at dawn"
APP = """
import marimo

app = marimo.App()


@app.cell
def _():
    import odyssey_nb as ody

    {cell}
    return
"""
STREAM = f"ody.start({PROMPT!r})"
COMPARISON = """ody.compare(
        ody.start("a red house", on="left"), ody.start("a blue house", on="right")
    )"""


def steer(player: Locator) -> None:
    """Wait for live pictures, steer them, and end the stream, all from the page."""
    canvas = player.locator("canvas")
    expect(player).to_have_attribute("data-streaming", "true", timeout=60_000)
    wait_until(lambda: int(canvas.get_attribute("data-seq") or 0) > 3, what="pictures", seconds=30)
    first, shown = painted(player)
    assert shown == prompt_hash(PROMPT)
    wait_until(lambda: painted(player)[0] > first, what="later pictures")
    box = player.get_by_label("prompt", exact=True)
    box.fill("heavy snow")
    box.press("Enter")
    wait_until(lambda: painted(player)[1] == prompt_hash("heavy snow"), what="the new prompt")
    player.get_by_label("disconnect and free the streamer").click()
    expect(player).to_have_attribute("data-status", "disconnected", timeout=10_000)


def test_notebook_7(lab: Lab, page: Page) -> None:
    """The same server's other page."""
    lab.write("test.ipynb", LOAD, START)
    page.goto(f"{lab.url}notebooks/test.ipynb?token={lab.token}")
    for cell in (0, 1):
        page.locator(".jp-Notebook-cell .jp-InputPrompt").nth(cell).click(timeout=60_000)
        page.keyboard.press("Control+Enter")
    steer(page.locator(".odyssey-player"))
    lab.service().wait_free(seconds=5)


@pytest.fixture
def marimo_app(
    machine: Path,
    tmp_path: Path,
    local_service: Callable[[], Service],
    request: pytest.FixtureRequest,
) -> Iterator[str]:
    """A marimo app of one cell, served as its users see it; its address."""
    (tmp_path / "app.py").write_text(APP.format(cell=request.param))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable, "-m", "marimo", "--yes", "run", "app.py", "--headless", "--no-token",
        "--host", "127.0.0.1", "--port", str(port),
    ]  # fmt: skip
    environment = os.environ | {
        "MARIMO_SKIP_UPDATE_CHECK": "1",
        "HOME": str(tmp_path),
        "XDG_CONFIG_HOME": str(tmp_path),
    }
    with (tmp_path / "marimo.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        with suppress(urllib.error.URLError, ConnectionError):
            urllib.request.urlopen(f"{url}/health", timeout=5).close()
            return True
        return False

    try:
        wait_until(answers, seconds=60, what="marimo's first answer")
        yield url
    finally:
        process.terminate()
        process.wait(10)


@pytest.mark.parametrize("marimo_app", [STREAM], indirect=True, ids=["stream"])
def test_marimo(marimo_app: str, page: Page, machine: Path) -> None:
    """Naming a stream shows it, without the extension that Jupyter loads."""
    page.goto(marimo_app)
    steer(page.locator(".odyssey-player"))
    find_local_service(machine).wait_free(seconds=5)


@pytest.mark.parametrize("marimo_app", [COMPARISON], indirect=True, ids=["compare"])
def test_marimo_compares(marimo_app: str, page: Page, machine: Path) -> None:
    """Streams side by side under one prompt box, in marimo's own boxes."""
    page.goto(marimo_app)
    players = page.locator(".odyssey-player")
    expect(players).to_have_count(2, timeout=60_000)
    shown = players.first, players.last
    for player, prompt in zip(shown, ("a red house", "a blue house"), strict=True):
        expect(player).to_have_attribute("data-streaming", "true", timeout=60_000)
        wait_until(
            lambda player=player, prompt=prompt: painted(player)[1] == prompt_hash(prompt),
            what=prompt,
            seconds=30,
        )
    left, right = (each.bounding_box() for each in shown)
    assert left is not None
    assert right is not None
    assert left["x"] + left["width"] <= right["x"], "side by side"
    box = page.get_by_label("prompt for all", exact=True)
    box.fill("heavy snow")
    box.press("Enter")
    said = page.locator(".odyssey-prompt-box li")
    expect(said).to_have_text(["left applied: heavy snow", "right applied: heavy snow"])
    for player in shown:
        wait_until(
            lambda player=player: painted(player)[1] == prompt_hash("heavy snow"), what="the prompt"
        )
        player.get_by_label("disconnect and free the streamer").click()
    find_local_service(machine).wait_free(seconds=10)
