"""The spectator against a whole service: what it sees, and what it is told if it may not look."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from odyssey_nb import errors
from odyssey_nb.client.client import AsyncClient
from odyssey_nb.client.spectator import Spectator
from odyssey_nb.media.h264 import Decoder
from tests.conftest import API_KEY
from tests.service.raw_client import until
from tests.service.running import running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from odyssey_nb.wire.link import Picture
    from odyssey_nb.wire.stream import BroadcastReady
    from tests.conftest import Service


@asynccontextmanager
async def broadcast(service: Service) -> AsyncIterator[tuple[AsyncClient, BroadcastReady]]:
    """Stream to the world; yields the owner and where it is to be seen."""
    async with AsyncClient.open(service.url, API_KEY) as owner:
        stream = await owner.start("a red house", broadcast=True)
        yield owner, await stream.broadcast()


async def test_a_spectator_sees_what_the_owner_sees(shared: Service) -> None:
    """Its pictures decode from the first on, and are the owner's to the byte."""
    owned: list[bytes] = []
    seen: list[Picture] = []
    before = asyncio.all_tasks()
    async with AsyncClient.open(
        shared.url, API_KEY, on_picture=lambda picture: owned.append(picture.data)
    ) as owner:
        stream = await owner.start("a red house", broadcast=True)
        ready = await stream.broadcast()
        async with Spectator.open(ready.webrtc_url, ready.spectator_token, on_picture=seen.append):
            await until(lambda: len(seen) >= 10)
    assert seen[0].key
    assert [each.seq for each in seen] == list(range(1, len(seen) + 1))
    decoder = Decoder()
    assert all(decoder.decode(each.data) is not None for each in seen)
    await until(lambda: {each.data for each in seen} <= set(owned))
    await until(lambda: asyncio.all_tasks() <= before, seconds=2)


async def test_the_end_of_the_stream_ends_the_watching(shared: Service) -> None:
    """A spectator hears that the broadcast is over, and joining again is refused."""
    async with broadcast(shared) as (owner, ready):
        url, token = ready.webrtc_url, ready.spectator_token
        async with Spectator.open(url, token) as spectator:
            await owner.end()
            async with asyncio.timeout(5):
                await spectator.lost.wait()
        with pytest.raises(errors.BroadcastEndedError, match="not any more"):
            async with Spectator.open(url, token):
                pass


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda url, token: (url, token + "x"), errors.SpectatorTokenError),
        (lambda url, token: (url + "x", token), errors.BroadcastEndedError),
        (lambda _, token: ("http://127.0.0.1:9/live/x", token), errors.ConnectError),
        (lambda _, token: ("ftp://127.0.0.1/live/x", token), errors.UsageError),
        (lambda _, token: ("http://[", token), errors.UsageError),
    ],
)
async def test_refusals(shared: Service, change, error) -> None:
    """Each refusal is an error of its own, in one line with the remedy and without the token."""
    async with broadcast(shared) as (_, ready):
        url, token = change(ready.webrtc_url, ready.spectator_token)
        with pytest.raises(error) as raised:
            async with Spectator.open(url, token):
                pass
    text = raised.value.one_line()
    assert raised.value.hint
    assert "\n" not in text
    assert token not in text
    assert raised.value.__cause__ is None


async def test_a_full_broadcast(tmp_path: Path) -> None:
    """One more than may watch is told so, and may come as soon as somebody has taken leave."""
    with running(tmp_path, "--limit", "spectators=1") as service:
        async with broadcast(service) as (_, ready):
            url, token = ready.webrtc_url, ready.spectator_token
            async with Spectator.open(url, token):
                with pytest.raises(errors.BroadcastFullError):
                    async with Spectator.open(url, token):
                        pass
            async with Spectator.open(url, token) as spectator:
                assert not spectator.lost.is_set()


async def test_joining_that_is_called_off(shared: Service) -> None:
    """Cancelled at any moment of joining, a spectator leaves no task and nobody behind."""
    async with broadcast(shared) as (_, ready):
        before = asyncio.all_tasks()
        for moment in range(12):
            joining = asyncio.ensure_future(
                _stay(ready.webrtc_url, ready.spectator_token), loop=asyncio.get_running_loop()
            )
            await asyncio.wait([joining], timeout=moment * 0.02)
            joining.cancel()
            with pytest.raises(asyncio.CancelledError):
                await joining
        await until(lambda: asyncio.all_tasks() <= before, seconds=3)


async def _stay(url: str, token: str) -> None:
    async with Spectator.open(url, token):
        await asyncio.Event().wait()


async def test_a_service_that_is_silent() -> None:
    """Joining has a deadline, and leaves nothing behind when that has passed."""
    before = asyncio.all_tasks()
    with socket.create_server(("127.0.0.1", 0)) as server:  # nobody accepts
        url = f"http://127.0.0.1:{server.getsockname()[1]}/live/x"
        with pytest.raises(errors.ConnectError, match="within"):
            async with Spectator.open(url, "token", timeout=0.5):
                pass
    await until(lambda: asyncio.all_tasks() <= before, seconds=3)


async def test_asking_for_a_broadcast_that_is_none(shared: Service) -> None:
    """A stream that was started without one says so; one that ended says that."""
    async with AsyncClient.open(shared.url, API_KEY) as owner:
        stream = await owner.start("a red house")
        with pytest.raises(errors.UsageError, match="not broadcast"):
            await stream.broadcast()
        await owner.end()
        with pytest.raises(errors.NoStreamError):
            await stream.broadcast()
