"""What pictures as arrays cost, beside aiortc's own way to them, of the same stream."""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys

import pytest

from odyssey_nb.client.client import AsyncClient
from tests.benchmarks.readers import WAYS
from tests.conftest import Serve

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(600)]

ROUNDS = 3


def read(way: str, url: str, token: str) -> dict[str, float]:
    """Read in a process of its own, and return what that says."""
    command = [sys.executable, "-m", "tests.benchmarks.readers", way, url, token]
    done = subprocess.run(command, stdout=subprocess.PIPE, timeout=60, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


async def test_arrays(serve: Serve) -> None:
    """Prints the processor time of each way for a second of the stream; medians of three rounds."""
    service = serve("--limit", "stream_seconds=600", world="landscape")
    said: dict[str, list[dict[str, float]]] = {way: [] for way in ["aiortc", *WAYS]}
    async with AsyncClient.open(service.url, service.api_key) as client:
        stream = await client.start("a stormy sea at sunset", broadcast=True)
        where = await stream.broadcast()
        url, token = where.webrtc_url, where.spectator_token
        for _ in range(ROUNDS):
            for way, rounds in said.items():
                rounds.append(await asyncio.to_thread(read, way, url, token))
    print("\nway                    kernel  sidecar  (ms a second)  arrays a second")
    for way, rounds in said.items():
        kernel, sidecar, arrays = (
            statistics.median(each[what] for each in rounds)
            for what in ("kernel", "sidecar", "arrays")
        )
        print(f"{way:<22} {kernel:6.1f}  {sidecar:7.1f}                 {arrays:5.1f}")
    assert statistics.median(each["arrays"] for each in said["on_frame"]) > 10
