"""A connection that breaks: what is repaired, what is not, and what whoever waits is told."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from odyssey_nb import errors
from odyssey_nb.client.client import AsyncClient
from odyssey_nb.client.control import Control
from odyssey_nb.client.reservation import release
from odyssey_nb.client.retry import Patience
from odyssey_nb.client.session import SessionLostError, worst
from odyssey_nb.media.h264 import Decoder
from odyssey_nb.media.ring import Ring
from odyssey_nb.service.worlds.test_pattern import prompt_hash, read
from odyssey_nb.wire.link import StatusChanged, StreamChanged
from tests.client.simulated import SimulatedLoop, World
from tests.conftest import API_KEY
from tests.relay import Relay
from tests.service.raw_client import until
from tests.service.running import running, streamers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from odyssey_nb.wire.link import Event, Picture
    from tests.conftest import Service

REPAIRED = ["authenticating", "connecting", "connected", "reconnecting", "connected"]
GIVEN_UP = [*REPAIRED[:4], "failed", "disconnected"]


@pytest.fixture(scope="module")
def forgetful(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with one streamer that waits half a second for a socket that is gone."""
    directory = tmp_path_factory.mktemp("forgetful")
    with running(directory, "--limit", "lost_socket_seconds=0.5", "--streamers", "1") as service:
        yield service


class Told:
    """What a client tells, and the pictures that it shows."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.ring = Ring()
        self.pictures: list[Picture] = []

    def picture(self, picture: Picture) -> None:
        """Take a picture."""
        self.ring.put(picture)
        self.pictures.append(picture)

    def streams(self) -> list[tuple[int, str, str]]:
        """Return number, state and prompt or reason of every change of a stream."""
        changes = [each for each in self.events if isinstance(each, StreamChanged)]
        return [(each.stream, each.state, each.prompt or each.reason) for each in changes]

    def said(self, status: str) -> list[str]:
        """Return what was said while the status was `status`."""
        changes = [each for each in self.events if isinstance(each, StatusChanged)]
        return [each.message for each in changes if each.status == status]

    def open(
        self, url: str, patience: Patience | None = None, **options: Any
    ) -> AbstractAsyncContextManager[AsyncClient]:
        """Open a client that tells us everything."""
        return AsyncClient.open(
            url, API_KEY, on_event=self.events.append, on_picture=self.picture,
            recall=self.ring.tail, patience=patience, **options,
        )  # fmt: skip


async def test_a_broken_socket_is_opened_again(shared: Service) -> None:
    """Session, stream and pictures go on while the socket is opened with a fresh token."""
    told = Told()
    async with Relay.to(shared.url) as relay, told.open(relay.url) as client:
        async with client.stream("a forest") as stream:
            await until(lambda: told.pictures)
            (session,) = shared.sessions()
            tokens = relay.count(b"POST /sessions/token")
            relay.down = True
            assert relay.cut() >= 1
            await until(lambda: client.status == "reconnecting")
            assert await stream.interact("at night") == "at night"
            relay.down = False
            await until(lambda: client.status == "connected")
            assert relay.count(b"POST /sessions/token") > tokens
            assert [each["session_id"] for each in shared.sessions()] == [session["session_id"]]
            count = len(told.pictures)
            await until(lambda: len(told.pictures) > count + 3)
            assert await stream.interact("in fog") == "in fog"
        assert [each.seq for each in told.pictures] == list(range(1, len(told.pictures) + 1))
        assert {each.stream for each in told.pictures} == {1}
    assert client.history == [*REPAIRED, "disconnected"]
    assert told.said("reconnecting") == ["the connection to the service broke"]
    assert told.said("connected")[-1].startswith("the same session after ")
    await until(lambda: shared.held == 0, seconds=2)


async def test_a_goodbye_that_is_heard_is_said_once(shared: Service) -> None:
    """Whoever leaves asks nothing more of the service."""
    async with Relay.to(shared.url) as relay:
        async with AsyncClient.open(relay.url, API_KEY) as client:
            await client.start("a forest")
            tokens = relay.count(b"POST /sessions/token")
        assert relay.count(b"POST /sessions/token") == tokens
    assert shared.held == 0


async def test_a_goodbye_that_is_lost_is_said_again(shared: Service) -> None:
    """One that went out and was never answered may not have come; the session is freed anyway."""
    up, leave = asyncio.Event(), asyncio.Event()

    async def visit() -> None:
        async with AsyncClient.open(relay.url, API_KEY):
            up.set()
            await leave.wait()

    async with Relay.to(shared.url) as relay, asyncio.TaskGroup() as group:
        group.create_task(visit())
        await until(up.is_set)
        heard, relay.silent = relay.heard, True
        leave.set()
        await until(lambda: relay.heard > heard)
        relay.cut()
        relay.silent = False
    await until(lambda: shared.held == 0, seconds=2)


async def test_a_session_that_is_gone_is_replaced(forgetful: Service) -> None:
    """A new session starts the stream again, with its last prompt and from its last picture."""
    told = Told()
    teal = (20, 120, 130)
    async with Relay.to(forgetful.url) as relay, told.open(relay.url) as client:
        stream = await client.start(
            "a wall", orientation="portrait", image=Image.new("RGB", (9, 16), teal)
        )
        await stream.interact("a wall at night")
        await until(lambda: len(told.pictures) > 3)
        (old,) = forgetful.sessions()
        relay.down = True
        relay.cut()
        await until(lambda: forgetful.held == 0, seconds=5)
        relay.down = False
        await until(lambda: client.history == REPAIRED)
        (new,) = forgetful.sessions()
        assert new["session_id"] == client.session_id != old["session_id"]
        assert told.streams()[-3:] == [
            (1, "none", "connection_lost"),
            (2, "starting", "a wall at night"),
            (2, "streaming", "a wall at night"),
        ]
        assert told.said("connected")[-1].startswith("a new session after ")
        await until(lambda: told.pictures[-1].stream == 2)
        first = next(each for each in told.pictures if each.stream == 2)
        frame = Decoder().decode(first.data).to_ndarray(format="rgb24")
        assert frame.shape == (1280, 704, 3)
        assert read(frame)[1] == prompt_hash("a wall at night")
        assert abs(np.median(frame[400:], axis=(0, 1)) - teal).max() < 25
        assert await client.interact("a wall in fog") == "a wall in fog"
    await until(lambda: forgetful.held == 0, seconds=2)


async def test_pictures_that_stop_are_noticed(shared: Service) -> None:
    """A short stall passes and is told; one that lasts costs the session, and waiters are told."""
    told = Told()
    await until(lambda: len(streamers(shared.pid)) == 1, seconds=30)
    async with told.open(shared.url, Patience(stall=2, stalled=6, renew=40)) as client:
        await client.start("a sea")
        await until(lambda: told.pictures)
        serving, old = streamers(shared.pid)[0], client.session_id
        serving.suspend()
        await until(lambda: client.status == "reconnecting")
        serving.resume()
        await until(lambda: client.status == "connected")
        assert client.session_id == old
        assert told.said("reconnecting")[0].startswith("no picture for ")
        serving.suspend()
        waiting = asyncio.create_task(client.interact("never answered", timeout=60))
        with pytest.raises(errors.ConnectionLostError, match="no picture came"):
            await waiting
        with pytest.raises(errors.ConnectionLostError, match="being repaired"):
            await client.interact("too early")
        await until(lambda: told.pictures[-1].stream == 2, seconds=40)
        await until(lambda: client.status == "connected", seconds=40)
        assert [each["session_id"] for each in shared.sessions()] == [client.session_id]
        assert client.session_id != old
    await until(lambda: shared.held == 0, seconds=5)


async def test_who_was_ended_while_it_is_repaired_does_not_come_back(shared: Service) -> None:
    """A session that was released from outside before its socket was open again stays over."""
    told, who = Told(), ""
    async with Relay.to(shared.url) as relay, told.open(relay.url, ended_by=lambda: who) as client:
        await client.start("a sea")
        relay.down = True
        relay.cut()
        await until(lambda: client.status == "reconnecting")
        async with Control.open(shared.url, API_KEY) as control:
            assert await release(control, client.session_id, shared.url)
        who = "another notebook"
        relay.down = False
        async with asyncio.timeout(10):
            error = await client.lost
        assert isinstance(error, errors.EndedOutsideError)
        with pytest.raises(errors.ConnectionLostError):
            await client.start("once more")
    assert client.history == GIVEN_UP
    assert shared.held == 0


async def test_what_cannot_be_repaired_is_given_up(tmp_path: Path) -> None:
    """Where the service stays away the client says so in time, and nobody waits for ever."""
    told = Told()
    with running(tmp_path) as service:
        async with told.open(service.url, Patience(resume=0.5, renew=0.5)) as client:
            await client.start("a sea")
            serving = streamers(service.pid)[0]
            serving.suspend()
            try:
                waiting = asyncio.create_task(client.interact("never answered", timeout=30))
                await asyncio.sleep(0)
                service.process.kill()
                async with asyncio.timeout(10):
                    assert isinstance(await client.lost, errors.ConnectionLostError)
                    with pytest.raises(errors.ConnectionLostError):
                        await waiting
            finally:
                serving.kill()
    assert client.history == GIVEN_UP
    assert told.streams()[-1] == (1, "none", "connection_lost")


def test_a_session_whose_video_does_not_come_up_is_left_for_another() -> None:
    """A way for media that is found again serves the next attempt; the first would wait on."""
    loop, world = SimulatedLoop(), World()
    told = Told()

    async def story() -> None:
        async with told.open("http://simulated", network=world.network()) as client:
            world.media_pass = False
            world.fail_peers()
            await asyncio.sleep(5)
            assert client.status == "reconnecting"
            world.media_pass = True
            await asyncio.sleep(12)
            assert client.history == REPAIRED

    loop.run_until_complete(story())
    loop.close()
    assert world.requests == 3
    assert not world.held


async def test_leaving_while_it_is_repaired(shared: Service) -> None:
    """Leaving does not wait for the repair, and frees what is held."""
    told = Told()
    async with Relay.to(shared.url) as relay:
        async with told.open(relay.url) as client:
            await client.start("a sea")
            relay.cut()
            await until(lambda: client.status != "connected")
        assert client.history[-1] == "disconnected"
    await until(lambda: shared.held == 0, seconds=2)


def test_what_breaks_in_one_moment_is_one_loss() -> None:
    """Of several, one counts that was meant."""
    accident = SessionLostError(errors.ConnectionLostError("an accident"))
    meant = SessionLostError(errors.ConnectionLostError("meant"), final=True)
    group = BaseExceptionGroup("", [accident, BaseExceptionGroup("", [meant, accident])])
    assert worst(group) is meant
    assert worst(BaseExceptionGroup("", [accident, accident])) is accident
