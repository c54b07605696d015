"""The JavaScript SDK, as npm has it, in a real Chromium against a real service."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from contextlib import suppress

import pytest
from PIL import Image
from playwright.sync_api import Error, Page, Response

from odyssey_nb.service.accounts import Accounts
from odyssey_nb.service.database import Database, sqlite_url
from odyssey_nb.service.limits import Limits
from tests.conftest import Serve, Service, wait_until
from tests.sdk.conftest import LOST_SECONDS, Application, OpenApplication, Rejected
from tests.service.running import OTHER_KEY, streamers

pytestmark = pytest.mark.browser

CONNECTED = ["authenticating", "connecting", "connecting", "connected"]


@pytest.fixture
def application(service: Service, open_application: OpenApplication) -> Application:
    """An application that is connected."""
    application = open_application(service.url)
    application.connect()
    return application


def test_connect(service: Service, open_application: OpenApplication) -> None:
    """A connection's history is the SDK's own, and it has the browser complain of nothing."""
    application = open_application(service.url)
    application.connect()
    assert application.statuses == CONNECTED
    assert application.heard[-1] == ["connected"]
    assert [(each["kind"], each["readyState"]) for each in application.tracks] == [
        ("video", "live")
    ]
    assert service.held == 1

    application.disconnect()
    wait_until(lambda: application.told("disconnected"), what="the end of the track")
    wait_until(lambda: len(application.statuses) == 6, what="the end of the socket")
    assert application.statuses == [*CONNECTED, "disconnected", "disconnected"]
    assert application.complaints == []
    assert application.told("error") == []


def test_stream(application: Application) -> None:
    """The video shows growing picture numbers of the prompt; a prompt that is applied shows too."""
    stream_id = application.start("a  misty forest\n at dawn")
    assert application.told("started") == [[stream_id]]
    assert application.applied == "a misty forest at dawn"
    first = application.see("a misty forest at dawn")
    assert first.size == (1280, 704)
    later = application.see("a misty forest at dawn", after=first.number + 10)

    assert application.interact("heavy  snow") == "heavy snow"
    assert application.applied == "heavy snow"
    assert application.told("acknowledged") == [["heavy snow"]]
    application.see("heavy snow", after=later.number)

    application.end()
    assert application.told("ended") == [[]]
    assert application.told("stream error") == application.told("error") == []


def test_streams_follow_each_other_on_one_track(application: Application) -> None:
    """A connection's second stream has a size of its own, on the track that already plays."""
    tracks = application.tracks
    first = application.start("upright", portrait=True)
    assert application.see("upright", after=5).size == (704, 1280)
    application.end()
    second = application.start("lying", portrait=False)
    assert application.see("lying").size == (1280, 704)
    application.end()
    third = application.start("upright again", portrait=True)
    assert application.see("upright again").size == (704, 1280)

    assert [kind for kind, *_ in application.heard[5:]] == ["started", "ended"] * 2 + ["started"]
    assert len({first, second, third}) == 3
    assert application.tracks == tracks
    assert application.statuses == CONNECTED


def test_start_before_the_channels_are_open(
    service: Service, open_application: OpenApplication
) -> None:
    """A start that the SDK sends over the WebSocket, since no channel is open, is answered."""
    application = open_application(service.url)
    application.call("startAtOnce", {"prompt": "at once"})
    assert "interactive_stream_start" in application.signaled
    application.see("at once")


def test_prompts_that_hardly_fit(application: Application) -> None:
    """Prompts up to what a channel and beyond what it carries are applied; the echo is short."""
    start, update = "long start " * 30_000, "long update " * 20_000
    application.start(start)
    assert "interactive_stream_start" in application.signaled
    assert application.applied is not None
    assert len(application.applied) < 10_000
    application.see(start.strip())

    echo = application.interact(update)
    assert echo.startswith("long update long update")
    assert len(echo) < 10_000
    application.see(update.strip())


def test_broadcast(
    service: Service, application: Application, open_application: OpenApplication
) -> None:
    """Others see the owner's pictures, and may leave; whoever stays is told of the end."""
    stream_id = application.start("for everybody", broadcast=True)
    wait_until(lambda: application.told("broadcast"), what="the broadcast")
    ((info,),) = application.told("broadcast")
    assert info["webrtcUrl"] == f"{service.url}/live/{stream_id}"
    assert info["hlsUrl"] == f"{info['webrtcUrl']}/index.m3u8?token={info['spectatorToken']}"

    leaving, staying = open_application(service.url), open_application(service.url)
    for each in (leaving, staying):
        each.call("connectToStream", info["webrtcUrl"], info["spectatorToken"])
        first = each.see("for everybody")
        application.interact(f"later, {first.number}")
        each.see(f"later, {first.number}", after=first.number)
        application.interact("for everybody")
    assert service.held == 1

    def deletes(response: Response) -> bool:
        return response.request.method == "DELETE"

    with leaving.page.expect_response(deletes) as answer:
        leaving.call("leaveStream")
    assert answer.value.status == 204
    application.end()
    wait_until(
        lambda: staying.told("spectator disconnected"), seconds=50, what="the end of the broadcast"
    )
    assert leaving.complaints == staying.complaints == []
    with pytest.raises(Rejected, match="not found"):
        staying.call("connectToStream", info["webrtcUrl"], info["spectatorToken"])


def test_watching_with_a_wrong_token(
    application: Application, open_application: OpenApplication, service: Service
) -> None:
    """The SDK calls a wrong spectator token so, which CORS lets it see."""
    application.start("for some", broadcast=True)
    wait_until(lambda: application.told("broadcast"), what="the broadcast")
    ((info,),) = application.told("broadcast")
    spectator = open_application(service.url)
    with pytest.raises(Rejected, match="token"):
        spectator.call("connectToStream", info["webrtcUrl"], "wrong")


def test_wrong_key(service: Service, open_application: OpenApplication) -> None:
    """A key that is not known is called so, which the browser lets the SDK see."""
    application = open_application(service.url, "ody_nobody_has_this_key")
    with pytest.raises(Rejected, match=r"^Invalid API key$"):
        application.connect()
    assert application.statuses == ["authenticating", "failed"]
    assert application.told("error") == [["Invalid API key", True]]


def test_too_many_sessions(
    service: Service, application: Application, open_application: OpenApplication
) -> None:
    """One session more than the account may have is refused with the SDK's typed error."""
    another = open_application(service.url)
    with pytest.raises(Rejected) as caught:
        another.connect()
    assert caught.value.name == "ConcurrentLimitReachedError"
    assert str(caught.value) == "Maximum concurrent sessions (1) reached"
    assert caught.value.details == {"active_count": 1, "limit": 1}
    assert another.statuses == ["authenticating", "failed"]

    application.disconnect()
    service.wait_free()
    another.connect()
    assert another.statuses[2:] == CONNECTED


def refusal(application: Application) -> Rejected:
    """Return how the SDK refuses to connect."""
    with pytest.raises(Rejected) as caught:
        application.connect()
    assert application.statuses == ["authenticating", "failed"]
    return caught.value


def test_a_used_up_month(service: Service, open_application: OpenApplication) -> None:
    """A stream ends with its month, and the next connection is refused with the typed error."""
    with Database.open(sqlite_url(service.data_dir)) as database:
        key, _ = Accounts(database, Limits()).create(values={"monthly_hours": 1.5 / 3600})
    application = open_application(service.url, key)
    application.connect()
    application.start("the last second")
    wait_until(lambda: application.told("stream error"), what="the end of the month")
    ((reason, message),) = application.told("stream error")
    assert (reason, message) == (
        "quota_exceeded",
        "Stream ended: the hours of this month are used up",
    )
    application.disconnect()
    service.wait_free()

    def used() -> bool:
        usage = service.ask("GET", "/usage", token=service.token(key))
        return bool(usage["stream_hours"] > 1 / 3600)

    wait_until(used, what="the stream in the books")
    refused = refusal(open_application(service.url, key))
    assert refused.name == "MonthlyLimitReachedError"
    assert set(refused.details) == {"used_hours", "limit_hours", "reset_date"}
    assert refused.details["limit_hours"] == 1.5 / 3600


def test_a_suspended_account(service: Service, open_application: OpenApplication) -> None:
    """A suspended account is told why, in the SDK's typed error."""
    with Database.open(sqlite_url(service.data_dir)) as database:
        key, _ = Accounts(database, Limits()).create(values={"suspended": "unpaid bills"})
    refused = refusal(open_application(service.url, key))
    assert refused.name == "AccountSuspendedError"
    assert refused.details == {"reason": "unpaid bills"}


def test_too_many_requests(serve: Serve, open_application: OpenApplication) -> None:
    """Who asks too often is told when to come back, in the SDK's typed error."""
    service = serve("--limit", "requests_per_second=0.2")
    token = service.token()
    for _ in range(2):  # and ten seconds' worth are saved up
        service.ask("GET", "/regions", token=token)
    refused = refusal(open_application(service.url))
    assert refused.name == "RateLimitError"
    assert 1 <= refused.details["retry_after_seconds"] <= 5


def test_waiting_for_a_streamer(
    service: Service, application: Application, open_application: OpenApplication
) -> None:
    """While no streamer is free the SDK asks again and again, and gets the first that is."""
    waiting = open_application(service.url, OTHER_KEY)
    waiting.begin("connect")

    def refused() -> int:
        waiting.page.evaluate("1")  # lets Playwright tell what happened meanwhile
        return waiting.answers.count(503)

    wait_until(lambda: refused() >= 2, what="a second refusal")
    assert waiting.statuses == ["authenticating"]
    application.disconnect()
    assert waiting.result() == ["video"]
    assert waiting.statuses == CONNECTED
    waiting.start("my turn")
    waiting.see("my turn")


def crash(page: Page) -> None:
    """Let the page's process crash."""
    with suppress(Error):
        page.goto("chrome://crash")


@pytest.mark.parametrize(
    "leave",
    [
        pytest.param(Page.close, id="page closed"),
        pytest.param(lambda page: page.context.close(), id="context closed"),
        pytest.param(lambda page: page.goto("about:blank"), id="another page"),
        pytest.param(Page.reload, id="reloaded"),
        pytest.param(crash, id="crashed"),
    ],
)
def test_leaving_without_disconnect(
    service: Service, application: Application, leave: Callable[[Page], object]
) -> None:
    """A page that goes says no goodbye; its streamer is free when the lost socket's time is up."""
    application.start("left alone")
    left = time.monotonic()
    try:
        leave(application.page)
        service.wait_free(seconds=LOST_SECONDS + 3)
        freed = time.monotonic()
    finally:
        application.page.context.close()
    assert freed - left > LOST_SECONDS


def test_disconnect_frees_at_once(
    service: Service, application: Application, open_application: OpenApplication
) -> None:
    """disconnect() frees the streamer long before a lost socket would, also of a running stream."""
    application.start("cut short")
    application.disconnect()
    service.wait_free(seconds=LOST_SECONDS / 2)
    another = open_application(service.url)
    another.connect()
    another.start("the next")
    another.see("the next")


def test_interact_without_a_stream(application: Application) -> None:
    """A prompt without a stream is refused, not lost, and a stream can be started then."""
    with pytest.raises(Rejected, match="no_active_stream"):
        application.interact("to nobody")
    ((reason, message),) = application.told("stream error")
    assert reason == "no_active_stream"
    assert message
    application.start("to somebody")
    application.end()
    with pytest.raises(Rejected, match="no_active_stream"):
        application.interact("too late")
    assert application.statuses == CONNECTED


def test_start_while_a_stream_is_active(application: Application) -> None:
    """A second start is refused, and the stream that runs goes on and can still be steered."""
    application.start("the first")
    before = application.see("the first")
    with pytest.raises(Rejected, match="stream_already_active"):
        application.start("the second", portrait=True)
    after = application.see("the first", after=before.number + 10)
    assert after.size == before.size
    assert application.told("ended") == []
    assert application.interact("still the first") == "still the first"
    application.see("still the first", after=after.number)


def test_end_without_a_stream(application: Application) -> None:
    """Ending where nothing runs is answered; the SDK would wait for ever."""
    application.end()
    application.start("something")
    application.end()
    application.end()
    assert application.told("stream error") == []


PLAY = """url => new Promise((resolve, reject) => {
  const video = document.createElement("video");
  video.muted = true;
  video.onerror = () => reject(video.error);
  video.ontimeupdate = () => resolve([video.videoWidth, video.videoHeight]);
  video.src = url;
  video.play();
})"""
READ = "async url => (await (await fetch(url)).text()).trim().split('\\n').map(JSON.parse)"


def test_recordings(application: Application) -> None:
    """What a stream left is listed and found; its video plays and its events can be read."""
    stream_id = application.start("for  later", portrait=True)
    application.see("for later", after=5)
    application.end()
    found = application.call("getRecording", stream_id)
    assert found["stream_id"] == stream_id
    assert found["frame_count"] > 5
    page = application.page
    assert page.evaluate(PLAY, found["video_url"]) == [704, 1280]
    assert page.evaluate(PLAY, found["preview_url"]) == [176, 320]
    start, end = page.evaluate(READ, found["events_url"])
    assert (start["prompt"], start["applied_prompt"]) == ("for  later", "for later")
    assert (end["type"], end["reason"]) == ("end", "client")

    listed = application.call("listStreamRecordings", {"limit": 1, "offset": 0})
    (newest,) = listed["recordings"]
    assert (newest["stream_id"], newest["width"], newest["height"]) == (stream_id, 704, 1280)
    assert newest["duration_seconds"] == found["duration_seconds"]
    assert (listed["limit"], listed["offset"]) == (1, 0)
    assert listed["total"] >= 1
    with pytest.raises(Rejected, match=r"(?i)not found"):
        application.call("getRecording", "no_such_stream")


def test_credentials(service: Service, open_application: OpenApplication) -> None:
    """A page with a key makes credentials, which hold a streamer; one without connects by them."""
    backend = open_application(service.url)
    credentials = backend.call("createClientCredentials")
    assert set(credentials) == {
        "session_id", "signaling_url", "session_token", "expires_in", "capabilities",
    }  # fmt: skip
    assert credentials["expires_in"] == 600
    assert [each["session_id"] for each in service.sessions()] == [credentials["session_id"]]

    application = open_application(service.url, None)
    assert application.call("connectWithCredentials", credentials) == ["video"]
    assert application.statuses == ["connecting", "connecting", "connected"]
    application.start("no key here")
    application.see("no key here")
    application.disconnect()
    service.wait_free(seconds=LOST_SECONDS / 2)


def test_stream_limit(serve: Serve, open_application: OpenApplication) -> None:
    """A stream that reaches its limit says why and ends; the next one starts as usual."""
    brief = serve("--limit", "stream_seconds=2")
    application = open_application(brief.url)
    application.connect()
    stream_id = application.start("as long as may be")
    application.see("as long as may be")
    wait_until(lambda: application.told("ended"), what="the limit")
    started, error, ended = application.heard[5:]
    assert started == ["started", stream_id]
    assert error[:2] == ["stream error", "session_timeout"]
    assert ended == ["ended"]

    application.start("once more")
    application.see("once more")
    assert application.interact("and steered") == "and steered"
    assert application.statuses == CONNECTED
    application.disconnect()
    brief.wait_free()


def test_a_streamer_is_lost(service: Service, application: Application) -> None:
    """When its streamer dies the SDK is told so once, and what waits for an answer is rejected."""
    application.start("doomed")
    application.see("doomed")
    streamer, *_ = streamers(service.pid)
    streamer.suspend()
    application.begin("interact", {"prompt": "help"})
    streamer.kill()
    with pytest.raises(Rejected, match="Connection closed"):
        application.result()
    service.wait_free(seconds=LOST_SECONDS / 2)
    wait_until(lambda: application.told("disconnected"), what="the end of the track")
    assert application.statuses == [*CONNECTED, "failed"]

    application.connect()
    application.start("alive")
    application.see("alive")
    assert application.told("error") == [["Streamer has disconnected.", True]]


def test_reconnecting_from_the_error_handler(service: Service, application: Application) -> None:
    """An application that connects again as soon as it is told of a loss keeps what it gets."""
    application.begin("reconnectOnError")
    streamer, *_ = streamers(service.pid)
    streamer.kill()
    assert application.result() == ["video"]
    application.start("alive")
    application.see("alive", after=5)
    assert application.statuses[-1] == "connected"
    assert application.told("error") == [["Streamer has disconnected.", True]]


def halves(kind: str, size: tuple[int, int] = (900, 600)) -> bytes:
    """Return an image file whose left half is red and whose right half is blue."""
    image, file = Image.new("RGB", size, (200, 30, 40)), io.BytesIO()
    image.paste((30, 40, 200), (size[0] // 2, 0, *size))
    image.save(file, kind)
    return file.getvalue()


def shows_halves(application: Application, size: tuple[int, int]) -> bool:
    """Return whether the video shows red to the left and blue to the right, in that size."""
    pixels = application.pixels
    if pixels is None or pixels.shape[:2] != size[::-1]:
        return False
    left, right = (pixels[size[1] // 3, x].astype(int) for x in (size[0] // 5, -size[0] // 5))
    return bool(left[0] > left[2] + 80 and right[2] > right[0] + 80)


@pytest.mark.parametrize(("kind", "portrait"), [("jpeg", False), ("png", True), ("gif", False)])
def test_start_from_an_image(application: Application, kind: str, portrait: bool) -> None:
    """A file starts a stream over the WebSocket, and the first pictures show it."""
    application.start_from(halves(kind), kind, portrait=portrait)
    assert application.signaled[-1] == "interactive_stream_start"
    size = (704, 1280) if portrait else (1280, 704)
    wait_until(lambda: shows_halves(application, size), what="the image")


def test_image_that_is_refused(application: Application) -> None:
    """What is no image is refused with a reason, and the next start works."""
    with pytest.raises(Rejected, match="invalid_image"):
        application.start_from(b"no image at all", "heic")
    ((reason, message),) = application.told("stream error")
    assert reason == "invalid_image"
    assert "JPEG" in message
    application.start("without one")
    application.see("without one")


def test_large_prompt(application: Application) -> None:
    """A prompt that no data channel takes goes over the WebSocket."""
    prompt = " ".join(["misty"] * 60_000)
    application.start(prompt)
    assert application.signaled[-1] == "interactive_stream_start"
    application.see(prompt)
