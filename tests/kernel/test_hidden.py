"""Streams that nobody sees: what the clock says, and what the service then counts."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator

import pytest

import odyssey_nb as ody
from odyssey_nb import errors
from odyssey_nb.kernel.hidden import NEVER, HiddenClock, WhenHidden, clock, when_hidden
from odyssey_nb.kernel.runtime import get_manager, runtime
from tests.conftest import Service, wait_until
from tests.kernel.conftest import Kernel

pytestmark = pytest.mark.newest


class Time:
    """A clock that a test moves; called, it tells the time."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.cell_runs = False

    def __call__(self) -> float:
        return self.now

    def hidden(self, policy: WhenHidden | None = None) -> HiddenClock:
        """The clock under test."""
        return HiddenClock(
            policy or WhenHidden(120, 300), attended=lambda: self.cell_runs, now=self
        )


def test_a_stream_ends_first_and_then_the_connection() -> None:
    """Without a view for 120 s the stream is due, and without a stream the connection at 300 s."""
    time = Time()
    hidden = time.hidden()
    hidden.seen()
    assert hidden.left(streaming=True) == ("end", 120)
    assert hidden.left(streaming=False) == ("disconnect", 300)
    time.now += 130
    assert hidden.left(streaming=True) == ("end", -10)
    assert hidden.left(streaming=False) == ("disconnect", 170)


def test_nothing_counts_before_there_was_a_view() -> None:
    """A script without a view is never ended, however long it pauses."""
    time = Time()
    hidden = time.hidden()
    hidden.touch()
    time.now += 10_000
    assert hidden.left(streaming=True) is None
    assert hidden.unseen == 0


def test_a_view_that_comes_back_begins_the_count_anew() -> None:
    """It is told for how long nobody attended, and the whole time is left again."""
    time = Time()
    hidden = time.hidden()
    hidden.seen()
    time.now += 100
    assert hidden.seen() == 100
    time.now += 60
    assert hidden.left(streaming=True) == ("end", 60)
    hidden.touch()  # Python read a picture
    assert hidden.left(streaming=True) == ("end", 120)


def test_while_a_cell_runs_nobody_is_away() -> None:
    """A cell may take an hour; the count begins when it ends."""
    time = Time()
    hidden = time.hidden()
    hidden.seen()
    time.now += 110
    time.cell_runs = True
    time.now += 3600
    assert hidden.left(streaming=True) == ("end", 120)
    time.cell_runs = False
    time.now += 20
    assert hidden.left(streaming=True) == ("end", 100)


@pytest.mark.parametrize(
    ("policy", "streaming", "left"),
    [
        (NEVER, True, None),
        (WhenHidden(None, 300), True, ("disconnect", 300)),
        (WhenHidden(120, None), False, None),
    ],
)
def test_what_is_never_due(policy: WhenHidden, streaming: bool, left: object) -> None:
    """Each of the two steps may be left out."""
    hidden = Time().hidden(policy)
    hidden.seen()
    assert hidden.left(streaming=streaming) == left


@pytest.mark.parametrize(
    ("policy", "end", "disconnect"),
    [
        (WhenHidden(120, 300), 30, 30),
        (WhenHidden(8, 40), 4, 20),
        (WhenHidden(None, 300), 0, 30),
    ],
)
def test_how_long_views_count_down(policy: WhenHidden, end: float, disconnect: float) -> None:
    """For the last 30 s of each step, and half of the time where that is short."""
    hidden = Time().hidden(policy)
    assert (hidden.countdown("end"), hidden.countdown("disconnect")) == (end, disconnect)


@pytest.mark.parametrize(
    ("given", "policy"),
    [
        (..., (120, 300)),
        ((60, 90), (60, 90)),
        ([None, 90], (None, 90)),
        ("60, 90.5", (60, 90.5)),
        ("60,off", (60, None)),
        ("off", (None, None)),
        (None, (None, None)),
        (False, (None, None)),
    ],
)
def test_how_the_policy_is_written(given: object, policy: tuple[float | None, ...]) -> None:
    """As a pair, as the magic's text, or off."""
    assert when_hidden(given) == policy


def test_the_environment_has_a_say(monkeypatch: pytest.MonkeyPatch) -> None:
    """ODYSSEY_NB_WHEN_HIDDEN is what is left out of the call, and no more."""
    monkeypatch.setenv("ODYSSEY_NB_WHEN_HIDDEN", "30,off")
    assert when_hidden() == (30, None)
    assert when_hidden((60, 90)) == (60, 90)


@pytest.mark.parametrize(
    "given", ["soon", "1,2,3", (1,), 5, (0, 300), (300, 120), (120, float("nan"))]
)
def test_a_policy_that_makes_no_sense_is_refused(given: object) -> None:
    """The error says how it is written."""
    with pytest.raises(errors.SettingError, match="when_hidden") as caught:
        when_hidden(given)
    assert "(120, 300)" in caught.value.hint


def test_seconds_read_like_a_clock() -> None:
    """Two minutes are 2:00."""
    assert [clock(each) for each in (0.9, 61.5, 120, 600)] == ["0:00", "1:01", "2:00", "10:00"]


@pytest.fixture
def connection(service: Service) -> Iterator[ody.kernel.connection.Connection]:
    """A connection of this process that is soon ended unseen."""
    yield ody.connect(url=service.url, api_key=service.api_key, when_hidden=(0.5, 60))
    get_manager().release_all("the test is over", budget=5)


def test_what_nobody_sees_is_ended(connection, service: Service) -> None:
    """The stream goes first, then the streamer is free; each time it is said why."""
    stream = connection.start("a forest")
    connection.hidden.seen()
    wait_until(lambda: not stream.active, what="the stream's end")
    assert connection.hidden.clock.unseen >= 0.5, "its end is no sign of anybody"
    wait_until(lambda: connection.problem, what="the reason")
    assert re.match(r"no view was visible for 0:0\d, so the stream ended\. ", connection.problem)
    with pytest.raises(errors.NoStreamError, match="no view was visible"):
        stream.frame()
    assert service.held == 1
    connection.hidden.use(WhenHidden(0.5, 1))
    service.wait_free(seconds=10)
    wait_until(lambda: "the streamer was freed" in connection.problem, what="the reason")
    with pytest.raises(errors.NotConnectedError, match="disconnected: no view was visible"):
        stream.frame()


def test_views_are_told_once_what_is_about_to_come(connection, service: Service) -> None:
    """And once that it does not come after all; or it comes, and the next step is announced."""
    told: list[tuple[str, float] | None] = [None]

    def note() -> None:
        if told[-1] != connection.hidden.countdown:
            told.append(connection.hidden.countdown)

    stream = connection.start("a forest")
    connection.hidden.use(WhenHidden(4, 12))
    connection.listen(note)
    connection.hidden.seen()
    seen = time.time()
    wait_until(lambda: told[1:], what="the countdown")
    step, due = told[-1]
    assert step == "end"
    assert 0 < due - seen <= 4
    connection.hidden.clock.touch()
    wait_until(lambda: told[2:], what="the withdrawal")
    assert told[-1] is None
    assert stream.active
    wait_until(lambda: not stream.active, what="the stream's end")
    service.wait_free(seconds=10)
    assert [each and each[0] for each in told] == [None, "end", None, "end", None, "disconnect"]


def test_a_cell_withdraws_the_countdown(connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says nothing, so it is looked for; and what is looked at is told to nobody."""
    connection.start("a forest")
    connection.hidden.use(WhenHidden(2, 60))
    connection.hidden.seen()
    wait_until(lambda: connection.hidden.countdown, what="the countdown")
    changes: list[object] = []
    connection.listen(lambda: changes.append(connection.hidden.countdown))
    monkeypatch.setattr(runtime(), "cells", {1})
    wait_until(lambda: connection.hidden.countdown is None, what="the withdrawal")
    wait_until(lambda: connection.hidden.clock.unseen < 0.1, what="a running cell")
    assert changes == [None]


def test_a_later_stream_has_its_own_time(connection) -> None:
    """It is ended unseen as well, also where nothing else was to come."""
    connection.hidden.use(WhenHidden(0.5, None))
    for prompt in ("a forest", "a lake"):
        stream = connection.start(prompt)
        connection.hidden.seen()
        wait_until(lambda stream=stream: not stream.active, what="the stream's end")
        time.sleep(0.5)  # in which the watch has nothing more to wait for


def test_reading_pictures_keeps_the_stream(connection, service: Service) -> None:
    """Who reads is no less there than who looks; without a view nothing is ended at all."""
    stream = connection.start("a forest")
    connection.hidden.use(WhenHidden(2, 60))
    connection.hidden.seen()
    for _ in range(80):  # 4 s of pictures
        number = stream.frame()
        wait_until(lambda n=number: stream.frame() is not n, what="the next picture")
    assert stream.active
    assert service.held == 1


def test_a_callback_keeps_the_stream(connection, service: Service) -> None:
    """Pictures that a function gets are read too; when it gets no more, the stream may end."""
    stream = connection.start("a forest")
    handle = stream.on_frame(lambda _: None)
    connection.hidden.use(WhenHidden(2.5, 60))
    connection.hidden.seen()
    wait_until(lambda: handle.calls > 100, seconds=40, what="five seconds of pictures")
    assert stream.active
    handle.cancel()
    wait_until(lambda: not stream.active, what="the stream's end")
    assert service.held == 1


def test_a_broadcast_is_never_ended_unseen(connection, service: Service) -> None:
    """Somebody may watch it, and who does not know counts it as watched."""
    stream = connection.start("a forest", broadcast=True)
    wait_until(lambda: stream.broadcast, what="the broadcast")
    connection.hidden.use(WhenHidden(0.3, 0.5))
    connection.hidden.seen()
    time.sleep(1)  # in which it would be ended
    assert stream.active
    assert connection.hidden.clock.unseen < 0.3
    stream.end()
    service.wait_free(seconds=10)


def test_a_kernel_that_stood_still_hears_its_views_first(
    kernel: Kernel, local_service: Callable[[], Service]
) -> None:
    """Stopped for longer than the policy allows, it ends nothing that a page shows all the time."""
    kernel.run(
        "import threading, time\n"
        "conn = ody.connect(when_hidden=(2, 4))\n"
        "stream = conn.start('a forest')\n"
        "def page():\n"
        "    while conn.is_open: conn.hidden.seen(); time.sleep(0.2)\n"
        "threading.Thread(target=page, daemon=True).start()\n"
        "while not conn.hidden._watched: time.sleep(0.05)\n"
        "time.sleep(0.5)"  # until it waits
    )
    kernel.process.suspend()
    time.sleep(6)
    kernel.process.resume()
    time.sleep(1)  # in which a cell would keep the stream, whatever the clock says
    said = kernel.run("print('active', stream.active, conn.problem)")
    assert "active True" in said, said
    kernel.run("conn.disconnect()")
    local_service().wait_free(seconds=5)


def test_a_running_cell_keeps_the_stream(
    kernel: Kernel, local_service: Callable[[], Service]
) -> None:
    """A cell that outlasts the policy loses nothing; some time after it the streamer is free."""
    said = kernel.run(
        "import time\n"
        "conn = ody.connect(when_hidden=(0.4, 0.8))\n"
        "stream = conn.start('a forest')\n"
        "conn.hidden.seen()\n"
        "until = time.monotonic() + 2\n"
        "while time.monotonic() < until: sum(range(1000))\n"
        "print('active', stream.active)"
    )
    assert "active True" in said
    local_service().wait_free(seconds=5)
    wait_until(
        lambda: "so the streamer was freed" in kernel.run("print(conn.problem)"),
        seconds=5,
        what="what became of it",
    )
