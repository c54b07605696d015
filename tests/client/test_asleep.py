"""A machine that sleeps, or a process that is stopped: what it held counts as lost."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from odyssey_nb.client.asleep import Awake, ticks
from odyssey_nb.client.client import AsyncClient
from odyssey_nb.client.session import Network
from tests.conftest import API_KEY
from tests.service.raw_client import until

if TYPE_CHECKING:
    from tests.conftest import Service


def test_the_clock_runs_with_the_others() -> None:
    """While nothing sleeps it is as fast as the one that does not count sleep."""
    before, monotonic = ticks(), time.monotonic()
    while time.monotonic() < monotonic + 0.05:
        pass
    assert abs((ticks() - before) - (time.monotonic() - monotonic)) < 0.02


def test_a_gap_is_told_once() -> None:
    """Short gaps are none, a long one is told with its length, and then it is over."""
    now = 0.0
    awake = Awake(30, lambda: now)
    for step, gap in ((29, 0), (31, 31), (0, 0), (1, 0), (100, 100)):
        now += step
        assert awake.slept() == gap


async def test_who_slept_is_not_reconnected(shared: Service) -> None:
    """After a jump of the clock the session counts as lost, the user is told, and it is freed."""
    jump = 0.0
    network = Network(clock=lambda: ticks() + jump)
    async with AsyncClient.open(shared.url, API_KEY, network=network) as client:
        await client.start("a forest")
        jump = 3600
        async with asyncio.timeout(10):
            error = await client.lost
        assert "nothing ran here for 360" in str(error)
    assert client.history == ["authenticating", "connecting", "connected", "failed", "disconnected"]
    await until(lambda: shared.held == 0, seconds=5)


STOPPED = """
import asyncio, os, signal, sys
from odyssey_nb.client.client import AsyncClient
from odyssey_nb.client.retry import Patience

async def main():
    patience = Patience(asleep=2)
    async with AsyncClient.open(sys.argv[1], sys.argv[2], patience=patience) as client:
        await client.start("a forest")
        os.kill(os.getpid(), signal.SIGSTOP)
        print(await client.lost, client.history, flush=True)

asyncio.run(main())
"""


async def test_a_stopped_process_notices(shared: Service) -> None:
    """Stopped by a signal and let go on, it frees its session instead of going on with it."""
    process = subprocess.Popen(
        [sys.executable, "-c", STOPPED, shared.url, API_KEY], stdout=subprocess.PIPE
    )
    try:
        await asyncio.to_thread(os.waitid, os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
        loop = asyncio.get_running_loop()
        until_then = loop.time() + 3
        await until(lambda: loop.time() >= until_then)
        process.send_signal(signal.SIGCONT)
        said, _ = await asyncio.to_thread(process.communicate, timeout=30)
        assert b"nothing ran here for" in said
        assert b"'connected', 'failed'" in said
    finally:
        process.kill()
        process.wait()
    await until(lambda: shared.held == 0, seconds=5)
