"""Limits as a script sees them: what is left, and how streams go on past them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest

import odyssey_nb as ody
from odyssey_nb import errors
from odyssey_nb.kernel.connection import Connection
from odyssey_nb.kernel.runtime import runtime
from odyssey_nb.service.worlds.test_pattern import prompt_hash, read
from tests.conftest import API_KEY, Serve, Service, wait_until
from tests.kernel.conftest import Kernel

pytestmark = pytest.mark.newest

Find = Callable[[], Service]


@pytest.fixture
def limited(keep: Serve) -> Iterator[Serve]:
    """Find a service of some limits; at the end there is no connection to it."""
    yield lambda *limits: keep(*(word for each in limits for word in ("--limit", each)))
    manager = runtime().manager
    if manager is not None:
        manager.release_all("the test is over", budget=5)


def connect(service: Service, **options: float) -> Connection:
    """Connect to `service`."""
    return ody.connect(url=service.url, api_key=API_KEY, **options)


def test_what_is_left_is_told(limited: Serve) -> None:
    """Stream, connection and the table of sessions say how many seconds the service's limits leave.

    A connection without a stream ends sooner.
    """
    it = limited("stream_seconds=60", "connection_seconds=500", "idle_seconds=90")
    conn = connect(it)
    assert conn.remaining == pytest.approx(90, abs=20)
    assert re.search(r", 1:\d\d left>$", repr(conn))
    stream = conn.start("a forest")
    assert stream.remaining == pytest.approx(60, abs=20)
    assert conn.remaining == pytest.approx(500, abs=60)
    assert re.search(r", live, (1:00|0:\d\d) left: ", repr(stream))
    (row,) = ody.sessions()
    assert row.left == pytest.approx(stream.remaining, abs=5)
    stream.end()
    assert stream.remaining is None
    wait_until(lambda: conn.remaining <= 90, what="the idle clock")
    conn.disconnect()
    assert conn.remaining is None


def test_a_stream_goes_on_past_its_limits(limited: Serve) -> None:
    """With extend=True one object follows stream after stream, with the prompt applied last.

    A loop over its pictures goes on too, the clip says when, and ending it is the end.
    """
    it = limited("stream_seconds=3")
    conn = connect(it)
    stream = conn.start("a forest", extend=True)
    assert stream.interact("snow") == "snow"
    first, numbers = stream.id, set()
    for picture in stream:
        numbers.add(stream.number)
        shown = read(picture)[1]
        if len(numbers) == 3:
            break
    assert numbers == {1, 2, 3}
    assert shown == prompt_hash("snow")
    assert stream.active
    assert conn.stream is stream
    assert stream.id != first
    kinds = [each["type"] for each in stream.last(30).events]
    assert kinds[:2] == ["start", "continued"]
    assert len(it.sessions()) == 1, "all on one connection"
    stream.end()
    assert conn.stream is None
    assert "stream_id" not in it.sessions()[0]


def test_a_stream_goes_on_past_the_connections_limit(limited: Serve) -> None:
    """The account's only connection is given back before another one takes its place."""
    it = limited("connection_seconds=15", "concurrent_streams=1")
    conn = connect(it)
    stream = conn.start("a forest", extend=True)
    before = conn.session_id
    wait_until(lambda: stream.number > 1, seconds=60, what="the next stream")
    wait_until(lambda: conn.status == "connected", what="the next connection")
    (after,) = it.sessions()
    assert before != after["session_id"] == conn.session_id
    assert conn.stream is stream
    assert conn.history[2:] == ["connected", "reconnecting", "connected"]
    assert read(stream.frame())[1] == prompt_hash("a forest")
    assert stream.last(30).events[1] == {
        "time": 0, "type": "continued", "text": "past the connection's limit"
    }  # fmt: skip


def test_a_stream_is_told_to_go_on_once(limited: Serve) -> None:
    """It goes on past the next limit and ends at the one after; then it can go on at once."""
    it = limited("stream_seconds=3")
    conn = connect(it)
    stream = conn.start("a forest")
    stream.extend()
    assert stream.number == 1, "nothing ends early"
    wait_until(lambda: not stream.active, seconds=40, what="the second limit")
    assert (stream.number, stream.ended_for) == (2, "session_timeout")
    with pytest.raises(errors.NoStreamError):
        stream.interact("snow")
    stream.extend()
    assert conn.stream.number == 3
    assert read(conn.stream.frame())[1] == prompt_hash("a forest")


def test_a_budget_ends_the_connection(limited: Serve) -> None:
    """Also one whose stream goes on past limits; whoever uses it is told why, and what to type."""
    it = limited()
    conn = connect(it, budget=30)
    stream = conn.start("a forest", extend=True)
    assert conn.remaining == pytest.approx(1800, abs=60)
    assert connect(it, budget=0.01) is conn
    wait_until(lambda: not conn.is_open, seconds=30, what="the end")
    it.wait_free(seconds=10)
    with pytest.raises(errors.BudgetError, match=r"budget of 0\.01 minutes is used up") as told:
        stream.interact("snow")
    assert "ody.connect(budget=0.01)" in told.value.hint
    assert "failed" in conn.history


def test_a_budget_holds_while_the_kernel_hangs(kernel: Kernel, local_service: Find) -> None:
    """A kernel that no longer gives up the GIL cannot hold a streamer longer than it may."""
    kernel.run("conn = ody.connect(budget=0.1); stream = conn.start('a forest', extend=True)")
    service = local_service()
    assert service.held == 1
    kernel.begin("import ctypes; ctypes.PyDLL(None).sleep(60)")  # with the GIL
    wait_until(lambda: service.held == 0, seconds=40, what="a free streamer")
    kernel.process.kill()


def test_a_day_has_a_budget(limited: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """What connections have used is used; with nothing left none is opened, and it says why."""
    monkeypatch.setenv("ODYSSEY_NB_BUDGET_MINUTES_PER_DAY", "0.1")
    it = limited()
    conn = connect(it)
    wait_until(lambda: not conn.is_open or conn.remaining <= 6, what="the budget")
    wait_until(lambda: not conn.is_open, seconds=30, what="the end")
    assert "today's budget of 0.1 minutes is used up" in conn.problem
    with pytest.raises(errors.BudgetError, match="today's budget") as told:
        connect(it)
    assert "ODYSSEY_NB_BUDGET_MINUTES_PER_DAY" in told.value.hint
    assert it.held == 0
    monkeypatch.setenv("ODYSSEY_NB_BUDGET_MINUTES_PER_DAY", "many")
    with pytest.raises(errors.SettingError, match="'many'"):
        connect(it)


def test_a_budget_is_a_number_of_minutes() -> None:
    """Nothing is opened with one that makes no sense."""
    with pytest.raises(errors.SettingError, match="cannot be 0 minutes"):
        ody.connect(budget=0)
