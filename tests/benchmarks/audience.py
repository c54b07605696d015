"""A process full of spectators that decode nothing: ``python -m tests.benchmarks.audience``.

Takes the broadcast's address, its token and how many watch; prints how many pictures per second
each got while a line on standard input said to count, fewest first.
"""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import AsyncExitStack

import aiohttp

from tests.service.raw_spectator import RawSpectator


class Counter(RawSpectator):
    """A spectator that only counts."""

    got = 0

    def _take(self, data: bytes, timestamp: int, *, lost: bool) -> None:
        del data, timestamp, lost
        self.got += 1


async def watch(url: str, token: str, number: int) -> None:
    """Let `number` of them watch until standard input has said begin and end."""
    loop = asyncio.get_running_loop()
    async with aiohttp.ClientSession() as http, AsyncExitStack() as stack:
        counters = [
            await stack.enter_async_context(Counter.watching(http, url, token))
            for _ in range(number)
        ]
        async with asyncio.timeout(60):
            while not all(each.got for each in counters):
                await asyncio.sleep(0.1)
        print("watching", flush=True)
        await loop.run_in_executor(None, sys.stdin.readline)
        before, began = [each.got for each in counters], time.monotonic()
        await loop.run_in_executor(None, sys.stdin.readline)
        lasted = time.monotonic() - began
        rates = sorted(
            (each.got - old) / lasted for each, old in zip(counters, before, strict=True)
        )
        print(" ".join(f"{rate:.2f}" for rate in rates), flush=True)


if __name__ == "__main__":
    asyncio.run(watch(sys.argv[1], sys.argv[2], int(sys.argv[3])))
