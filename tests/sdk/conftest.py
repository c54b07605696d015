"""An official SDK, unmodified, in the surroundings that it is made for."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, ConsoleMessage, Page

from odyssey_nb.service.worlds.test_pattern import prompt_hash, read
from tests.conftest import API_KEY, Service, wait_until
from tests.service.running import running

HERE = Path(__file__).parent
PACKAGE = HERE.parent / "js" / "node_modules" / "@odysseyml" / "odyssey"
VERSION = "1.3.1"
LOST_SECONDS = 2  # how long a session waits for a socket that is gone to come back
FILES = {
    "/": HERE / "page.html",
    "/page.js": HERE / "page.js",
    "/odyssey.js": PACKAGE / "dist" / "index.js",
}


class Files(SimpleHTTPRequestHandler):
    """Serves the application's files, and says nothing about it."""

    def translate_path(self, path: str) -> str:
        return str(FILES.get(path, HERE / "no such file"))

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with one streamer, of which an account may hold one, and little patience."""
    with running(
        tmp_path_factory.mktemp("service"),
        "--streamers", "1", "--limit", "concurrent_streams=1",
        "--limit", f"lost_socket_seconds={LOST_SECONDS}",
    ) as service:  # fmt: skip
        yield service


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    """Where the application is: on this machine, of another origin than any service."""
    manifest = PACKAGE / "package.json"
    if not manifest.exists():
        pytest.fail("the npm packages are missing: run `.ci/setup javascript`")
    version = json.loads(manifest.read_text())["version"]
    assert version == VERSION, "the npm packages are outdated: run `.ci/setup javascript`"
    with ThreadingHTTPServer(("127.0.0.1", 0), Files) as server:
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


class Rejected(Exception):  # noqa: N818 - it is what JavaScript calls it
    """A promise of the SDK was rejected; `str` is the error's message."""

    def __init__(self, name: str, message: str, details: dict[str, Any]) -> None:
        super().__init__(message)
        self.name, self.details = name, details


@dataclass
class Picture:
    """What the video element shows, read from its pixels."""

    number: int
    digest: int
    size: tuple[int, int]  # width, height


@dataclass
class Application:
    """A page with the SDK in it. Methods are named as the SDK's own."""

    page: Page
    uncaught: list[str] = field(default_factory=list)  # errors that nobody took
    complaints: list[str] = field(default_factory=list)  # errors and warnings in the console
    answers: list[int] = field(default_factory=list)  # HTTP statuses
    signaled: list[str] = field(default_factory=list)  # types of what it sent over its WebSocket

    def __post_init__(self) -> None:
        self.page.on("pageerror", lambda error: self.uncaught.append(str(error)))
        self.page.on("console", self._console)
        self.page.on("response", lambda response: self.answers.append(response.status))
        self.page.on("websocket", lambda socket: socket.on("framesent", self._sent))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)

    def _sent(self, text: str | bytes) -> None:
        self.signaled.append(json.loads(text)["type"])

    def begin(self, verb: str, *args: object) -> None:
        """Call a method of the SDK, and do not wait for its promise."""
        self.page.evaluate("([verb, args]) => app.begin(verb, args)", [verb, list(args)])

    def result(self) -> Any:
        """Wait for the promise of the method that was called last."""
        result = self.page.evaluate("() => app.result()")
        if "error" in result:
            raise Rejected(**result["error"])
        return result.get("value")

    def call(self, verb: str, *args: object) -> Any:
        """Call a method of the SDK and wait for its promise."""
        self.begin(verb, *args)
        return self.result()

    def connect(self) -> None:
        """Connect; the stream plays in the video element."""
        assert self.call("connect") == ["video"]

    def start(self, prompt: str, *, portrait: bool = False, broadcast: bool = False) -> str:
        """Start a stream and return its id."""
        options = {"prompt": prompt, "portrait": portrait, "broadcast": broadcast}
        return str(self.call("startStream", options))

    def start_from(self, file: bytes, kind: str, *, portrait: bool = False) -> str:
        """Start a stream from an image file of that kind, and return its id."""
        url = f"data:image/{kind};base64,{base64.b64encode(file).decode()}"
        options = {"prompt": "from a file", "portrait": portrait, "url": url, "name": "image"}
        return str(self.call("startStreamFromFile", options))

    def interact(self, prompt: str) -> str:
        """Send a prompt and return what was applied."""
        return str(self.call("interact", {"prompt": prompt}))

    def end(self) -> None:
        """End the stream."""
        self.call("endStream")

    def disconnect(self) -> None:
        """Disconnect, as an application should before its page goes."""
        self.call("disconnect")

    @property
    def heard(self) -> list[list[Any]]:
        """What the SDK told its handlers, in order."""
        return list(self.page.evaluate("() => app.heard()"))

    def told(self, what: str) -> list[list[Any]]:
        """What one of the handlers was told, in order."""
        return [rest for kind, *rest in self.heard if kind == what]

    @property
    def statuses(self) -> list[str]:
        """The connection's history."""
        return [status for (status,) in self.told("status")]

    @property
    def applied(self) -> str | None:
        """The SDK's `lastAppliedPrompt`."""
        applied: str | None = self.page.evaluate("() => app.lastAppliedPrompt()")
        return applied

    @property
    def tracks(self) -> list[dict[str, str]]:
        """The tracks of the stream that plays."""
        return list(self.page.evaluate("() => app.tracks()"))

    @property
    def pixels(self) -> NDArray[np.uint8] | None:
        """What is shown now, (height, width, 3) in RGB."""
        url: str = self.page.evaluate("() => app.picture()")
        if not url:
            return None
        png = base64.b64decode(url.partition(",")[2])
        return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))

    @property
    def picture(self) -> Picture | None:
        """The picture that is shown now."""
        pixels = self.pixels
        if pixels is None:
            return None
        return Picture(*read(pixels), (pixels.shape[1], pixels.shape[0]))

    def see(self, prompt: str, *, after: int = -1) -> Picture:
        """Wait until a picture of `prompt`, of a number beyond `after`, is shown."""

        def shown() -> Picture | None:
            now = self.picture
            found = now and now.digest == prompt_hash(prompt) and now.number > after
            return now if found else None

        return wait_until(shown, what=f"a picture of {prompt!r}")  # type: ignore[no-any-return]


OpenApplication = Callable[..., Application]


@pytest.fixture
def open_application(service: Service, site: str, chromium: Browser) -> Iterator[OpenApplication]:
    """Open applications in contexts of their own: ``open_application(service.url)``.

    What is left of them disconnects with the test, which frees the service. None may have met an
    error that it did not take.
    """
    opened: list[Application] = []

    def open_it(url: str, api_key: str | None = API_KEY) -> Application:
        application = Application(chromium.new_context().new_page())
        opened.append(application)
        application.page.goto(site)
        application.page.wait_for_function("globalThis.app")
        application.page.evaluate("([url, key]) => app.open(url, key ?? undefined)", [url, api_key])
        return application

    yield open_it
    for application in opened:
        if not application.page.is_closed():
            application.disconnect()
            application.page.context.close()
    service.wait_free()
    assert [each.uncaught for each in opened if each.uncaught] == []
