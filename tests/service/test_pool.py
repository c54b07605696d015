"""Streamer processes: one is always warm, and none outlives its purpose."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import psutil
import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from odyssey_nb.concurrency import Crew
from odyssey_nb.service.pool import Streamer, StreamerLostError, StreamerPool
from tests.conftest import API_KEY, wait_until
from tests.service.raw_client import RawClient, until
from tests.service.running import run_to_end, running, streamers

if TYPE_CHECKING:
    from collections.abc import Iterator
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


class LightStreamer(Streamer):
    """A process that does nothing, and starts quickly."""

    _module = "tests.service.light_streamer"


def offspring() -> set[psutil.Process]:
    """Return the processes that this one started, uncollected ones too."""
    return set(psutil.Process().children())


@contextmanager
def nothing_left() -> Iterator[None]:
    """Check that no process, descriptor or task is there that was not there before."""
    gc.collect()  # what earlier tests left must not vanish while we count
    me = psutil.Process()
    processes, descriptors, tasks = offspring(), me.num_fds(), asyncio.all_tasks()
    yield
    assert offspring() == processes
    assert me.num_fds() <= descriptors, me.net_connections("unix")
    assert asyncio.all_tasks() == tasks


async def turn(turns: int) -> None:
    """Let the loop turn so many times."""
    for _ in range(turns):
        await asyncio.sleep(0)


@pytest.mark.parametrize("turns", range(12))
async def test_leaving_while_a_process_starts(turns: int) -> None:
    """At whatever turn of the loop a session or the pool gives up a start, nothing is left."""
    with nothing_left():
        async with asyncio.timeout(30), StreamerPool.open(LightStreamer) as pool:
            taking = asyncio.ensure_future(pool.take())
            await turn(turns)
            taking.cancel()
            await asyncio.wait([taking])
            await turn(turns)


async def test_what_was_not_given_back() -> None:
    """A pool ends what its sessions hold, and tells those that wait."""
    with nothing_left():
        async with asyncio.timeout(30), StreamerPool.open(LightStreamer) as pool:
            held = await pool.take()
            assert held.alive
            waiting = [asyncio.ensure_future(pool.take()) for _ in range(2)]
            await turn(1)
            pool.retire()
        await asyncio.wait(waiting)
        assert not held.alive


async def test_close_that_is_cancelled() -> None:
    """Whoever closes a process and cannot wait leaves none behind, dying or uncollected."""
    with nothing_left():
        async with asyncio.timeout(30):
            streamer = await LightStreamer.start()
            os.kill(streamer.pid, signal.SIGSTOP)  # it will not end by itself
            closing = asyncio.ensure_future(streamer.close())
            await turn(1)
            closing.cancel()
            await turn(1)
            closing.cancel()
            await asyncio.wait([closing])
            assert closing.cancelled()
            assert not streamer.alive


STEPS = ["take", "leave", "give back", "kill one", "kill all", "settle"]


# Left at the very instant at which the streamer comes.
@example(steps=[("settle", 0), ("take", 1), ("leave", 0), ("settle", 0)])
@example(steps=[("settle", 0), ("take", 2), ("leave", 0), ("settle", 0)])
@example(steps=[("settle", 0), ("take", 3), ("give back", 0), ("kill all", 0), ("settle", 0)])
# Instants do not repeat, so shrinking would tell nothing.
@settings(max_examples=15, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(steps=st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 8)), max_size=8))
def test_no_process_is_leaked(steps: list[tuple[str, int]]) -> None:
    """Whatever sessions and processes do, each process has one owner, and none outlives the pool.

    The pool closes at whatever instant the steps have led to: while a process warms, while
    sessions wait, hold a living or a dead one, or have just left.
    """
    asyncio.run(_use(steps))


async def _use(steps: list[tuple[str, int]]) -> None:
    with nothing_left():
        others = offspring()
        async with asyncio.timeout(60):
            async with StreamerPool.open(LightStreamer) as pool:
                sessions = Sessions(pool, others)
                for step, turns in steps:
                    await sessions.do(step)
                    await turn(turns)
            await sessions.over()


class Sessions:
    """Those who take streamers from a pool."""

    def __init__(self, pool: StreamerPool, others: set[psutil.Process]) -> None:
        self._pool = pool
        self._others = others  # processes that are not the pool's
        self._taking: list[asyncio.Task[Streamer]] = []
        self._held: list[Streamer] = []

    async def do(self, step: str) -> None:
        """Have one of them, if there is one who can, do something."""
        match step:
            case "take":
                self._taking.append(asyncio.ensure_future(self._pool.take()))
            case "leave" if self._taking:
                taking = self._taking.pop()
                taking.cancel()
                await asyncio.wait([taking])
                if not taking.cancelled() and taking.exception() is None:
                    self._pool.give_back(taking.result())
            case "give back":
                self._arrive()
                if self._held:
                    streamer = self._held.pop()
                    await self._pool.give_back(streamer)
                    assert not streamer.alive
            case "kill one":
                self._arrive()
                if self._held and self._held[-1].alive:
                    with suppress(ProcessLookupError):  # it is dead, and nobody knows yet
                        os.kill(self._held[-1].pid, signal.SIGKILL)
            case "kill all":
                for each in offspring() - self._others:
                    with suppress(psutil.NoSuchProcess):
                        each.kill()
            case "settle":
                await until(self._settled, seconds=30)

    def _arrive(self) -> None:
        """Let those whose streamer has come hold it."""
        for taking in [each for each in self._taking if each.done()]:
            self._taking.remove(taking)
            if taking.exception() is None:
                self._held.append(taking.result())
        assert len(set(self._held)) == len(self._held), "two sessions share a process"

    def _settled(self) -> bool:
        """Whether there are just the processes that are held, and one that is warm."""
        self._arrive()
        living = [each for each in self._held if each.alive]
        ours = offspring() - self._others
        return not self._taking and self._pool.is_warm() and len(ours) == len(living) + 1

    async def over(self) -> None:
        """Check, once the pool has closed, that all were told and nobody has a process."""
        for taking in self._taking:
            with suppress(StreamerLostError):
                self._held.append(await taking)
        assert not any(each.alive for each in self._held)
