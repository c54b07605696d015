"""Sockets come, go and fall silent, and the service does what section 8.1 of the protocol says."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import aiohttp
import jwt
import pytest

from odyssey_nb.service.worlds.test_pattern import prompt_hash, read
from tests.conftest import API_KEY
from tests.service.raw_client import RawClient, reserve, until
from tests.service.running import OTHER_KEY, running, streamers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from tests.conftest import Service


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that waits a second for whoever is to come, or to come back."""
    with running(
        tmp_path_factory.mktemp("hasty"),
        "--limit", "reservation_seconds=1", "--limit", "negotiation_seconds=1",
        "--limit", "lost_socket_seconds=1",
    ) as service:  # fmt: skip
        yield service


@pytest.fixture(scope="module")
def forgetful(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that waits a second for whoever is to come back, and longer for who comes."""
    options = "--limit", "lost_socket_seconds=1"
    with running(tmp_path_factory.mktemp("forgetful"), *options) as service:
        yield service


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that wants to hear something every second, and a stream within two."""
    with running(
        tmp_path_factory.mktemp("strict"),
        "--limit", "heartbeat_seconds=1", "--limit", "idle_seconds=2",
    ) as service:  # fmt: skip
        yield service


@pytest.fixture(scope="module")
def brief(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service whose streams last a second."""
    with running(tmp_path_factory.mktemp("brief"), "--limit", "stream_seconds=1") as service:
        yield service


@pytest.fixture(scope="module")
def passing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service whose connections last five seconds."""
    with running(tmp_path_factory.mktemp("passing"), "--limit", "connection_seconds=5") as service:
        yield service


@asynccontextmanager
async def keepalives(client: RawClient) -> AsyncIterator[None]:
    """Send a keepalive every fifth of a second, as clients do every ten."""

    async def send() -> None:
        while not client.socket.closed:
            await client.post({"type": "keepalive"})
            await asyncio.sleep(0.2)

    sending = asyncio.create_task(send())
    try:
        yield
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)


async def freed(service: Service, *, seconds: float = 1.0) -> None:
    """Wait until nobody holds a streamer."""
    await until(lambda: service.held == 0, seconds=seconds)


async def test_bad_tokens_are_refused_at_the_upgrade(shared: Service) -> None:
    """No socket is accepted without this session's own good token; refusals are HTTP 4xx."""
    secret = (shared.data_dir / "token.secret").read_text()
    async with aiohttp.ClientSession() as http:
        mine = await reserve(http, shared.url, API_KEY)
        theirs = await reserve(http, shared.url, OTHER_KEY)
        now = int(time.time())
        claims = jwt.decode(mine.session_token, options={"verify_signature": False})
        bad = {
            "none": "",
            "nonsense": "no.token.here",
            "another session's": theirs.session_token,
            "expired": jwt.encode({**claims, "exp": now - 1}, secret),
            "forged": jwt.encode(claims, "not the secret, but as long as one has to be"),
            "for the API": jwt.encode({**claims, "aud": "api"}, secret),
            "for nobody": jwt.encode({**claims, "session_id": ""}, secret),
        }
        origin = mine.grant["signalling_url"]
        urls = {
            what: f"{origin}/client/{mine.session_id}?token={each}" for what, each in bad.items()
        }
        urls["no such session"] = f"{origin}/client/nothing?token={mine.session_token}"
        urls["no token at all"] = f"{origin}/client/{mine.session_id}"
        for what, url in urls.items():
            with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
                await http.ws_connect(url)
            assert 400 <= caught.value.status < 500, what
        assert {each["state"] for each in shared.sessions()} == {"reserved"}
        for reservation in (mine, theirs):
            async with http.ws_connect(reservation.socket_url) as socket:
                await socket.send_json({"type": "client_disconnecting"})
    await freed(shared)


async def test_goodbye_frees_at_once(shared: Service) -> None:
    """client_disconnecting ends the session; its token opens nothing any more."""
    async with RawClient.open(shared.url, API_KEY) as client:
        await client.post({"type": "client_disconnecting"})
        await freed(shared, seconds=0.5)
        while (await client.socket.receive()).type == aiohttp.WSMsgType.TEXT:
            pass
        assert client.socket.close_code == 1000
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await client.http.ws_connect(client.reservation.socket_url)


async def test_normal_close_frees_at_once(shared: Service) -> None:
    """Close code 1000 is a goodbye too, also while a stream runs."""
    async with RawClient.connected(shared.url, API_KEY) as client:
        await client.start("something")
        await client.socket.close(code=1000)
        await freed(shared, seconds=0.5)
    await until(lambda: len(streamers(shared.pid)) == 1, seconds=5)


async def test_leaving_before_the_offer(shared: Service) -> None:
    """Clients that leave before a streamer was even warm leave no process behind."""
    for _ in range(4):
        async with RawClient.open(shared.url, API_KEY):
            pass
    await freed(shared)
    await until(lambda: len(streamers(shared.pid)) == 1, seconds=8)


async def test_lost_socket(hasty: Service) -> None:
    """A socket that is lost without a goodbye keeps its session for a while, and only so long."""
    async with RawClient.open(hasty.url, API_KEY) as client:
        client.lose_socket()
        lost = time.monotonic()
        assert hasty.held == 1
        await freed(hasty, seconds=3)
        assert 0.9 < time.monotonic() - lost < 2
        await client.socket.close()


async def test_lost_peer(forgetful: Service) -> None:
    """A socket that is kept alive after its peer has gone, as the SDKs do, holds no streamer."""
    async with RawClient.connected(forgetful.url, API_KEY) as client, keepalives(client):
        await client.peer.close()
        lost = time.monotonic()
        assert await client.told("error") == {"type": "error", "reason": "streamer_disconnected"}
        assert await client.closed() == 4503
        assert 0.9 < time.monotonic() - lost < 3
    await freed(forgetful)


async def test_client_that_closes_when_told(hasty: Service) -> None:
    """A client that closes by itself when it is told why is not closed with another code."""
    async with RawClient.open(hasty.url, API_KEY) as client:
        await client.told("error")
        await client.disconnect()
        assert client.socket.close_code == 1000
    await freed(hasty)


async def test_reservation_clock(hasty: Service) -> None:
    """A session whose socket is never opened is dropped, and its token with it."""
    async with aiohttp.ClientSession() as http:
        began = time.monotonic()
        reservation = await reserve(http, hasty.url, API_KEY)
        assert hasty.held == 1
        await freed(hasty, seconds=3)
        assert 0.9 < time.monotonic() - began < 2
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await http.ws_connect(reservation.socket_url)


async def test_negotiation_clock(hasty: Service) -> None:
    """A client that never answers the offer is told so, closed with 4503 and freed."""
    async with RawClient.open(hasty.url, API_KEY) as client:
        assert await client.told("error") == {"type": "error", "reason": "streamer_not_available"}
        assert await client.closed() == 4503
    await freed(hasty)


async def test_heartbeat(strict: Service) -> None:
    """A client that says nothing is told so, closed with 4008 and freed."""
    async with RawClient.open(strict.url, API_KEY) as client:
        assert await client.told("error") == {"type": "error", "reason": "heartbeat_timeout"}
        assert await client.closed() == 4008
    await freed(strict)


async def test_idle(strict: Service) -> None:
    """A client that keeps alive but never streams is told so, closed with 4009 and freed."""
    async with RawClient.open(strict.url, API_KEY) as client, keepalives(client):
        began = time.monotonic()
        assert await client.told("error") == {"type": "error", "reason": "idle_timeout"}
        assert await client.closed() == 4009
        assert 1.5 < time.monotonic() - began < 3.5
    await freed(strict)


async def test_stream_limit(brief: Service) -> None:
    """A stream that reaches its limit ends with the reason, and the connection stays usable."""
    async with RawClient.connected(brief.url, API_KEY) as client:
        assert client.reservation.grant["stream_seconds"] == 1
        for prompt in ("the first", "the second"):
            assert (await client.start(prompt))["type"] == "stream_started"
            problem = await client.hear()
            assert problem["type"] == "interactive_stream_error"
            assert problem["reason"] == "session_timeout"
            assert problem["message"]
            assert await client.hear() == {"type": "stream_ended"}
        (mine,) = brief.sessions()
        assert mine["state"] == "connected"
        assert "stream_id" not in mine
    await freed(brief)


async def test_stream_limit_that_closes(tmp_path: Path) -> None:
    """Where that is wanted, the connection goes with the stream that reaches its limit."""
    options = ("--limit", "stream_seconds=1", "--close-on-stream-limit")
    with running(tmp_path, *options) as service:
        async with RawClient.connected(service.url, API_KEY) as client:
            await client.start("for a second")
            assert await client.told() == {"type": "error", "reason": "session_timeout"}
            assert await client.closed() == 4010
            assert (await client.hear())["reason"] == "session_timeout"
            assert await client.hear() == {"type": "stream_ended"}
        await freed(service)


async def test_connection_limit(passing: Service) -> None:
    """A connection that reaches its limit mid-stream ends the stream first, then says why."""
    async with RawClient.connected(passing.url, API_KEY) as client:
        await client.start("without an end")
        assert await client.told() == {"type": "error", "reason": "duration_limit_reached"}
        assert await client.closed() == 4010
        problem = await client.hear()
        assert problem["type"] == "interactive_stream_error"
        assert problem["reason"] == "duration_limit_reached"
        assert await client.hear() == {"type": "stream_ended"}
    await freed(passing)


async def test_second_socket_wins(shared: Service) -> None:
    """A second socket takes the session over without a new offer, and the stream goes on."""
    async with RawClient.connected(shared.url, API_KEY) as client:
        await client.start("going on")
        url = client.reservation.socket_url
        async with client.http.ws_connect(url) as newer:
            assert await client.closed() == 4013
            (mine,) = shared.sessions()
            assert mine["state"] == "connected"
            assert mine["prompt"] == "going on"
            client.send({"type": "update", "prompt": "still going"})
            assert await client.hear() == {"type": "update_acknowledged", "prompt": "still going"}
            await _see(client, "still going")
            await newer.send_json({"type": "interactive_stream_start", "prompt": "no"})
            assert (await client.hear())["reason"] == "stream_already_active"
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(newer.receive(), 0.3)
            await newer.send_json({"type": "client_disconnecting"})
            await freed(shared)


async def test_socket_comes_back(shared: Service) -> None:
    """After a lost socket, the same token resumes the session without a new offer."""
    async with RawClient.connected(shared.url, API_KEY) as client:
        await client.start("before")
        client.lose_socket()
        client.send({"type": "update", "prompt": "between"})
        assert (await client.hear())["prompt"] == "between"
        async with client.http.ws_connect(client.reservation.socket_url) as back:
            await _see(client, "between")
            await back.send_str(json.dumps({"type": "keepalive"}))
            assert await client.end() == {"type": "stream_ended"}
            await back.send_json({"type": "client_disconnecting"})
            frame = await back.receive()
            assert frame.type == aiohttp.WSMsgType.CLOSE, frame
        await freed(shared)


async def test_offer_waits_for_the_socket(shared: Service) -> None:
    """An offer that was made while the socket was away is sent to the one that comes back."""
    async with RawClient.open(shared.url, API_KEY) as first:
        async with RawClient.open(shared.url, API_KEY) as client:
            # The warm streamer is the first client's, so this one's offer takes a moment.
            client.lose_socket()
            await asyncio.sleep(0)
            client.socket = await client.http.ws_connect(client.reservation.socket_url)
            await client.take_offer()
            await client.post({"type": "answer", "sdp": await client.answer()})
            await client.ready()
            assert (await client.start("at last"))["type"] == "stream_started"
        assert (await first.told())["type"] == "offer"
    await freed(shared)


async def _see(client: RawClient, prompt: str) -> None:
    for _ in range(100):
        frame = await client.picture()
        if read(frame.to_ndarray(format="rgb24"))[1] == prompt_hash(prompt):
            return
    raise AssertionError(f"no picture of {prompt!r}")
