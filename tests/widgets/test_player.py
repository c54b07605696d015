"""The kernel's half of the Player, with a real stream and a page that is played by hand."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import comm
import pytest
from comm.base_comm import BaseComm

import odyssey_nb as ody
from odyssey_nb.kernel.manager import get_manager
from odyssey_nb.service.worlds.test_pattern import read
from odyssey_nb.widgets.player import Player, player_of
from tests.conftest import Service, wait_until


class Page(BaseComm):
    """A front end's end of a widget's comm: keeps what the kernel sends, and answers by hand."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self.pictures: list[tuple[int, int]] = []  # stream and number of each
        self.answers: list[dict[str, Any]] = []
        self._ids = itertools.count()
        super().__init__(*args, **options)

    def publish_msg(self, msg_type: str, data: Any = None, *_: Any, **__: Any) -> None:
        content = (data or {}).get("content", {}) if msg_type == "comm_msg" else {}
        if content.get("type") == "picture":
            self.pictures.append((content["stream"], content["seq"]))
        elif content.get("type") == "answer":
            self.answers.append(content)

    def say(self, kind: str, **fields: Any) -> None:
        """Send a message of the page to the kernel."""
        content = {"type": kind, "view": "a view", **fields}
        data = {"method": "custom", "content": content}
        self.handle_msg({"content": {"data": data}, "buffers": []})

    def acknowledge(self) -> None:
        """Say that the newest picture is painted."""
        stream, seq = self.pictures[-1]
        self.say("ack", stream=stream, seq=seq, received=0)

    def ask(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Send a command and return its answer."""
        number = f"command {next(self._ids)}"
        self.say(kind, id=number, **fields)
        return wait_until(
            lambda: next((each for each in self.answers if each["id"] == number), None),
            seconds=20,
            what=f"the answer to {kind}",
        )


@pytest.fixture
def start(service: Service, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Any]]:
    """Start a stream on the test's service, and return it with its Player and the page."""
    monkeypatch.setattr(comm, "create_comm", Page)
    get_manager().players.clear()  # a Player of an earlier test has no page

    def begin() -> tuple[Any, Player, Page]:
        connection = ody.connect(url=service.url, api_key=service.api_key)
        stream = connection.start("a forest")
        player = player_of(stream)
        assert isinstance(player.comm, Page)
        return stream, player, player.comm

    yield begin
    get_manager().release_all("the test is over", budget=5)


def test_pictures_stop_without_acknowledgements_and_come_back(start: Callable[[], Any]) -> None:
    """A page that falls silent gets no more than the window; its next word brings the present."""
    stream, player, page = start()
    page.say("view", visible=True, decodes=True)
    for _ in range(5):
        reached = len(page.pictures) + 5
        wait_until(lambda n=reached: len(page.pictures) >= n, what="pictures")
        page.acknowledge()
    wait_until(lambda: player.statistics()["stalls"], what="a stall")
    before = list(page.pictures)
    number, _ = read(stream.frame())
    wait_until(lambda: read(stream.frame())[0] > number + 10, what="pictures that nobody gets")
    assert page.pictures == before
    page.acknowledge()
    wait_until(lambda: len(page.pictures) > len(before) + 5, what="pictures again")
    assert page.pictures[len(before)] > before[-1], "not what was missed"


def test_an_old_stream_shows_what_runs_now(start: Callable[[], Any], service: Service) -> None:
    """Naming a stream of an earlier connection does not take the picture from the present one."""
    old, player, page = start()
    assert page.ask("disconnect")["ok"]
    assert service.held == 0
    assert page.ask("start", prompt="a calm sea")["prompt"] == "a calm sea"
    assert not old.active
    assert player_of(old) is player
    assert player.status == "connected"
    assert player.streaming
