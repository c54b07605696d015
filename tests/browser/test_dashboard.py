"""The dashboard in a real Chromium, over a real service with real streams."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import ConsoleMessage, Page, expect

import odyssey_nb as ody
from odyssey_nb.kernel.runtime import get_manager
from tests.conftest import API_KEY, Serve, Service, wait_until

pytestmark = pytest.mark.browser


@pytest.fixture
def service(serve: Serve) -> Iterator[Service]:
    """A service of its own, because recordings stay."""
    yield serve()
    get_manager().release_all("the test is over", budget=5)


@pytest.fixture
def complaints(page: Page) -> list[str]:
    """What the browser complains of: a script's error, or a file that it may not use."""
    said: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if message.type == "error" and "status of 40" not in message.text:
            said.append(message.text)

    page.on("console", hear)
    page.on("pageerror", lambda error: said.append(str(error)))
    return said


def sign_in(page: Page, url: str, key: str = API_KEY) -> None:
    """Open the page and sign in from the keyboard."""
    page.goto(url)
    page.keyboard.type(key)  # the field has the focus
    page.keyboard.press("Enter")


def test_signing_in(page: Page, service: Service, complaints: list[str]) -> None:
    """A wrong key and an old token are told; a reload stays signed in; the key is kept nowhere."""
    sign_in(page, service.url, "ody_nobody_has_this_key")
    expect(page.get_by_role("alert").get_by_text("Invalid API key")).to_be_visible()

    sign_in(page, service.url)
    expect(page.get_by_text("Nothing is running.")).to_be_visible()
    expect(page.get_by_text("No recordings yet")).to_be_visible()
    expect(page.get_by_label("Usage").get_by_text("Streams now")).to_be_visible()
    page.reload()
    expect(page.get_by_text("Nothing is running.")).to_be_visible()
    kept = page.evaluate("JSON.stringify([{ ...sessionStorage }, { ...localStorage }])")
    assert API_KEY not in kept

    page.evaluate("for (const name of Object.keys(sessionStorage)) sessionStorage[name] = 'old'")
    expect(page.get_by_text("The sign-in has expired")).to_be_visible()
    page.keyboard.type(API_KEY)
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("API key")).to_be_focused()
    assert page.evaluate("sessionStorage.length") == 0
    assert complaints == []


def test_from_a_live_session_to_a_deleted_recording(
    page: Page, service: Service, complaints: list[str]
) -> None:
    """A session shows with its clocks, End ends it, and its recording plays and goes, by keys."""
    sign_in(page, service.url)
    connection = ody.connect(url=service.url, api_key=service.api_key)
    connection.start("a misty forest").frame()
    sessions = page.get_by_role("region", name="Live sessions")
    expect(sessions.get_by_text("a misty forest", exact=True)).to_be_visible()
    expect(sessions.get_by_text("The stream's limit ends it in 2:")).to_be_visible()
    streaming = sessions.locator("[data-figure=streaming]")
    shown = streaming.inner_text()
    expect(streaming).not_to_have_text(shown)

    sessions.get_by_role("button", name="End").press("Enter")
    question = page.get_by_role("dialog", name="End this session?")
    question.get_by_role("button", name="Cancel").press("Enter")
    expect(question).to_have_count(0)
    assert service.held == 1
    sessions.get_by_role("button", name="End").press("Enter")
    question.get_by_role("button", name="End session").press("Enter")
    expect(page.get_by_text("Nothing is running.")).to_be_visible()
    wait_until(lambda: connection.status != "connected", what="the client's notice")
    assert service.held == 0

    recording = page.get_by_role("button", name="play the Recording")
    picture = recording.locator("img")
    expect(picture).to_be_visible()
    wait_until(lambda: picture.evaluate("it => it.naturalWidth") == 320, what="the thumbnail")
    recording.press("Enter")
    player = page.get_by_role("dialog", name="Recording of")
    video = player.locator("video")
    wait_until(lambda: video.evaluate("it => it.videoWidth") == 1280, what="the video")
    wait_until(lambda: video.evaluate("it => it.currentTime") > 0, what="its pictures")
    events = player.get_by_role("list", name="what happened").locator("li")
    expect(events).to_have_count(2)
    expect(events.last).to_contain_text("ended (ended by owner)")
    events.last.get_by_role("button").press("Enter")
    with page.expect_download() as download:
        player.get_by_role("link", name="Download").press("Enter")
    assert download.value.suggested_filename.endswith(".mp4")

    player.get_by_role("button", name="Delete").press("Enter")
    page.get_by_role("dialog", name="Delete this recording?").get_by_role(
        "button", name="Delete"
    ).press("Enter")
    expect(player).to_have_count(0)
    expect(page.get_by_text("No recordings yet")).to_be_visible()
    assert complaints == []


def test_simulations_and_pages(page: Page, service: Service, complaints: list[str]) -> None:
    """One that waits is cancelled, one that is done plays script by script; lists have pages."""
    where = {"url": service.url, "api_key": service.api_key}
    ody.simulate([[(0, "start", f"sea {n}"), (0.1, "end")] for n in range(13)], **where)
    running = ody.simulate([(0, "start", "a"), (120, "end")], wait=False, **where)
    waiting = ody.simulate([(0, "start", "a"), (1, "end")], wait=False, **where)
    sign_in(page, service.url)

    jobs = page.get_by_role("region", name="Simulations").get_by_role("listitem")
    expect(jobs).to_have_count(3)
    expect(jobs.nth(1).get_by_role("progressbar")).to_be_visible(timeout=20_000)
    expect(jobs.nth(1).get_by_role("button", name="Cancel")).to_be_hidden()
    jobs.nth(0).get_by_role("button", name="Cancel").press("Enter")
    question = page.get_by_role("dialog", name="Cancel this simulation?")
    question.get_by_role("button", name="Cancel simulation").press("Enter")
    expect(jobs.nth(0)).to_contain_text("cancelled")
    assert waiting.status == "cancelled"
    assert running.status == "processing"

    jobs.nth(2).get_by_role("button", name="Watch").press("Enter")
    player = page.get_by_role("dialog", name="Simulation of")
    events = player.get_by_role("list", name="what happened")
    expect(events).to_contain_text("sea 0")
    player.get_by_role("button", name="Script 13").press("Enter")
    expect(events).to_contain_text("sea 12")
    player.get_by_role("button", name="close").press("Enter")

    recordings = page.get_by_role("region", name="Recordings")
    expect(recordings).to_contain_text("1–12 of 13")
    expect(recordings.get_by_role("button", name="Newer")).to_be_disabled()
    recordings.get_by_role("button", name="Older").press("Enter")
    expect(recordings).to_contain_text("13–13 of 13")
    expect(recordings.get_by_role("button", name="Older")).to_be_disabled()
    expect(recordings.get_by_role("button", name="play the Recording")).to_have_count(1)
    assert complaints == []
