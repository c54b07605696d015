"""Limits as a script sees them: what is left, and how streams go on past them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import odyssey_nb as ody
from odyssey_nb.kernel.connection import Connection
from odyssey_nb.kernel.runtime import runtime
from tests.conftest import API_KEY, Service, wait_until
from tests.service.running import running


@contextmanager
def limited(directory: Path, *limits: str) -> Iterator[Service]:
    """A service of these limits, and at the end no connection to it."""
    options = [word for each in limits for word in ("--limit", each)]
    with running(directory, *options) as service:
        yield service
        manager = runtime().manager
        if manager is not None:
            manager.release_all("the test is over", budget=5)


def connect(service: Service) -> Connection:
    """Connect to `service`."""
    return ody.connect(url=service.url, api_key=API_KEY)


def test_what_is_left_is_told(tmp_path: Path) -> None:
    """Stream, connection and the table of sessions say how many seconds the service's limits leave.

    A connection without a stream ends sooner.
    """
    with limited(tmp_path, "stream_seconds=60", "connection_seconds=500", "idle_seconds=90") as it:
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
