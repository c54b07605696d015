"""A connection that breaks, as the Player shows it."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Notebook
from tests.conftest import Service, wait_until
from tests.relay import Line

pytestmark = pytest.mark.browser


def test_a_repair_shows(
    open_notebook: Callable[..., Notebook], serve: Callable[..., Service]
) -> None:
    """The Player says what is repaired while it lasts; then it shows the stream that took over."""
    service = serve("--limit", "lost_socket_seconds=0.5", "--streamers", "1")
    with Line(service.url) as line:
        notebook = open_notebook(
            "%load_ext odyssey_nb\nimport odyssey_nb as ody\n"
            f'conn = ody.connect(url="{line.url}", api_key="{service.api_key}")',
            'stream = conn.start("a forest")\nstream',
        )
        notebook.run_all()
        notebook.wait_live()
        line.cut(down=True)
        service.wait_free(seconds=10)
        expect(notebook.player).to_have_attribute("data-status", "reconnecting")
        expect(notebook.player.locator(".odyssey-pill")).to_have_text("reconnecting…")
        expect(notebook.stage).to_have_text(re.compile("broke|another session"))
        before = notebook.seq
        line.cut()
        expect(notebook.player).to_have_attribute("data-status", "connected", timeout=40_000)
        wait_until(lambda: 0 < notebook.seq != before, what="pictures of the other stream")
        expect(notebook.player.locator(".odyssey-pill")).to_have_text("live")
        expect(notebook.stage).to_have_text("")
        notebook.page.close()
        wait_until(lambda: service.held == 1, what="the new session")
        notebook.lab.end_kernels()
        service.wait_free(seconds=5)
