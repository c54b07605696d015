"""Streamer processes: one is always warm, and none outlives its purpose."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from odyssey_nb.concurrency import Crew
from odyssey_nb.service.pool import StreamerPool
from tests.conftest import API_KEY, wait_until
from tests.service.raw_client import RawClient, until
from tests.service.running import run_to_end, running, streamers

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Service


async def warm(service: Service, count: int = 1) -> list[int]:
    """Wait until there are just so many streamer processes, and return them, oldest first."""
    await until(lambda: len(pids(service)) == count)
    return pids(service)


def pids(service: Service) -> list[int]:
    """Return the service's streamer processes, oldest first."""
    return [process.pid for process in streamers(service.pid)]


def lives(process: psutil.Process) -> bool:
    """Whether a process still runs; one that nobody collected does not."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def test_warm_streamer_is_taken_and_the_next_warms(shared: Service) -> None:
    """A session gets the process that waited, which ends with it; another one waits meanwhile."""
    (waiting,) = await warm(shared)
    async with RawClient.connected(shared.url, API_KEY) as client:
        serving, next_one = await warm(shared, 2)
        assert serving == waiting
        await client.start("something")
    await until(lambda: serving not in pids(shared), seconds=3)
    assert await warm(shared) == [next_one]


async def test_killed_mid_stream(shared: Service) -> None:
    """When its streamer is killed, a client is told and closed with 4503, and the pool is whole."""
    await warm(shared)
    async with RawClient.connected(shared.url, API_KEY) as client:
        serving, _ = await warm(shared, 2)
        await client.start("doomed")
        os.kill(serving, signal.SIGKILL)
        assert await client.told() == {"type": "error", "reason": "streamer_disconnected"}
        assert await client.closed() == 4503
        await until(lambda: shared.held == 0, seconds=1)
    async with RawClient.connected(shared.url, API_KEY) as client:
        assert (await client.start("alive again"))["type"] == "stream_started"


async def test_killed_while_waiting(shared: Service) -> None:
    """When the warm streamer is killed, the next session gets another one."""
    (waiting,) = await warm(shared)
    os.kill(waiting, signal.SIGKILL)
    await until(lambda: not streamers(shared.pid))
    async with RawClient.connected(shared.url, API_KEY) as client:
        assert (await client.start("alive again"))["type"] == "stream_started"


async def test_start_before_the_streamer_is_warm(tmp_path: Path) -> None:
    """What a client says before its streamer is there reaches it once it is."""
    place = tmp_path / "place"
    place.mkdir()
    with running(place) as service:
        async with RawClient.open(service.url, API_KEY) as client:
            await client.post({"type": "interactive_stream_start", "prompt": "very early"})
            await client.take_offer()
            await client.post({"type": "answer", "sdp": await client.answer()})
            await client.ready()
            assert (await client.hear())["type"] == "stream_started"


async def test_take_that_is_given_up() -> None:
    """A streamer that nobody waits for any more when it is warm is ended, not forgotten."""
    async with StreamerPool.open() as pool:
        taking = asyncio.create_task(pool.take())
        await until(lambda: len(streamers(os.getpid())) == 2)
        taking.cancel()
        await asyncio.wait([taking])
        await pool.warm()
        await until(lambda: len(streamers(os.getpid())) == 1)
    assert streamers(os.getpid()) == []


async def test_pool_ends_what_it_started() -> None:
    """Whatever was taken, given back or is still starting, nothing is left when the pool closes."""
    async with StreamerPool.open() as pool:
        crew = Crew()
        taking = [crew.start(pool.take()) for _ in range(2)]
        given_back = await taking[0]
        pool.give_back(given_back)
        await until(lambda: not given_back.alive)
        await (await taking[1]).close()
    assert streamers(os.getpid()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_stopped_service(tmp_path: Path, number: int) -> None:
    """Stopped by a signal mid-stream, the service ends its streamers and itself, with status 0."""
    place = tmp_path / "place"
    place.mkdir()
    with running(place) as service:
        async with RawClient.connected(service.url, API_KEY) as client:
            await client.start("something")
            processes = streamers(service.pid)
            assert len(processes) == 2
            began = time.monotonic()
            service.process.send_signal(number)
            assert await asyncio.to_thread(service.process.wait, 5) == 0
            left = 5 - (time.monotonic() - began)
            await until(lambda: not any(map(lives, processes)), seconds=left)
    assert "Traceback" not in (place / "said").read_text()


async def test_killed_service(tmp_path: Path) -> None:
    """When the service is killed, its streamers notice and go within two seconds."""
    place = tmp_path / "place"
    place.mkdir()
    with running(place) as service:
        async with RawClient.connected(service.url, API_KEY) as client:
            await client.start("something")
            processes = streamers(service.pid)
            service.process.kill()
            await until(lambda: not any(map(lives, processes)), seconds=2)
            await client.socket.close()


def test_port_in_use(tmp_path: Path) -> None:
    """A port that is taken is one line and exit status 1."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run_to_end(tmp_path, "--port", str(port))
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"odyssey-nb: cannot listen on 127.0.0.1:{port}")
    assert "--port" in line


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--world", "nowhere"], "there is no world called 'nowhere'"),
        (["--limit", "nonsense=1"], "there is no limit called 'nonsense'"),
        (["--limit", "idle_seconds=soon"], "needs a positive number"),
        (["--port", "70000"], "cannot listen on"),
        (["--host", "no.such.host.invalid"], "cannot listen on"),
    ],
)
def test_options_that_cannot_be(tmp_path: Path, options: list[str], words: str) -> None:
    """An option that makes no sense is one line with a hint, and exit status 1."""
    done = run_to_end(tmp_path, "--port", "0", *options)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("odyssey-nb: ")
    assert words in line


def test_stops_when_unused(tmp_path: Path) -> None:
    """A service that is to stop when unused does, with status 0, and not before."""
    place = tmp_path / "place"
    place.mkdir()
    began = time.monotonic()
    with running(place, "--stop-when-unused", "1") as service:
        assert wait_until(lambda: service.process.poll() is not None, seconds=10)
        assert service.process.returncode == 0
        assert time.monotonic() - began > 1
