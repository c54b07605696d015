"""The direct view of a page that is elsewhere: through jupyter-server-proxy."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from dataclasses import replace

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser.conftest import Lab, OpenNotebook
from tests.browser.test_player import LOAD, START, canvas
from tests.conftest import wait_until
from tests.plugins.chromium import FLAGS

pytestmark = pytest.mark.browser

HOST = "hub"


@pytest.fixture
def lab(lab: Lab) -> Lab:
    """The JupyterLab as pages see it from elsewhere."""
    return replace(lab, url=lab.url.replace("127.0.0.1", HOST))


@pytest.fixture
def chromium(lab: Lab) -> Iterator[Browser]:
    """A Chromium that finds this machine under a name, and takes its pages for as safe as https."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=[
                *FLAGS,
                f"--host-resolver-rules=MAP {HOST} 127.0.0.1",
                f"--unsafely-treat-insecure-origin-as-secure={lab.url.rstrip('/')}",
            ],
        )
        yield browser
        browser.close()


def test_pictures_and_end_through_the_jupyter_server(open_notebook: OpenNotebook, lab: Lab) -> None:
    """The sidecar's socket is reached through the server: of a stopped kernel too."""
    notebook = open_notebook(LOAD, START, "import os; os.getpid()")
    page, player = notebook.page, notebook.player
    sockets: list[str] = []
    page.on("websocket", lambda socket: sockets.append(socket.url))
    notebook.run_all()
    notebook.wait_live()
    expect(player).to_have_attribute("data-path", "direct", timeout=30_000)
    assert [each for each in sockets if f"://{HOST}:" in each and "/proxy/" in each], sockets
    assert not [each for each in sockets if "127.0.0.1" in each], sockets

    output = page.locator(".jp-OutputArea-executeResult").last
    pid = int(output.inner_text().split()[-1])
    os.kill(pid, signal.SIGSTOP)
    try:
        before, _ = canvas(notebook)
        wait_until(lambda: canvas(notebook)[0] > before + 20, what="pictures of a stopped kernel")
        player.get_by_label("end the stream").click()
        expect(player).to_have_attribute("data-streaming", "false", timeout=10_000)
    finally:
        os.kill(pid, signal.SIGCONT)
