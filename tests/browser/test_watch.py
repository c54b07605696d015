"""The spectators' page in a real Chromium, with a real broadcast."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Notebook
from tests.conftest import API_KEY, Service, wait_until
from tests.service.raw_client import RawClient

pytestmark = pytest.mark.browser

Open = Callable[..., Notebook]


@dataclass
class Broadcast:
    """Somebody's broadcast, which runs on a thread with a loop of its own until `end`."""

    service: Service
    link: str = ""  # of the spectators' page
    _over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        asyncio.run(self._run())

    async def _run(self) -> None:
        async with RawClient.connected(self.service.url, API_KEY) as owner:
            started = await owner.start("a red house", broadcast=True)
            ready = await owner.hear()
            page = f"{self.service.url}/watch/{started['stream_id']}"
            self.link = f"{page}?token={ready['spectator_token']}"
            await asyncio.to_thread(self._over.wait, 60)
            await owner.end()

    def end(self) -> None:
        self._over.set()


@pytest.fixture
def broadcast(service: Service) -> Iterator[Broadcast]:
    """A broadcast that can be watched."""
    broadcast = Broadcast(service)
    thread = threading.Thread(target=broadcast.run)
    thread.start()
    wait_until(lambda: broadcast.link, what="the broadcast")
    yield broadcast
    broadcast.end()
    thread.join()


@pytest.mark.parametrize(("query", "way"), [("", "WebRTC"), ("&hls", "HLS, a few seconds behind")])
def test_watching(page: Page, broadcast: Broadcast, query: str, way: str) -> None:
    """The page plays by either way, says how, and says so when the stream has ended."""
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.goto(broadcast.link + query)
    main = page.locator("main")
    expect(main).to_have_attribute("data-state", "live", timeout=15_000)
    expect(page.get_by_text(way, exact=True)).to_be_visible()
    video = page.locator("video")
    assert video.evaluate("(video) => [video.videoWidth, video.videoHeight]") == [1280, 704]
    before = video.evaluate("(video) => video.currentTime")
    page.wait_for_function("(t) => document.querySelector('video').currentTime > t", arg=before)
    page.keyboard.press("f")
    page.wait_for_function("document.fullscreenElement")
    assert complaints == []

    broadcast.end()
    expect(main).to_have_attribute("data-state", "ended", timeout=15_000)
    expect(page.get_by_role("heading", name="The stream has ended")).to_be_visible()


def test_links_that_open_nothing(page: Page, broadcast: Broadcast) -> None:
    """A wrong token and an unknown stream are told apart; the token never leaves in a referrer."""
    bare, _, token = broadcast.link.partition("?token=")
    page.goto(f"{bare}?token=wrong")
    expect(page.get_by_role("heading", name="This link is not valid")).to_be_visible()
    response = page.goto(f"{bare}x?token={token}")
    assert response is not None
    assert response.headers["referrer-policy"] == "no-referrer"
    expect(page.get_by_role("heading", name="There is no such stream")).to_be_visible()


def test_watching_in_a_notebook(open_notebook: Open) -> None:
    """A Player without controls but Leave shows the broadcast; it says when that is over."""
    notebook = open_notebook(
        "%load_ext odyssey_nb\nimport odyssey_nb as ody",
        'stream = ody.start("a red house", broadcast=True)',
        "live = ody.watch(stream.broadcast)\nlive",
    )
    notebook.run_all()
    notebook.wait_live(pictures=3)
    player = notebook.player
    for label in ("prompt", "send the prompt", "end the stream"):
        expect(player.get_by_label(label, exact=True)).to_be_hidden()
    expect(player.locator(".odyssey-source")).to_contain_text("watching · broadcast at 127.0.0.1")
    player.get_by_label("watch no more").click()
    expect(player.locator(".odyssey-pill")).to_have_text("ended")
