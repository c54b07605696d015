"""A pytest plugin: one real Chromium for the tests of a module, and a page in it for each test."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    # Nothing is announced to other machines; and no page of the browser's own stands behind each of
    # ours, which costs as much as a small one.
    "--disable-features=WebRtcHideLocalIpsWithMdns,WebUIOmniboxPopup",
    "--disable-sync",
    "--no-first-run",
]


# Not for the whole session: Playwright's event loop runs in this thread until it is stopped, and
# asynchronous tests of another module could not start theirs.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One Chromium for all tests of a module; each has a context of its own."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=20_000)  # a busy machine is slow, not wrong
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=FLAGS, headless=True
        )
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A page in a fresh context."""
    context = chromium.new_context(viewport={"width": 1280, "height": 1000})
    page = context.new_page()
    yield page
    context.close()
