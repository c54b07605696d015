"""The direct view in a real JupyterLab: pictures and controls that need no kernel."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Page, WebSocketRoute, expect

from tests.browser.conftest import Lab, Notebook, OpenNotebook
from tests.conftest import wait_until

pytestmark = pytest.mark.browser

LOAD = "%load_ext odyssey_nb\nimport odyssey_nb as ody"
START = 'stream = ody.start("a misty forest at dawn")\nstream'
HOLD = """import ctypes, pathlib
gate = os.open("gate", os.O_RDWR)
pathlib.Path("held").touch()
ctypes.PyDLL(None).read(gate, ctypes.create_string_buffer(1), 1)  # holds the GIL until then"""

# What was painted, and by which way pictures came then, as [path, seq]; black counts as -1.
WATCH = """() => {
    const player = document.querySelector(".odyssey-player");
    const canvas = player.querySelector("canvas");
    const spot = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    window.painted = [];
    const look = () => {
        spot.drawImage(canvas, 0, 0, 8, 8);
        const light = spot.getImageData(0, 0, 8, 8).data.some((byte, n) => n % 4 < 3 && byte > 24);
        window.painted.push([player.dataset.path, light ? Number(canvas.dataset.seq) : -1]);
        requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
}"""


def wait_path(notebook: Notebook, path: str) -> None:
    """Wait until pictures come this way."""
    expect(notebook.player).to_have_attribute("data-path", path, timeout=30_000)


def painted_since(page: Page) -> list[tuple[str, int]]:
    """What `WATCH` saw, each picture once."""
    seen = [tuple(each) for each in page.evaluate("window.painted")]
    return [each for n, each in enumerate(seen) if n == 0 or each != seen[n - 1]]


def busy(notebook: Notebook) -> bool:
    """Whether a cell runs."""
    return notebook.page.locator(".jp-InputArea-prompt", has_text="[*]:").count() > 0


@pytest.fixture
def lines(page: Page) -> list[tuple[WebSocketRoute, WebSocketRoute]]:
    """The page's view sockets, each with the way on to its sidecar; all are let through."""
    found: list[tuple[WebSocketRoute, WebSocketRoute]] = []
    page.route_web_socket(
        re.compile(r"ws://127\.0\.0\.1:\d+/$"),
        lambda route: found.append((route, route.connect_to_server())),
    )
    return found


def test_it_takes_over_and_gives_back_unseen(
    open_notebook: OpenNotebook, page: Page, lines: list[tuple[WebSocketRoute, WebSocketRoute]]
) -> None:
    """From the relay to the socket, back when it is cut, and on again: no picture is lost to it."""
    notebook = open_notebook(LOAD, START)
    notebook.run_all()
    notebook.wait_live()
    page.evaluate(WATCH)
    wait_path(notebook, "direct")
    expect(notebook.player.locator(".odyssey-meter")).to_contain_text("fps direct")
    reached = notebook.seq
    wait_until(lambda: notebook.seq > reached + 10, what="direct pictures")

    way, on = lines[-1]
    way.close()
    on.close()
    wait_path(notebook, "relay")
    reached = notebook.seq
    wait_until(lambda: notebook.seq > reached + 5, what="relayed pictures")
    wait_path(notebook, "direct")
    reached = notebook.seq
    wait_until(lambda: notebook.seq > reached + 5, what="direct pictures again")

    pictures = painted_since(page)
    numbers = [seq for _, seq in pictures]
    assert numbers[0] > 0
    assert numbers == sorted(numbers), "never black, never an older picture"
    assert {path for path, _ in pictures} == {"relay", "direct"}


def test_an_impostor_is_not_believed(open_notebook: OpenNotebook, page: Page) -> None:
    """Who has the port but not the secret is left at once, and pictures keep to the relay."""
    left: list[int | None] = []

    def pose(route: WebSocketRoute) -> None:
        lie = '{"type": "status_changed", "status": "failed", "message": "a lie", "hint": ""}'
        route.on_close(lambda code, _reason: left.append(code))
        route.on_message(
            lambda _said: (route.send('{"type": "welcome", "proof": "00"}'), route.send(lie))
        )

    page.route_web_socket(re.compile(r"ws://127\.0\.0\.1:\d+/$"), pose)
    notebook = open_notebook(LOAD, START)
    notebook.run_all()
    notebook.wait_live()
    wait_until(lambda: page.evaluate("1") and left, what="the page's leaving")
    reached = notebook.seq
    wait_until(lambda: notebook.seq > reached + 5, what="relayed pictures")
    expect(notebook.player).to_have_attribute("data-status", "connected")
    expect(notebook.player).to_have_attribute("data-path", "relay")


def test_pictures_and_controls_need_no_kernel(
    open_notebook: OpenNotebook, lab: Lab, tmp_path: Path
) -> None:
    """Pictures and prompts while the GIL is held; End and Disconnect of a stopped kernel."""
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    notebook = open_notebook(LOAD, START, f"import os\nos.chdir({str(tmp_path)!r})\n{HOLD}")
    notebook.run(0)
    notebook.run(1)
    notebook.wait_live()
    wait_path(notebook, "direct")
    player = notebook.player
    notebook.run(2)
    wait_until(lambda: (tmp_path / "held").exists(), what="the cell's beginning")
    player.get_by_label("prompt", exact=True).fill("heavy snow")
    reached = notebook.seq
    notebook.page.keyboard.press("Enter")
    expect(player.locator(".odyssey-prompt")).to_have_text("heavy snow")
    expect(player.locator(".odyssey-sending")).to_have_text("")
    wait_until(lambda: notebook.seq > reached + 60, what="pictures of a held kernel")
    expect(player).to_have_attribute("data-path", "direct")
    gate.write_bytes(b"x")
    wait_until(lambda: not busy(notebook), what="the cell's end")

    (kernel,) = [
        each
        for each in psutil.Process(lab.process.pid).children()
        if "ipykernel_launcher" in " ".join(each.cmdline())
    ]
    os.kill(kernel.pid, signal.SIGSTOP)
    try:
        reached = notebook.seq
        wait_until(lambda: notebook.seq > reached + 20, what="pictures of a stopped kernel")
        player.get_by_label("end the stream").click()
        expect(player).to_have_attribute("data-streaming", "false")
        assert lab.service().held == 1, "ending a stream keeps the connection"
        player.get_by_label("disconnect and free the streamer").click()
        lab.service().wait_free(seconds=5)
        expect(player).to_have_attribute("data-status", "disconnected")
    finally:
        os.kill(kernel.pid, signal.SIGCONT)
