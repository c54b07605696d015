"""What a streamer costs: world, encoder and WebRTC together, beside the encoder alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import psutil
import pytest

from odyssey_nb.client.client import AsyncClient
from odyssey_nb.service.worlds.base import PICTURES_PER_SECOND
from odyssey_nb.wire.link import Picture
from tests.benchmarks.encoding import cost_alone
from tests.benchmarks.report import Report
from tests.conftest import Service

pytestmark = pytest.mark.benchmark

PICTURES = 200  # ten seconds
PROMPTS = ["a misty forest at dawn", "a storm over the sea at night", "a snowy city at dusk"]


@pytest.mark.parametrize("world", ["test_pattern", "landscape"])
async def test_processor_time_of_a_stream(
    report: Report, serve: Callable[..., Service], world: str
) -> None:
    """Tells the streamer's share of one core at 1280x704 and 20 pictures per second."""
    service = serve(world=world)
    pictures: list[Picture] = []
    async with AsyncClient.open(service.url, service.api_key, on_picture=pictures.append) as client:
        for prompt in PROMPTS:
            async with client.stream(prompt):
                await _until(pictures, 40)
                streamer = _busiest(service)
                before, began = sum(streamer.cpu_times()[:2]), pictures[-1].received
                await _until(pictures, PICTURES)
                spent = sum(streamer.cpu_times()[:2]) - before
                lasted = pictures[-1].received - began
                shown = len(pictures) - 40
                alone = await asyncio.to_thread(cost_alone, world, prompt)
                size = sum(len(each.data) for each in pictures) / len(pictures) / 1024
                report.say(
                    "A streamer: world, encoder and WebRTC",
                    f"{world}, {prompt!r}",
                    f"{spent / lasted:.0%} of a core, "
                    f"{1000 * spent / shown:.1f} ms and {size:.0f} KiB per picture, "
                    f"{shown / lasted:.1f} pictures per second: "
                    f"{lasted / spent:.1f} streams per core, "
                    f"of at most {1000 / PICTURES_PER_SECOND / alone:.1f} by the encoder alone "
                    f"({alone:.1f} ms)",
                )
            pictures.clear()


async def _until(pictures: list[Picture], count: int) -> None:
    async with asyncio.timeout(60):
        while len(pictures) < count:
            await asyncio.sleep(0.05)


def _busiest(service: Service) -> psutil.Process:
    """The streamer that streams; the other one waits warm."""
    children = psutil.Process(service.pid).children()
    return max(children, key=lambda each: sum(each.cpu_times()[:2]))
