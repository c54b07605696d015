"""A view that nobody looks at, or that shows nothing, says nothing: idle kernels can be culled."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, WebSocket, expect

from tests.browser.conftest import Notebook
from tests.browser.test_player import LOAD, START
from tests.conftest import wait_until

pytestmark = pytest.mark.browser

FLOATING = "document.pictureInPictureElement?.getVideoPlaybackQuality().totalVideoFrames ?? 0"
QUIET = 3000  # milliseconds; twelve acknowledgements of a view that is seen


def test_no_traffic_from_a_hidden_or_idle_view(
    open_notebook: Callable[..., Notebook], page: Page
) -> None:
    """Out of sight, and once it is disconnected, no message of a widget passes either way.

    Nor does a picture, unless the view floats in a window of its own.
    """
    comms: list[int] = []

    def count(payload: str | bytes) -> None:
        data = payload if isinstance(payload, bytes) else payload.encode()
        if b"comm_msg" in data:
            comms.append(len(data))

    def hear(socket: WebSocket) -> None:
        socket.on("framesent", count)
        socket.on("framereceived", count)

    def is_silent() -> bool:
        comms.clear()
        page.wait_for_timeout(QUIET)
        return not comms

    page.on("websocket", hear)
    notebook = open_notebook(LOAD, START, "print('line\\n' * 120)")
    notebook.run_all()
    notebook.wait_live()
    assert not is_silent(), "one that is seen speaks"
    notebook.player.get_by_label("picture in picture").click()
    page.get_by_text("line").last.scroll_into_view_if_needed()
    expect(notebook.player).not_to_be_in_viewport()
    wait_until(lambda: page.evaluate(FLOATING) > 20, what="floating pictures")
    page.evaluate("document.exitPictureInPicture()")
    wait_until(is_silent, what="silence out of sight", seconds=20)
    still = notebook.seq
    page.wait_for_timeout(300)
    assert notebook.seq == still
    notebook.player.scroll_into_view_if_needed()
    wait_until(lambda: notebook.seq > still + 5, what="pictures back in sight")
    notebook.player.get_by_label("disconnect and free the streamer").click()
    expect(notebook.player).to_have_attribute("data-status", "disconnected", timeout=10_000)
    wait_until(is_silent, what="silence without a connection", seconds=20)
