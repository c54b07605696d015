"""What a spectator costs: the same packets for all, beside an encoder for each."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psutil
import pytest

from tests.benchmarks.report import Report
from tests.conftest import Serve
from tests.service.raw_client import RawClient
from tests.service.running import streamers

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(300)]

SPECTATORS = 50
ENCODED = 3  # viewers of the peer, for which fifty would be far too many
SECONDS = 10.0


@asynccontextmanager
async def audience(url: str, token: str, number: int) -> AsyncIterator[asyncio.subprocess.Process]:
    """Let so many watch from a process of their own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.benchmarks.audience", url, token, str(number),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        async with asyncio.timeout(90):
            assert await process.stdout.readline() == b"watching\n"
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@asynccontextmanager
async def encoder_for_each() -> AsyncIterator[tuple[psutil.Process, str]]:
    """Serve each viewer with an encoder of its own; yield the process and its address."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.benchmarks.encoder_each", stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(30):
            port = int(await process.stdout.readline())
        yield psutil.Process(process.pid), f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        await process.wait()


async def share(process: psutil.Process) -> float:
    """Return the part of a core that `process` takes, over some seconds."""
    before = sum(process.cpu_times()[:2])
    await asyncio.sleep(SECONDS)
    return (sum(process.cpu_times()[:2]) - before) / SECONDS


async def cost(process: psutil.Process, url: str, token: str, number: int) -> tuple[float, float]:
    """Return the part of a core that each of so many adds to `process`, and the lowest rate."""
    alone = await share(process)
    async with audience(url, token, number) as watching:
        assert watching.stdin is not None
        assert watching.stdout is not None
        watching.stdin.write(b"\n")
        watched = await share(process)
        watching.stdin.write(b"\n")
        rates = [float(each) for each in (await watching.stdout.readline()).split()]
    return (watched - alone) / number, rates[0]


async def test_spectators(report: Report, serve: Serve) -> None:
    """Tells what each of fifty adds to the streamer, and what an encoder for each would.

    They watch a sea at 3 Mbit/s; the encoders have it easier, with a pattern that hardly moves.
    """
    service = serve(world="landscape")
    async with RawClient.connected(service.url, service.api_key) as owner:
        await owner.start("a stormy sea at sunset", broadcast=True)
        ready = await owner.hear()
        streamer = max(streamers(service.pid), key=lambda each: sum(each.cpu_times()[:2]))
        url, token = ready["webrtc_url"], ready["spectator_token"]
        each, rate = await cost(streamer, url, token, SPECTATORS)
    async with encoder_for_each() as (process, url):
        encoded, encoded_rate = await cost(process, url, "", ENCODED)
    section = "A broadcast's spectators"
    report.say(
        section,
        f"{SPECTATORS} spectators, the same packets for all",
        f"{each:.2%} of a core each, at {rate:.1f} pictures per second or more",
        met=rate >= 19 and each <= 0.01,
    )
    report.say(
        section,
        f"{ENCODED} viewers with an encoder each, as aiortc does it",
        f"{encoded:.1%} of a core each, {encoded / each:.0f} times as much, at {encoded_rate:.1f}",
    )
