"""The doctor in a real JupyterLab: the page is asked, and what it found is shown."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Lab, Notebook
from tests.browser.test_player import LOAD

pytestmark = pytest.mark.browser


def test_the_page_answers_while_the_cell_runs(
    open_notebook: Callable[..., Notebook], lab: Lab, page: Page
) -> None:
    """Widgets and browser are looked at, nothing is wrong, and nothing is left held."""
    notebook = open_notebook(LOAD, "%odyssey doctor")
    notebook.run(0)
    notebook.run(1)
    report = page.get_by_role("table", name="what the doctor found").first
    expect(report).to_be_visible(timeout=60_000)
    for check, found in (
        ("kernel", "pages and cells are answered at the same time"),
        ("ICE", "directly by UDP"),
        ("widgets", "the page answered in"),
        ("browser", "H.264 by WebCodecs, Media Source, WebRTC"),
    ):
        row = report.get_by_role("row").filter(has=page.get_by_role("cell", name=check, exact=True))
        expect(row).to_contain_text("ok")
        expect(row).to_contain_text(found)
    expect(report).not_to_contain_text("problem")
    lab.service().wait_free()
