"""Streams that start from an image, as a client without any of our code asks for them."""

from __future__ import annotations

import asyncio
import base64
import io
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
import pytest
import pytest_asyncio
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from odyssey_nb.errors import ImageError
from odyssey_nb.service.image import unpack
from odyssey_nb.wire.stream import LARGEST_IMAGE
from tests.conftest import API_KEY
from tests.service.raw_client import RawClient
from tests.service.running import streamers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.conftest import Service

pytestmark = pytest.mark.asyncio(loop_scope="module")

RED, BLUE = (200, 30, 40), (30, 40, 200)
LARGE_SECONDS = 8.0  # for the largest image, through socket and control plane to the first picture
MEMORY = 400 * 2**20  # bytes: what both processes may gain when the largest image comes five times


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(shared: Service) -> AsyncIterator[RawClient]:
    """One connected client for the module; each test leaves it without a stream."""
    async with RawClient.connected(shared.url, API_KEY) as client:
        yield client


def file(kind: str = "PNG", size: tuple[int, int] = (640, 352), *, padding: int = 0) -> bytes:
    """Return an image whose left half is red and whose right half is blue."""
    image = Image.new("RGB", size, RED)
    image.paste(BLUE, (size[0] // 2, 0, *size))
    target = io.BytesIO()
    image.save(target, kind)
    return target.getvalue() + bytes(padding)


def url(data: bytes, label: str = "image/png") -> str:
    """Return `data` as a data URL."""
    return f"data:{label};base64,{base64.b64encode(data).decode()}"


async def start(client: RawClient, image: str, *, portrait: bool = False) -> dict[str, Any]:
    """Start from `image` over the WebSocket, and return the answer."""
    await client.post(
        {"type": "interactive_stream_start", "prompt": "halves", "portrait": portrait,
         "input_image_base64": image}
    )  # fmt: skip
    return await client.hear()


async def shows_halves(client: RawClient, size: tuple[int, int]) -> bool:
    """Return whether pictures of that size soon show red to the left and blue to the right."""
    width, height = size
    for _ in range(100):
        frame = await client.picture()
        if (frame.width, frame.height) == size:
            picture = frame.to_ndarray(format="rgb24").astype(int)
            left, right = picture[height // 3, width // 5], picture[height // 3, -width // 5]
            if np.abs(left - RED).max() < 25 and np.abs(right - BLUE).max() < 25:
                return True
    return False


@pytest.mark.parametrize("portrait", [False, True])
async def test_first_pictures_show_the_image(client: RawClient, portrait: bool) -> None:
    """The stream begins with the image, scaled to its size, in both orientations."""
    started = await start(client, url(file("WEBP"), "image/jpeg"), portrait=portrait)
    assert (started["type"], started["applied_prompt"]) == ("stream_started", "halves")
    assert await shows_halves(client, (704, 1280) if portrait else (1280, 704))
    assert await client.end() == {"type": "stream_ended"}


@pytest.mark.parametrize(
    ("image", "words"),
    [
        ("no url", "no base64 data URL"),
        ("data:image/png;base64,@@@@", "no valid base64"),
        ("data:image/png;base64,", "empty"),
        (url(b"this is text", "image/png"), "no image that can be read here (JPEG, PNG"),
        (url(file("JPEG")[:900]), "damaged or cut off"),
        (url(file("BMP", padding=LARGEST_IMAGE)), "more than 25 MiB"),
    ],
    ids=["no URL", "no base64", "empty", "text", "cut off", "too large"],
)
async def test_refusals(client: RawClient, image: str, words: str) -> None:
    """What cannot be shown is refused in words, and the connection stays usable."""
    refused = await start(client, image)
    assert (refused["type"], refused["reason"]) == ("interactive_stream_error", "invalid_image")
    assert words in refused["message"]
    assert (await client.start("still there"))["type"] == "stream_started"
    assert await client.end() == {"type": "stream_ended"}


async def test_the_largest_images(shared: Service, client: RawClient) -> None:
    """25 MiB come through in time; several that come together do not pile up in memory."""
    data = file("BMP")
    largest = url(data + bytes(LARGEST_IMAGE - len(data)))
    async with asyncio.timeout(LARGE_SECONDS):
        assert (await start(client, largest))["type"] == "stream_started"
        assert await shows_halves(client, (1280, 704))

    processes = [psutil.Process(shared.pid), *streamers(shared.pid)]
    before = sum(each.memory_info().rss for each in processes)
    for _ in range(5):
        assert (await start(client, largest))["reason"] == "stream_already_active"
    assert sum(each.memory_info().rss for each in processes) - before < MEMORY
    assert await client.end() == {"type": "stream_ended"}


@given(st.text())
@example("data:image/png;base64,AAAA\n")
@example("data:;base64,====")
@example("data:" + "x" * 300 + ";base64,AAAA")
async def test_any_text_is_unpacked_or_refused(text: str) -> None:
    """No text makes the parser raise anything else."""
    for each in (text, f"data:{text};base64,AAAA", f"data:image/png;base64,{text}"):
        with suppress(ImageError):
            assert unpack(each)


@given(st.binary(min_size=1))
async def test_bytes_come_back(data: bytes) -> None:
    """What was packed is unpacked, whatever label it has."""
    for label in ("image/png", "", "IMAGE/heic;name=a"):
        assert unpack(url(data, label)) == data
