"""A connection of a notebook that breaks: what its objects do meanwhile, and what is told."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator

import pytest

import odyssey_nb as ody
from odyssey_nb import errors
from odyssey_nb.kernel.connection import Connection
from odyssey_nb.kernel.manager import get_manager
from tests.conftest import Service, wait_until
from tests.relay import Relay


class Line:
    """A relay on a thread of its own; between it and the service is what breaks."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._carry()))

    def __enter__(self) -> Line:
        self._thread.start()
        assert self._ready.wait(5)
        return self

    async def _carry(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        async with Relay.to(self._service.url) as self._relay:
            self.url = self._relay.url
            self._ready.set()
            await self._over.wait()

    def cut(self, *, down: bool = False) -> None:
        """Break every connection, and take no other while it is `down`."""

        def do() -> None:
            self._relay.down = down
            self._relay.cut()

        self._loop.call_soon_threadsafe(do)

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(10)


@pytest.fixture
def forgetful(serve: Callable[..., Service]) -> Service:
    """A service that waits half a second for a socket that is gone."""
    return serve("--limit", "lost_socket_seconds=0.5", "--streamers", "1")


@pytest.fixture
def line(forgetful: Service) -> Iterator[Line]:
    """A line to it that can be cut."""
    with Line(forgetful) as line:
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
