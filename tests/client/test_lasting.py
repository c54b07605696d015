"""Streams that go on past limits, where the service and the user do it another way than usual."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from odyssey_nb import errors
from odyssey_nb.client.client import AsyncClient
from odyssey_nb.media.h264 import Decoder
from odyssey_nb.media.ring import Ring
from odyssey_nb.service.worlds.test_pattern import prompt_hash, read
from odyssey_nb.wire.link import StreamChanged
from tests.conftest import API_KEY
from tests.service.raw_client import until
from tests.service.running import running

pytestmark = pytest.mark.newest

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from odyssey_nb.wire.link import Event
    from tests.conftest import Service


class Told:
    """What a client tells, and the ring of its pictures."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.ring = Ring()

    def open(self, service: Service) -> AbstractAsyncContextManager[AsyncClient]:
        """Connect a client that tells it."""
        return AsyncClient.open(
            service.url,
            API_KEY,
            on_event=self.events.append,
            on_picture=lambda picture: self.ring.put(picture) and None,
            recall=self.ring.tail,
        )

    @property
    def streams(self) -> list[tuple[int, str, str]]:
        """Number, state and what it continues past, of each change of a stream."""
        changes = [each for each in self.events if isinstance(each, StreamChanged)]
        return [(each.stream, each.state, each.continues) for each in changes]

    @property
    def shown(self) -> int:
        """The hash of the prompt that the newest picture shows."""
        decoder = Decoder()
        frames = [decoder.decode(each.data) for each in self.ring.tail()]
        return read(frames[-1].to_ndarray(format="rgb24"))[1] if frames and frames[-1] else 0


@pytest.mark.parametrize("always", [False, True], ids=["once", "always"])
async def test_a_service_that_ends_the_connection_with_the_stream(
    tmp_path: Path, always: bool
) -> None:
    """Then another connection takes its place, also when one more stream had begun meanwhile."""
    with running(tmp_path, "--limit", "stream_seconds=3", "--close-on-stream-limit") as service:
        told = Told()
        async with told.open(service) as client:
            await client.start("a forest")
            await client.interact("snow")
            await client.extend(always=always)
            first = client.session_id
            await until(lambda: client.session_id != first, seconds=30)
            await until(lambda: client.status == "connected", seconds=30)
            await until(lambda: told.ring.newest.stream == client.stream_number, seconds=30)
            assert told.shown == prompt_hash("snow")
            assert client.extends == ("always" if always else "")
            gone = [each for each in told.streams if each[1] == "none" and not each[2]]
            assert gone == [], "no stream ended without another one after it"
            if not always:
                await client.lost
                assert client.stream_state == "none"


async def test_what_is_ended_does_not_go_on(tmp_path: Path) -> None:
    """An end is the end, and a stream that is started without extend= has one."""
    with running(tmp_path, "--limit", "stream_seconds=3") as service:
        told = Told()
        async with told.open(service) as client:
            await client.start("a forest", extend=True)
            assert client.extends == "always"
            await client.end()
            assert client.extends == ""
            await client.start("a sea")
            await until(lambda: client.stream_state == "none", seconds=20)
            assert told.streams[-1] == (2, "none", "")
            with pytest.raises(errors.EmptyPromptError):
                await client.start(" ", extend=True)
            assert client.extends == ""


async def test_nothing_goes_on_that_never_was(tmp_path: Path) -> None:
    """Without a stream before there is no prompt to go on with."""
    with running(tmp_path) as service:
        async with Told().open(service) as client:
            with pytest.raises(errors.NoStreamError, match="no stream that could go on"):
                await client.extend()
