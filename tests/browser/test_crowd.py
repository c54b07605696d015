"""Three people at a broadcast's page steer one stream together, in a real Chromium."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing

import pytest
from playwright.sync_api import Browser, Page, expect

import odyssey_nb as ody
from odyssey_nb.kernel.runtime import runtime
from odyssey_nb.kernel.stream import Stream
from odyssey_nb.service.worlds.test_pattern import prompt_hash, read
from tests.browser.conftest import Lab, OpenNotebook
from tests.browser.test_player import LOAD
from tests.conftest import Service, wait_until
from tests.participant import Page as Participant

pytestmark = pytest.mark.browser

XSS = "<img src=x onerror=alert(1)>"


@pytest.fixture
def stream(service: Service) -> Iterator[Stream]:
    """A stream of this process that others can watch."""
    connection = ody.connect(url=service.url, api_key=service.api_key)
    yield connection.start("a red house", broadcast=True)
    manager = runtime().manager
    assert manager is not None
    manager.release_all("the test is over", budget=5)


@pytest.fixture
def pages(chromium: Browser) -> Iterator[list[Page]]:
    """A page each for three people, in browser contexts of their own."""
    contexts = [chromium.new_context() for _ in range(3)]
    pages = [context.new_page() for context in contexts]
    for page in pages:
        page.on("dialog", lambda dialog: pytest.fail(f"a page was told to run: {dialog.message}"))
    yield pages
    for context in contexts:
        context.close()


def propose(page: Page, prompt: str) -> None:
    """Type a prompt and send it."""
    page.get_by_label("What shall happen?").fill(prompt)
    page.keyboard.press("Enter")


def test_three_people_vote(stream: Stream, pages: list[Page]) -> None:
    """The winner of the vote is applied to the world, and every page shows it, and by whom.

    A forged link and one that was revoked let nobody in, and who is too fast is told so; what
    people type is text, whatever it looks like.
    """
    crowd = ody.Orchestrator(stream, mode="vote", every=4, per_minute=3)
    ada, ben, eve = pages
    (invited,) = crowd.invite(["Ada"])
    ada.goto(invited.link)
    for page, name in ((ben, "Ben"), (eve, XSS)):
        page.goto(crowd.link)
        page.get_by_label("What shall the others call you?").fill(name)
        page.keyboard.press("Enter")
    for page in pages:
        expect(page.locator("main")).to_have_attribute("data-state", "live", timeout=20_000)
        expect(page.locator(".people")).to_have_text("3 here")
    expect(ada.locator(".me")).to_have_text("You are Ada")
    expect(eve.locator(".me")).to_have_text(f"You are {XSS}")

    crowd.pause()  # the clock of the vote stands still while the browsers are busy
    propose(ada, "heavy snow")
    expect(ada.locator(".told")).to_have_text("it is up for the vote, and has yours")
    propose(eve, f"dense fog {XSS}")
    for page in pages:
        expect(page.locator(".waiting li")).to_have_count(2)
        expect(page.locator(".left")).to_have_text("paused")
    propose(ben, " Heavy  SNOW! ")
    expect(ben.locator(".told")).to_contain_text("you stand behind it too")
    expect(ada.locator(".own")).to_have_text("Yours leads")
    fog = eve.get_by_role("button", name=re.compile("vote for “dense fog"))
    expect(fog).to_have_text("1 vote")
    expect(fog).to_have_attribute("aria-pressed", "true")
    ben.get_by_role("button", name=re.compile("vote for “dense fog")).click()
    expect(fog).to_have_text("2 votes")
    ben.get_by_role("button", name=re.compile("vote for “heavy snow")).click()
    eve.reload()  # whoever comes back is who they were, with their vote
    expect(eve.locator(".me")).to_have_text(f"You are {XSS}")
    expect(fog).to_have_attribute("aria-pressed", "true")
    fog.click()
    eve.get_by_role("button", name=re.compile("vote for “heavy snow")).click()
    expect(ada.get_by_role("button", name=re.compile("vote for"))).to_have_text(
        ["3 votes", "0 votes"]
    )
    crowd.resume()
    for page in pages:
        expect(page.locator(".now .prompt")).to_have_text("heavy snow", timeout=20_000)
        expect(page.locator(".now .by")).to_have_text("by Ada, Ben · 3 votes")
        expect(page.locator(".waiting li")).to_have_count(0)
    wait_until(lambda: read(stream.frame())[1] == prompt_hash("heavy snow"), what="the world")
    (done,) = crowd.history
    assert (done.prompt, done.names, done.votes) == ("heavy snow", ("Ada", "Ben"), 3)
    assert "Ada, Ben" in repr(crowd.history)
    marks = [each for each in stream.last(30).events if each["type"] == "mark"]
    assert [each["text"] for each in marks] == ["by Ada, Ben · 3 votes"]

    for number in range(4):
        propose(eve, f"rain {number}")
        told = eve.locator(".told")
        expect(told).not_to_have_text("")
        expect(eve.locator(".propose button")).to_be_enabled()
        if "too fast" in (told.text_content() or ""):
            break
    expect(told).to_contain_text("too fast: wait")

    ben.goto("about:blank")
    ben.goto(invited.link[:-12] + "forged&name=Ben")
    expect(ben.locator(".told")).to_contain_text("lets nobody in")
    crowd.revoke("Ada")
    expect(ada.locator(".told")).to_contain_text("taken back")
    expect(ada.locator(".propose")).to_be_hidden()
    ada.reload()
    expect(ada.locator(".told")).to_contain_text("lets nobody in")

    crowd.close()
    expect(eve.locator(".told")).to_contain_text("It is over: the teacher closed it")
    assert stream.active


CROWD = """stream = ody.start("a red house", broadcast=True)
crowd = ody.Orchestrator(stream, mode="moderated", every=0.5)
crowd"""


@pytest.mark.slow
def test_the_teacher_decides(open_notebook: OpenNotebook, lab: Lab, page: Page) -> None:
    """The panel shows who is there and what waits, approves, rejects, pauses and sends away.

    The file of the notebook holds no token; a kernel that restarts closes the crowd.
    """
    invite = f"crowd.invite(['Ada', {XSS!r}])"
    notebook = open_notebook(LOAD, CROWD, invite, "%odyssey help crowd")
    for cell in range(4):
        notebook.run(cell)
    cards = page.locator(".odyssey-cards input")
    expect(cards).to_have_count(2, timeout=60_000)
    expect(page.locator(".odyssey-cards img")).to_have_count(2)
    links = [each.input_value() for each in cards.all()]
    expect(page.get_by_text("--per-minute")).to_be_visible()
    panel = page.get_by_role("group", name="steering together")
    with closing(Participant(links[0])) as ada, closing(Participant(links[1])) as eve:
        for each in (ada, eve):
            each.wait("board", people=2)
        expect(panel.get_by_text("2 here")).to_be_visible()
        ada.propose("heavy snow")
        eve.propose(f"fog {XSS}")
        inbox = panel.get_by_label("what waits for you").locator("li")
        expect(inbox).to_have_count(2)
        expect(inbox.filter(has_text="fog")).to_contain_text(f"fog {XSS}by {XSS}")
        panel.get_by_role("button", name="Pause").click()
        panel.get_by_role("button", name="approve “heavy snow”").click()
        waiting = panel.get_by_label("what waits", exact=True).locator("li")
        expect(waiting).to_contain_text("heavy snow")
        panel.get_by_role("button", name=re.compile("reject “fog")).click()
        eve.wait("told", kind="rejected")
        panel.get_by_role("button", name="Resume").click()
        expect(panel.locator(".odyssey-applied")).to_have_text("heavy snow", timeout=20_000)
        ada.wait("told", kind="applied")
        panel.get_by_role("button", name=f"let {XSS} take part no more").click()
        eve.wait("refused", reason="revoked")
        panel.get_by_role("button", name="Link", exact=True).click()
        shared = panel.get_by_label("link for all")
        expect(shared).to_have_value(re.compile("#join="))
        opened = " ".join([*links, shared.input_value()])
        tokens = re.findall(r"#(?:me|join)=([^& ]+)", opened)
        assert len(tokens) == 3
        notebook.select(3)
        notebook.save()
        saved = (lab.folder / notebook.name).read_text()
        assert not [each for each in tokens if each in saved]
        notebook.restart()
        wait_until(lambda: ada.last("over"), what="the crowd's end", seconds=30)
