"""A view that nobody looks at, or that shows nothing, says nothing: idle kernels can be culled."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, WebSocket, expect

from tests.browser.conftest import Notebook
from tests.browser.test_player import LOAD, START
from tests.conftest import wait_until

pytestmark = pytest.mark.browser

QUIET = 3000  # milliseconds; twelve acknowledgements of a view that is seen


def test_no_traffic_from_a_hidden_or_idle_view(
    open_notebook: Callable[..., Notebook], page: Page
) -> None:
    """Out of sight, and once it is disconnected, no message of a widget passes either way."""
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
    page.get_by_text("line").last.scroll_into_view_if_needed()
    expect(notebook.player).not_to_be_in_viewport()
    wait_until(is_silent, what="silence out of sight", seconds=20)
    notebook.player.scroll_into_view_if_needed()
    notebook.player.get_by_label("disconnect and free the streamer").click()
    expect(notebook.player).to_have_attribute("data-status", "disconnected", timeout=10_000)
    wait_until(is_silent, what="silence without a connection", seconds=20)
