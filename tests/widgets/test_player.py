"""The kernel's half of the Player, with a real stream and a page that is played by hand."""

from __future__ import annotations

import io
import itertools
import time
from collections.abc import Callable, Iterator
from typing import Any

import comm
import numpy as np
import psutil
import pytest
from comm.base_comm import BaseComm
from PIL import Image

import odyssey_nb as ody
from odyssey_nb.errors import ConnectError
from odyssey_nb.kernel.hidden import WhenHidden
from odyssey_nb.kernel.runtime import get_manager
from odyssey_nb.service.worlds.test_pattern import prompt_hash, read
from odyssey_nb.widgets import player as module
from odyssey_nb.widgets.player import Player, player_of
from tests.conftest import Serve, Service, wait_until


class Page(BaseComm):
    """A front end's end of a widget's comm: keeps what the kernel sends, and answers by hand."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self.pictures: list[tuple[int, int]] = []  # stream and number of each
        self.answers: list[dict[str, Any]] = []
        self.others: list[dict[str, Any]] = []
        self._ids = itertools.count()
        super().__init__(*args, **options)

    def publish_msg(
        self, msg_type: str, data: Any = None, *_: Any, buffers: Any = None, **__: Any
    ) -> None:
        content = (data or {}).get("content", {}) if msg_type == "comm_msg" else {}
        if content.get("type") == "picture":
            self.pictures.append((content["stream"], content["seq"]))
        elif content.get("type") == "answer":
            self.answers.append(content | {"buffers": buffers})
        elif content:
            self.others.append(content)

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


def test_a_view_that_comes_back_hears_what_it_missed(
    start: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen again after a while, a view is told for how long it was not, and what was to come."""
    monkeypatch.setattr(module, "NOTICE_SECONDS", 0.3)
    stream, _, page = start()
    page.say("view", visible=True, decodes=False)
    clock = stream.connection.hidden.clock
    wait_until(lambda: clock.unseen > 0.4, what="a while")
    assert not page.others
    page.say("seen")
    (said,) = page.others
    assert (said["type"], said["step"]) == ("seen_again", "end")
    assert said["unseen"] + said["left"] == pytest.approx(120, abs=0.1)
    page.say("seen")
    assert len(page.others) == 1, "and hears it once"


def test_an_unseen_view_counts_down_by_itself(start: Callable[[], Any]) -> None:
    """It gets what is due as traits, once, and again when the user keeps the stream."""
    stream, player, page = start()
    stream.connection.hidden.use(WhenHidden(4, 300))
    told: list[tuple[str, float]] = []
    player.observe(lambda _: told.append((player.unseen_step, player.unseen_due)), "unseen_due")
    page.say("view", visible=True, decodes=False)
    page.say("view", visible=False, decodes=False)
    wait_until(lambda: told, what="the countdown")
    page.say("keep")
    wait_until(lambda: told[1:], what="the withdrawal")
    (step, due), withdrawn = told
    assert step == "end"
    assert 0 < due - time.time() < 4
    assert withdrawn == ("", 0)
    assert stream.active
    assert not page.others
    wait_until(lambda: told[2:], what="the countdown")
    stream.connection.disconnect()
    assert told[3:] == [("", 0)], "what is closed is not counted down"


def test_a_view_that_needs_no_kernel_counts_as_seen(start: Callable[[], Any]) -> None:
    """It gets a way in, then no pictures from here, and nobody takes it for hidden."""
    stream, player, page = start()
    answer = page.ask("direct", origin="http://127.0.0.1:8888")
    assert answer["ok"]
    assert answer["port"] > 0
    assert len({answer["token"], answer["secret"], ""}) == 3
    assert page.ask("direct", origin="http://127.0.0.1:8888")["token"] != answer["token"]
    page.say("view", visible=True, decodes=True, direct=True)
    assert player.statistics()["views"] == 0
    assert stream.connection.hidden.clock.counts
    page.say("view", visible=True, decodes=True, direct=False)
    wait_until(lambda: page.pictures, what="pictures from the kernel")
    assert page.pictures[0][0] == answer["first"] + stream.number, "counted as the sidecar's are"
    stream.connection.disconnect()
    assert not page.ask("direct", origin="http://127.0.0.1:8888")["ok"]


def test_a_page_that_decodes_nothing_asks_for_each_picture(start: Callable[[], Any]) -> None:
    """Each answer is a JPEG beyond the last; nobody asks, and the kernel decodes nothing."""
    stream, player, page = start()
    page.say("view", visible=True, decodes=False)
    known, seq, number = 0, 0, -1
    for _ in range(3):
        still = page.ask("decode", stream=known, seq=seq)
        assert still["seq"] > seq
        image = Image.open(io.BytesIO(still["buffers"][0]))
        assert image.format == "JPEG"
        later, shown = read(np.asarray(image))
        assert later > number
        assert shown == prompt_hash("a forest")
        known, seq, number = still["stream"], still["seq"], later
    assert not page.pictures
    assert player.statistics()["views"] == 0
    stream.end()
    assert not page.ask("decode", stream=known, seq=seq)["ok"]


def test_a_mark_is_set_from_the_page(start: Callable[[], Any]) -> None:
    """The answer says when, and the mark is among the clip's events."""
    stream, _, page = start()
    stream.frame()
    answer = page.ask("mark")
    assert answer["ok"]
    assert stream.last(5).events[-1] == {"time": answer["time"], "type": "mark", "text": ""}


def test_a_streamer_that_is_held_for_nothing_has_a_clock(start: Callable[[], Any]) -> None:
    """It begins when the stream ends, and is gone with the next stream or the connection."""
    stream, player, page = start()
    assert player.idle_since == player.idle_ends == 0
    assert player.stream_ends - time.time() == pytest.approx(stream.remaining, abs=0.5)
    assert player.connection_ends - time.time() == pytest.approx(3600, abs=30)
    stream.end()
    began = wait_until(lambda: player.idle_since, what="the clock")
    assert (player.stream_ends, player.idle_ends) == (0, began + 900)
    player.caption = "something else"
    assert player.idle_since == began
    assert page.ask("start", prompt="a calm sea")["ok"]
    assert player.idle_since == 0
    stream.connection.stream.end()
    wait_until(lambda: player.idle_since > began, what="the clock")
    stream.connection.disconnect()
    wait_until(lambda: player.idle_since == 0, what="no clock")


def test_a_kernel_that_goes_says_how_long_its_goodbye_took(start: Callable[[], Any]) -> None:
    """The page that outlives it hears a figure that was measured, for its own connection."""
    _, _, page = start()
    get_manager().release_all("restart", budget=20)
    (said,) = [each for each in page.others if each["type"] == "farewell"]
    assert said["name"] == "default"
    assert 0 < said["released"] < 20


def lost(player: Player, connection: Any) -> None:
    """Kill what holds `connection`, and wait until the Player offers to go on."""
    psutil.Process(connection.link.pid).kill()
    wait_until(lambda: player.resumes, what="the offer")


def test_a_connection_that_has_ended_can_go_on(start: Callable[[], Any]) -> None:
    """Another one takes its place: the same prompt and orientation, from the last picture.

    The picture of an older stream is none of its own; who clicks later finds it streaming.
    """
    stream, player, page = start()
    stream.end()
    stream = stream.connection.start("a canyon", orientation="portrait")
    file = io.BytesIO()
    Image.new("RGB", (528, 960), (200, 30, 60)).save(file, "JPEG")
    for connections, of_the_last in ((1, -1), (2, 0)):
        number = connections * module.STREAMS + stream.number + of_the_last
        player.poster.update(file.getvalue(), "the last picture", number)
        lost(player, stream.connection)
        assert page.ask("continue")["ok"]
        again = get_manager()["default"].stream
        assert again is not None
        assert not player.resumes
        picture = again.frame()
        assert picture.shape == (1280, 704, 3)
        assert read(picture)[1] == prompt_hash("a canyon")
        colour = np.median(picture[600:, ::8], (0, 1))
        assert bool(np.abs(colour - (200, 30, 60)).max() < 8) is (of_the_last == 0)
        stream = again
        player._successor.go_on(player.poster)
        assert get_manager()["default"].stream is again


def test_what_was_ended_does_not_go_on(start: Callable[[], Any], service: Service) -> None:
    """What its user or its budget has ended is over."""
    stream, player, _ = start()
    stream.connection.disconnect()
    assert not player.resumes
    ody.connect(url=service.url, api_key=service.api_key, budget=0.05).start("a desert")
    wait_until(lambda: player.error, what="the budget's end")
    wait_until(lambda: player.status == "disconnected", what="its end")
    assert not player.resumes


def test_a_successor_that_fails(start: Callable[[], Any], serve: Serve) -> None:
    """What shall go on and cannot is told, holds nothing, and can be tried again."""
    start()
    place = serve()
    stream = ody.connect("there", url=place.url, api_key=place.api_key).start("a desert")
    player = player_of(stream)
    lost(player, stream.connection)
    place.stop()
    with pytest.raises(ConnectError, match="nothing answers"):
        player._successor.go_on(player.poster)
    assert get_manager().get("there") is None
    wait_until(lambda: player.resumes, what="the offer")
