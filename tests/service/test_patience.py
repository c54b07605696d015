"""Whoever sends slowly is cut off in time, and nobody else is."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import aiohttp
import pytest

from tests.conftest import API_KEY, Service
from tests.service.raw_client import RawClient
from tests.service.running import running

pytestmark = pytest.mark.newest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECONDS = 1.5

GET = b"GET /healthz HTTP/1.1\r\nHost: here\r\n\r\n"
POST = b"POST /auth/token HTTP/1.1\r\nHost: here\r\nContent-Length: 100\r\n\r\n{"


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, Path]]:
    """A service that gives a request a second and a half, and where its words are."""
    directory = tmp_path_factory.mktemp("impatient")
    with running(directory, "--limit", f"request_seconds={SECONDS}") as service:
        yield service, directory / "said"


async def cut_off(service: Service, *parts: bytes, then: bytes = b"") -> bytes:
    """Send `parts`, then `then` bit by bit, and return what was answered until the cut."""
    where = urlsplit(service.url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    try:
        for part in parts:
            writer.write(part)
        answered = asyncio.ensure_future(reader.read())
        for byte in then:
            if answered.done():
                break
            writer.write(bytes([byte]))
            await asyncio.wait([answered], timeout=0.1)
        async with asyncio.timeout(20):
            return await answered
    except ConnectionError:
        return b""
    finally:
        writer.transport.abort()


@pytest.mark.parametrize(
    ("sent", "dribbled"),
    [
        ((), b""),
        ((), GET + b"never" * 100),
        ((GET[:-2],), b""),
        ((POST,), b""),
        ((POST,), b" " * 98),
        ((GET, POST), b" " * 98),
    ],
    ids=["silence", "slow head", "half a head", "half a body", "slow body", "second request"],
)
async def test_slow_requests(
    impatient: tuple[Service, Path], sent: tuple[bytes, ...], dribbled: bytes
) -> None:
    """Each is cut off when its time is over, and nothing counts as failed; others are served."""
    service, said = impatient
    began = time.monotonic()
    answer = await cut_off(service, *sent, then=dribbled)
    assert time.monotonic() - began >= SECONDS - 0.1
    assert answer.count(b"200 OK") == sent.count(GET)
    assert service.held == 0
    assert "Traceback" not in said.read_text()


async def test_long_lives(impatient: tuple[Service, Path]) -> None:
    """A kept connection and a WebSocket outlive any request's time."""
    service, _ = impatient
    async with aiohttp.ClientSession() as http, RawClient.connected(service.url, API_KEY) as client:
        began = time.monotonic()
        while time.monotonic() - began < 2 * SECONDS:
            async with http.get(f"{service.url}/healthz") as response:
                assert response.status == 200
            await asyncio.sleep(0.2)
        assert (await client.start("a red house"))["type"] == "stream_started"
