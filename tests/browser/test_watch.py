"""The spectators' page in a real Chromium, with a real broadcast."""

from __future__ import annotations

import asyncio
import re
import threading
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Page, Request, expect

from odyssey_nb.service.worlds.test_pattern import prompt_hash
from tests.browser.conftest import Lab, Notebook, painted
from tests.browser.test_player import LOAD
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


OWNER = 'stream = ody.start("a red house", broadcast=True)'
STATISTICS = """from odyssey_nb.kernel.runtime import get_manager
live.frame().shape, [each.statistics()["sent"] for each in get_manager().players.values()]"""


def spectators(service: Service) -> int:
    """How many spectators the service counts."""
    with urllib.request.urlopen(f"{service.url}/metrics", timeout=5) as response:
        (found,) = re.findall(rb"^odyssey_spectators ([\d.]+)$", response.read(), re.MULTILINE)
    return int(float(found))


def wait_path(notebook: Notebook, path: str, *, view: int = 0) -> None:
    """Wait until pictures come that way, and count on."""
    player = notebook.page.locator(".odyssey-player").nth(view)
    expect(player).to_have_attribute("data-path", path, timeout=40_000)
    canvas = player.locator("canvas")
    seq = int(canvas.get_attribute("data-seq") or 0)
    wait_until(
        lambda: int(canvas.get_attribute("data-seq") or 0) > seq + 5, what="pictures", seconds=20
    )


def test_watching_in_a_notebook(open_notebook: Open, lab: Lab, page: Page) -> None:
    """Each view watches by itself, the kernel sends no picture, and the file holds no token.

    There are no controls but Leave, and the end of the broadcast is said.
    """
    tokens: set[str] = set()

    def take_token(request: Request) -> None:
        tokens.update(re.findall(r"/whep\?token=(.+)", request.url))

    page.on("request", take_token)
    page.set_viewport_size({"width": 1280, "height": 3000})
    watch = "live = ody.watch(stream.broadcast)\nlive"
    notebook = open_notebook(LOAD, OWNER, watch, "live", STATISTICS, "stream.end()")
    for cell in range(4):
        notebook.run(cell)
    notebook.wait_live(pictures=3)
    for view in (0, 1):
        wait_path(notebook, "WebRTC", view=view)
    first, shown = painted(notebook.player)
    assert shown == prompt_hash("a red house")
    wait_until(lambda: painted(notebook.player)[0] > first, what="later pictures")
    assert spectators(lab.service()) == 3, "two views, and Python's own"
    player = notebook.player
    for label in ("prompt", "send the prompt", "end the stream"):
        expect(player.get_by_label(label, exact=True)).to_be_hidden()
    expect(player.locator(".odyssey-source")).to_contain_text("watching · broadcast at 127.0.0.1")
    notebook.run(4)
    expect(page.get_by_text("((704, 1280, 3), [0])")).to_be_visible()

    notebook.save()
    (token,) = tokens
    assert token not in (lab.folder / notebook.name).read_text()
    notebook.run(5)
    expect(notebook.stage).to_have_text("the broadcast has ended", timeout=20_000)
    wait_until(lambda: spectators(lab.service()) == 0, what="nobody who watches")


def test_where_the_browser_cannot_watch_by_itself(open_notebook: Open, page: Page) -> None:
    """Without WebRTC it plays by HLS; without any way to the service, by what the sidecar gets."""
    page.add_init_script("delete window.RTCPeerConnection")
    notebook = open_notebook(LOAD, OWNER, "ody.watch(stream.broadcast.watch_url)")
    notebook.run_all()
    notebook.wait_live(pictures=3)
    wait_path(notebook, "HLS")
    notebook.save()
    page.route("**/live/**", lambda route: route.abort())
    page.reload()
    wait_path(notebook, "direct")
    expect(notebook.player.locator(".odyssey-meter")).to_have_attribute(
        "title", re.compile("cannot reach the broadcast's service")
    )
    notebook.player.get_by_label("watch no more").click()
    expect(notebook.player.locator(".odyssey-pill")).to_have_text("ended")
    expect(notebook.stage).to_contain_text("you have left")
