"""The table of sessions in a cell of JupyterLab."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Lab, OpenNotebook

pytestmark = pytest.mark.browser

CELLS = (
    'import odyssey_nb as ody\nstream = ody.start("a quiet lake")',
    "ody.sessions()",
)


@pytest.fixture(params=["Light", "Dark"])
def theme(lab: Lab, request: pytest.FixtureRequest) -> Iterator[str]:
    """JupyterLab's theme, as its user chose it."""
    folder = lab.home / "settings" / "@jupyterlab" / "apputils-extension"
    chosen = folder / "themes.jupyterlab-settings"
    chosen.write_text(json.dumps({"theme": f"JupyterLab {request.param}"}))
    yield request.param
    chosen.unlink()


def test_the_table_is_readable(theme: str, open_notebook: OpenNotebook) -> None:
    """In both themes its cells stand to the left, without stripes, in the page's own ink."""
    notebook = open_notebook(*CELLS, name="sessions.ipynb")
    notebook.run_all()
    row = notebook.page.locator(".jp-OutputArea tbody tr")
    expect(row).to_contain_text("this kernel", timeout=60_000)
    expect(row).to_contain_text("a quiet lake")
    style = "cell => { const s = getComputedStyle(cell); return [s.textAlign, s.color]; }"
    align, ink = row.locator("td").nth(1).evaluate(style)
    assert align == "left"
    assert row.evaluate("row => getComputedStyle(row).backgroundColor") == "rgba(0, 0, 0, 0)"
    levels = [float(each) for each in re.findall(r"[\d.]+", ink)[:3]]
    assert (min(levels) > 180) if theme == "Dark" else (max(levels) < 75)
