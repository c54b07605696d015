"""A network that is away for longer, and bad ones, as long as they take."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import pytest

from odyssey_nb import errors
from odyssey_nb.client.client import AsyncClient
from tests.conftest import API_KEY
from tests.network import Network
from tests.service.raw_client import until

if TYPE_CHECKING:
    from odyssey_nb.wire.link import Picture
    from tests.conftest import Service

log = logging.getLogger(__name__)

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]


async def after(seconds: float) -> None:
    """Wait, which is what the network is made to do."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    await until(lambda: loop.time() >= end, seconds=seconds + 10)


@pytest.mark.parametrize("breaks", [False, True], ids=["silent", "broken"])
async def test_twenty_seconds(shared: Service, breaks: bool) -> None:
    """The same session goes on, over a socket that a fresh token opened where it broke."""
    pictures: list[Picture] = []
    async with (
        Network.to(shared.url) as network,
        AsyncClient.open(network.url, API_KEY, on_picture=pictures.append) as client,
        client.stream("a forest") as stream,
    ):
        await until(lambda: pictures)
        session, tokens = client.session_id, network.streams.count(b"POST /sessions/token")
        network.cut(breaks=breaks)
        await after(20)
        assert client.status == "reconnecting"
        network.mend()
        count = len(pictures)
        await until(lambda: client.status == "connected", seconds=30)
        await until(lambda: len(pictures) > count + 3)
        assert await stream.interact("at night") == "at night"
        assert [each["session_id"] for each in shared.sessions()] == [session]
        assert client.session_id == session
        if breaks:
            assert network.streams.count(b"POST /sessions/token") > tokens
    assert client.history[2:] == ["connected", "reconnecting", "connected", "disconnected"]
    assert {each.stream for each in pictures} == {1}


@pytest.mark.parametrize("breaks", [False, True], ids=["silent", "broken"])
async def test_for_good(shared: Service, breaks: bool) -> None:
    """Both sides give up, the service by its clock of 40 s and its sweep of 10 s."""
    async with Network.to(shared.url) as network, AsyncClient.open(network.url, API_KEY) as client:
        await client.start("a forest")
        loop = asyncio.get_running_loop()
        began = loop.time()
        network.cut(breaks=breaks)
        waiting = asyncio.create_task(client.interact("unheard", timeout=300))
        async with asyncio.timeout(120):
            error = await client.lost
        assert isinstance(error, errors.ConnectionLostError)
        with pytest.raises(errors.ConnectionLostError):
            await waiting
        log.info("the client gave up after %.1f s", loop.time() - began)
        await until(lambda: shared.held == 0, seconds=70)
        log.info("the service gave up after %.1f s", loop.time() - began)
    assert client.history[2:] == ["connected", "reconnecting", "failed", "disconnected"]


async def test_one_in_five_lost(shared: Service) -> None:
    """Pictures keep coming, if not all of them, and prompts get through."""
    pictures: list[Picture] = []
    async with (
        Network.to(shared.url) as network,
        AsyncClient.open(network.url, API_KEY, on_picture=pictures.append) as client,
    ):
        stream = await client.start("a forest")
        network.datagrams.loss = 0.2
        assert await stream.interact("at night", timeout=60) == "at night"
        begun = pictures[-1].time
        await until(lambda: pictures[-1].time > begun + 20, seconds=120)
        network.datagrams.loss = 0
        shown = [each for each in pictures if begun < each.time <= begun + 20]
        log.info("%d of 400 pictures could be shown", len(shown))
    assert shared.held == 0
