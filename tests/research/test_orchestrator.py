"""A crowd from the teacher's side: what a cell sees, decides and remembers."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

import odyssey_nb as ody
from odyssey_nb.errors import CrowdError, NoStreamError, UsageError
from odyssey_nb.kernel.runtime import runtime
from odyssey_nb.kernel.stream import Stream
from odyssey_nb.research.invitations import Invitation, Invitations
from tests.conftest import Serve, Service, wait_until
from tests.participant import Page
from tests.relay import Line


@pytest.fixture
def opened() -> Iterator[contextlib.ExitStack]:
    """What the test opens: what this process holds, pages, and at last the line between."""
    with contextlib.ExitStack() as stack:
        yield stack
        manager = runtime().manager
        if manager is not None:
            manager.release_all("the test is over", budget=5)


def start(service: Service, url: str = "", **options: Any) -> Stream:
    """A stream that others can watch."""
    connection = ody.connect(url=url or service.url, api_key=service.api_key)
    return connection.start("a red house", broadcast=True, **options)


def test_a_queue_and_a_moderator(
    service: Service, opened: contextlib.ExitStack, tmp_path: Path
) -> None:
    """Prompts are applied in order; run again, the cell keeps its people; the moderator decides.

    What was applied is a table in which nobody's name is markup; no digest is a token; a broken
    network is repaired; the end of the stream is the end.
    """
    line = opened.enter_context(Line(service.url))
    stream = start(service, line.url)
    crowd = ody.Orchestrator(stream, every=0.2)
    invitations = crowd.invite(["Ada", "<b>Ben</b>"])
    assert "#me=" not in repr(invitations) + repr(invitations[0]) + repr(crowd)
    with invitations.save(tmp_path / "links.csv").open() as file:
        assert [row["name"] for row in csv.DictReader(file)] == ["Ada", "<b>Ben</b>"]
    ada, ben = (opened.enter_context(contextlib.closing(Page(each.link))) for each in invitations)
    for page in (ada, ben):
        page.wait("board", people=2)
    for page, prompt in ((ada, "snow"), (ben, "rain"), (ada, "fog")):
        page.propose(prompt)
        wait_until(lambda page=page: "accepted" in page.told(), what="an answer")
    wait_until(lambda: len(crowd.history) == 3, what="three prompts", seconds=20)
    assert [each.prompt for each in crowd.history] == ["snow", "rain", "fog"]
    assert stream.prompt == "fog"
    assert [each.names for each in crowd.history] == [("Ada",), ("<b>Ben</b>",), ("Ada",)]
    assert [each.applied for each in crowd.participants] == [2, 1]
    html = crowd.history._repr_html_()
    assert "&lt;b&gt;Ben" in html
    assert "<b>Ben" not in html
    ada.wait("told", kind="applied")

    link = crowd.link
    again = ody.Orchestrator(stream, mode="moderated", every=0.2)
    assert not crowd.open
    assert again.link == link
    for page in (ada, ben):
        page.wait("board", mode="moderated", people=2)
    ada.propose("a storm")
    ben.propose("a bomb")
    wait_until(lambda: len(again.inbox) == 2, what="the inbox")
    storm, bomb = sorted(again.inbox, key=lambda each: each.prompt, reverse=True)
    with pytest.raises(UsageError, match="no proposal"):
        again.approve("99")
    again.reject(bomb.id)
    again.approve(storm.id)
    ben.wait("told", kind="rejected")
    wait_until(lambda: len(again.history) == 4, what="the fourth", seconds=20)
    assert again.history[-1].prompt == stream.prompt == "a storm"

    with pytest.raises(UsageError, match="called 'Cy'"):
        again.revoke("Cy")
    with pytest.raises(UsageError, match="room for 198"):
        again.invite(199)
    digests = {each.digest for each in again.participants}
    tokens = [parse_qs(urlsplit(each.link).fragment)["me"][0] for each in invitations]
    assert digests == {hashlib.sha256(each.encode()).hexdigest() for each in tokens}

    for page in (ada, ben):
        page.close()
    wait_until(lambda: not any(each.here for each in again.participants), what="nobody here")
    line.cut()
    ada = opened.enter_context(contextlib.closing(Page(invitations[0].link)))
    wait_until(lambda: again.participants[0].here, what="a new socket", seconds=20)
    ada.propose("a calm sea")
    wait_until(lambda: again.inbox, what="the inbox", seconds=20)
    again.approve(again.inbox[0].id)
    wait_until(lambda: stream.prompt == "a calm sea", what="the fifth", seconds=30)

    stream.end()
    ada.wait("over", reason="the stream has ended")
    wait_until(lambda: not again.open, what="its end")
    assert "closed" in repr(again)
    with pytest.raises(CrowdError, match="closed"):
        again.invite(1)


@pytest.mark.slow
def test_it_goes_on_with_its_stream(serve: Serve, opened: contextlib.ExitStack) -> None:
    """Past the stream's limit people are shown the stream that goes on, and steer it."""
    stream = start(serve("--limit", "stream_seconds=5"), extend=True)
    crowd = opened.enter_context(ody.Orchestrator(stream, mode="round_robin", every=0.2))
    page = opened.enter_context(contextlib.closing(Page(crowd.link)))
    page.wait("entered", name="Guest 1")
    first = page.last("entered")["stream"]
    page.wait("moved")
    moved = page.last("moved")
    assert moved["stream"] != first
    assert stream.broadcast is not None
    assert stream.broadcast.url.endswith(moved["stream"])
    assert moved["spectator_token"] == stream.broadcast.token
    page.propose("snow")
    wait_until(lambda: [each.prompt for each in crowd.history] == ["snow"], what="it", seconds=20)
    late = opened.enter_context(contextlib.closing(Page(crowd.link)))
    late.wait("entered", stream=moved["stream"])


def test_what_cannot_be_steered_together(service: Service, opened: contextlib.ExitStack) -> None:
    """A stream that nobody watches, an unknown mode and wrong numbers are said in one line."""
    connection = ody.connect(url=service.url, api_key=service.api_key)
    stream = connection.start("a red house")
    with pytest.raises(CrowdError, match="nobody can watch") as refused:
        ody.Orchestrator(stream)
    assert "broadcast=True" in refused.value.hint
    with pytest.raises(UsageError, match="no mode 'anarchy'") as refused_mode:
        ody.Orchestrator(stream, mode="anarchy")
    assert "round_robin" in refused_mode.value.hint
    with pytest.raises(ValueError, match="per_minute"):
        ody.Orchestrator(stream, per_minute=0)
    stream.end()
    with pytest.raises(CrowdError):
        ody.Orchestrator(stream)
    with pytest.raises(NoStreamError):
        ody.interact("x")
    assert not [each for each in threading.enumerate() if each.name == "odyssey-crowd"]


def test_links_are_saved_for_oneself(tmp_path: Path) -> None:
    """Whoever reads the file is every participant, so nobody else may, whatever lay there."""
    file = tmp_path / "links.csv"
    file.touch(0o644)
    links = Invitations([Invitation.of("http://h/live/s", "Zoë, A.", "token", named=True)])
    assert links.save(file) == file
    assert file.stat().st_mode & 0o777 == 0o600
    rows = list(csv.reader(file.read_text(encoding="utf-8").splitlines()))
    assert rows == [["name", "link"], ["Zoë, A.", links[0].link]]
