"""A connection of a notebook that breaks: what its objects do meanwhile, and what is told."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import odyssey_nb as ody
from odyssey_nb import errors
from odyssey_nb.kernel.connection import Connection
from odyssey_nb.kernel.runtime import get_manager
from tests.conftest import Serve, Service, wait_until
from tests.relay import Line


@pytest.fixture
def forgetful(keep: Serve) -> Service:
    """A service that waits half a second for a socket that is gone."""
    return keep("--limit", "lost_socket_seconds=0.5", "--streamers", "1")


@pytest.fixture
def line(forgetful: Service) -> Iterator[Line]:
    """A line to it that can be cut."""
    with Line(forgetful.url) as line:
        yield line
        get_manager().release_all("test", budget=5)


def connect(line: Line, service: Service) -> Connection:
    """Connect over the line."""
    return ody.connect(url=line.url, api_key=service.api_key)


def test_a_stream_goes_on(line: Line, forgetful: Service) -> None:
    """The same session comes back: the stream that a user holds stays usable, the clip tells."""
    conn = connect(line, forgetful)
    stream = conn.start("a forest")
    stream.frame()
    line.cut()
    wait_until(lambda: conn.history[-2:] == ["reconnecting", "connected"], what="the repair")
    assert stream.active
    assert conn.stream is stream
    assert stream.interact("at night") == "at night"
    happened = stream.last(60).events
    assert [each["type"] for each in happened] == ["start", "reconnected", "interact"]
    assert happened[1]["text"].startswith("the same session after ")


def test_a_stream_is_replaced(line: Line, forgetful: Service) -> None:
    """Another session takes over: the connection's stream is the new one, the old one says so."""
    conn = connect(line, forgetful)
    old = conn.start("a forest")
    old.interact("at night")
    line.cut(down=True)
    forgetful.wait_free(seconds=5)
    assert conn.status == "reconnecting"
    assert conn.stage
    line.cut()
    wait_until(lambda: conn.history[-2:] == ["reconnecting", "connected"], what="the repair")
    assert conn.session_id == forgetful.sessions()[0]["session_id"]
    assert conn.stream is not None
    assert conn.stream.number == old.number + 1
    assert conn.stream.prompt == "at night"
    with pytest.raises(errors.NoStreamError, match="took this one's place") as caught:
        old.interact("snow")
    assert "conn.stream" in caught.value.hint
    assert conn.stream.interact("snow") == "snow"
    conn.stream.frame()
    happened = [each["type"] for each in conn.stream.last(60).events]
    assert happened[:2] == ["start", "reconnected"]
    assert ody.connect(url=line.url, api_key=forgetful.api_key) is conn
