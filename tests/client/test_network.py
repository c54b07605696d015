"""The client over networks that lose, delay, reorder and block what they carry."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import pytest

from odyssey_nb.client.client import AsyncClient
from odyssey_nb.client.retry import Patience
from odyssey_nb.media.h264 import BITRATE
from tests.conftest import API_KEY
from tests.network import Conditions, Network
from tests.service.raw_client import until
from tests.service.running import running

if TYPE_CHECKING:
    from pathlib import Path

    from odyssey_nb.wire.link import Picture
    from tests.conftest import Service

PATIENT = Patience(stall=20)  # a machine under load may itself make pictures wait


@pytest.mark.parametrize(
    "conditions",
    [
        pytest.param({"loss": 0.05}, id="5 % lost"),
        pytest.param({"delay": 0.1}, id="200 ms there and back"),
        pytest.param({"jitter": 0.03}, id="reordered"),
        pytest.param({"rate": 1e6}, id="1 Mbit/s"),
    ],
)
async def test_pictures_and_prompts_get_through(
    shared: Service, conditions: dict[str, Any]
) -> None:
    """Pictures that can be decoded keep coming, and prompts are acknowledged."""
    pictures: list[Picture] = []
    async with (
        Network.to(shared.url) as network,
        AsyncClient.open(
            network.url, API_KEY, on_picture=pictures.append, patience=PATIENT
        ) as client,
    ):
        vars(network.datagrams).update(conditions)
        async with client.stream("a forest") as stream:
            await until(lambda: pictures)
            assert await stream.interact("at night") == "at night"
            begun = pictures[-1].time
            await until(lambda: pictures[-1].time > begun + 2, seconds=30)
            assert await stream.interact("in fog") == "in fog"
        vars(network.datagrams).update(vars(Conditions()))
    assert client.history == ["authenticating", "connecting", "connected", "disconnected"]
    followed = {(each.stream, each.seq) for each in pictures}
    assert all(each.key or (each.stream, each.follows) in followed for each in pictures)
    await until(lambda: shared.held == 0, seconds=5)


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    ("conditions", "bitrate"),
    [
        pytest.param({"rate": 1e6}, 1.3e6, id="1 Mbit/s"),
        pytest.param({"loss": 0.2}, 1.5e6, id="20 % lost"),
    ],
)
async def test_bitrate_follows_the_line(
    tmp_path: Path, conditions: dict[str, Any], bitrate: float
) -> None:
    """A line that takes less is given less, so that pictures keep coming; then all is as before."""
    pictures: list[Picture] = []
    with running(tmp_path, world="landscape") as service:

        async def goes(below: float = 2 * BITRATE, above: float = 0) -> None:
            async with asyncio.timeout(60):
                while not above < (await asyncio.to_thread(encoded_for, service)) < below:
                    await asyncio.sleep(0.2)

        async with (
            Network.to(service.url) as network,
            AsyncClient.open(
                network.url, API_KEY, on_picture=pictures.append, patience=PATIENT
            ) as client,
            client.stream("a storm over the sea at night"),
        ):
            await goes(above=BITRATE - 1)
            await until(lambda: pictures, seconds=20)
            vars(network.datagrams).update(conditions)
            await goes(below=bitrate)
            settled = pictures[-1]
            await until(lambda: pictures[-1].time > settled.time + 8, seconds=60)
            came = [each for each in pictures if each.time > settled.time]
            vars(network.datagrams).update(vars(Conditions()))
            await goes(above=BITRATE - 1)
    # At most 20 a second are made, on a machine under load fewer.
    assert len(came) > 5 * (came[-1].time - settled.time)
    assert client.history == ["authenticating", "connecting", "connected", "disconnected"]


def encoded_for(service: Service) -> float:
    """Return the bitrate of all streams of a service."""
    with urlopen(service.url + "/metrics", timeout=5) as response:
        (found,) = re.findall(r"^odyssey_stream_bitrate (\S+)$", response.read().decode(), re.M)
    return float(found)


async def test_a_short_cut_passes(shared: Service) -> None:
    """Nothing gets through for three seconds: it is noticed, and then everything goes on."""
    pictures: list[Picture] = []
    async with (
        Network.to(shared.url) as network,
        AsyncClient.open(
            network.url, API_KEY, on_picture=pictures.append, patience=Patience(stall=1)
        ) as client,
        client.stream("a forest") as stream,
    ):
        await until(lambda: pictures)
        session = client.session_id
        network.cut(breaks=False)
        loop = asyncio.get_running_loop()
        began = loop.time()
        await until(lambda: client.status == "reconnecting")
        await until(lambda: loop.time() >= began + 3)
        network.mend()
        count = len(pictures)
        await until(lambda: client.status == "connected", seconds=20)
        await until(lambda: len(pictures) > count + 3)
        assert await stream.interact("at night") == "at night"
        assert [each["session_id"] for each in shared.sessions()] == [session]
        assert {each.stream for each in pictures} == {1}
    assert client.history[2:] == ["connected", "reconnecting", "connected", "disconnected"]
