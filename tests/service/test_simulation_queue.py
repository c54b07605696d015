"""The table of simulations on its own: turns, leases and tokens, by a clock that we set."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from odyssey_nb.service.database import Database, StreamRow
from odyssey_nb.service.refusals import RefusedError
from odyssey_nb.service.simulations import (
    LOST,
    Claim,
    LeaseLostError,
    SimulationQueue,
)
from odyssey_nb.wire.script import Script, parse_lines

LEASE = 10.0


@dataclass
class Clock:
    """A clock that the test sets, in seconds."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Bench:
    """A queue and its clock."""

    queue: SimulationQueue
    clock: Clock

    def submit(self, account: str = "a", *, scripts: int = 1, limit: int = 10) -> str:
        """Submit scripts of a second each."""
        self.clock.now += 1
        batch: list[Script] = [parse_lines("0 start a forest\n1 end")] * scripts
        row = self.queue.submit(account, batch, portrait=False, bypass=False, limit=limit)
        return row.id

    def take(self) -> Claim:
        """Take the next simulation."""
        self.clock.now += 1
        claim = self.queue.claim()
        assert claim is not None
        return claim

    def status(self, simulation: str, account: str = "a") -> tuple[str, int]:
        """Status and retries."""
        found = self.queue.find(simulation, account)
        assert found is not None
        return found[0].status, found[0].retries

    def publish(self, claim: Claim, index: int, stream: str) -> None:
        """Publish a result."""
        row = StreamRow(
            id=stream, account=claim.account, session_id=claim.id, width=1280, height=704,
            started=self.clock.now, frame_count=20, state="ready", kind="simulation",
        )  # fmt: skip
        self.queue.publish(claim, index, row)


@pytest.fixture
def bench(database_url: str) -> Iterator[Bench]:
    """An empty queue, in a database of either kind."""
    clock = Clock()
    with Database.open(database_url) as database:
        yield Bench(SimulationQueue(database, lease_seconds=LEASE, clock=clock), clock)


def test_from_waiting_to_completed(bench: Bench) -> None:
    """A simulation's whole history, with its times and its results."""
    simulation = bench.submit(scripts=2)
    assert bench.status(simulation) == ("pending", 0)
    claim = bench.take()
    assert (claim.id, claim.done, sorted(claim.scripts)) == (simulation, 0, [0, 1])
    assert bench.status(simulation)[0] == "dispatched"
    bench.queue.began(claim, "s-0")
    assert bench.status(simulation)[0] == "processing"
    bench.queue.beat(claim, 15)
    for index in (0, 1):
        bench.publish(claim, index, f"s-{index}")
    bench.queue.finish(claim)
    found = bench.queue.find(simulation, "a")
    assert found is not None
    row, results = found
    assert (row.status, row.frames_done, row.frames_total) == ("completed", 40, 40)
    assert (row.created, row.dispatched, row.completed) == (1001, 1002, 1002)
    assert [(index, stream.id) for index, stream in results] == [(0, "s-0"), (1, "s-1")]
    assert bench.queue.claim() is None


def test_accounts_take_turns(bench: Bench) -> None:
    """One that submits a lot first does not keep another waiting, with one worker or with many."""
    mine = [bench.submit("a") for _ in range(3)]
    theirs = [bench.submit("b") for _ in range(2)]
    order = []
    for _ in range(3):  # one worker: nothing else runs when it takes the next
        claim = bench.take()
        bench.queue.finish(claim)
        order.append(claim.id)
    assert order == [mine[0], theirs[0], mine[1]]
    bench.submit("b")
    assert [bench.take().account for _ in range(2)] == ["b", "a"]


def test_the_fewest_running_go_first(bench: Bench) -> None:
    """An account with a simulation running waits for one that has none, however old its next is."""
    for _ in range(3):
        bench.submit("a")
    assert bench.take().account == "a"
    assert bench.take().account == "a"
    bench.submit("b")
    assert bench.take().account == "b"


def test_a_queue_is_full(bench: Bench) -> None:
    """Waiting and running count, what is over does not, and accounts do not fill each other's."""
    bench.submit(limit=2)
    bench.submit(limit=2)
    claim = bench.take()
    with pytest.raises(RefusedError) as caught:
        bench.submit(limit=2)
    assert caught.value.problem.details == {"active_count": 2, "limit": 2}
    bench.submit("b", limit=2)
    bench.queue.finish(claim)
    bench.submit(limit=2)


def test_a_stale_worker_publishes_nothing(bench: Bench) -> None:
    """Once its lease is another's, whatever the first one does is refused and leaves no trace."""
    simulation = bench.submit()
    stale = bench.take()
    bench.queue.began(stale, "stale")
    bench.clock.now += LEASE + 1
    assert bench.queue.expire() == ["stale"]
    fresh = bench.take()
    assert fresh.token > stale.token
    for act in (
        lambda: bench.queue.beat(stale, 20),
        lambda: bench.queue.began(stale, "stale"),
        lambda: bench.publish(stale, 0, "stale"),
        lambda: bench.queue.finish(stale),
        lambda: bench.queue.lost(stale),
        lambda: bench.queue.release(stale),
    ):
        with pytest.raises(LeaseLostError):
            act()
    assert bench.status(simulation) == ("dispatched", 1)
    bench.publish(fresh, 0, "fresh")
    bench.queue.finish(fresh)
    found = bench.queue.find(simulation, "a")
    assert found is not None
    assert [stream.id for _, stream in found[1]] == ["fresh"]
    with pytest.raises(LeaseLostError):
        bench.queue.beat(fresh, 20)


def test_beats_keep_a_lease(bench: Bench) -> None:
    """It lasts so long from the newest beat."""
    bench.submit()
    claim = bench.take()
    for _ in range(5):
        bench.clock.now += LEASE - 1
        bench.queue.beat(claim, 1)
        assert bench.queue.expire() == []
    bench.queue.finish(claim)


def test_lost_twice_is_failed(bench: Bench) -> None:
    """It is run once more from where it was, and then fails with words that say why."""
    simulation = bench.submit(scripts=3)
    first = bench.take()
    bench.publish(first, 0, "s-0")
    bench.queue.lost(first)
    assert bench.status(simulation) == ("pending", 1)
    second = bench.take()
    assert (sorted(second.scripts), second.done) == ([1, 2], 20)
    bench.publish(second, 1, "s-1")
    bench.clock.now += LEASE + 1
    bench.queue.expire()
    found = bench.queue.find(simulation, "a")
    assert found is not None
    assert (found[0].status, found[0].retries, found[0].error) == ("failed", 1, LOST)
    assert len(found[1]) == 2
    assert bench.queue.claim() is None


def test_what_the_service_gives_back_is_no_retry(bench: Bench) -> None:
    """A service that stops costs a simulation nothing."""
    simulation = bench.submit()
    bench.queue.release(bench.take())
    assert bench.status(simulation) == ("pending", 0)
    assert bench.take().id == simulation


def test_cancelling(bench: Bench) -> None:
    """It can be cancelled until its first picture; who holds it then learns that at once."""
    waiting, taken = bench.submit("b"), bench.submit("a")
    row, done = bench.queue.cancel(waiting, "b") or (None, False)
    assert done
    assert row is not None
    claim = bench.take()
    assert claim.id == taken
    assert (bench.queue.cancel(taken, "a") or (0, False))[1]
    with pytest.raises(LeaseLostError):
        bench.queue.began(claim, "s")
    assert (bench.queue.cancel(taken, "a") or (0, True))[1] is False
    assert bench.status(taken)[0] == "cancelled"
    assert bench.queue.cancel(taken, "b") is None
    running = bench.submit("a")
    bench.queue.began(bench.take(), "s")
    assert (bench.queue.cancel(running, "a") or (0, True))[1] is False


def test_many_workers_share_a_queue(bench: Bench) -> None:
    """Each simulation is taken once, whoever asks at the same time."""
    for account in "abcd":
        for _ in range(5):
            bench.submit(account)
    with ThreadPoolExecutor(4) as pool:
        claims = list(pool.map(lambda _: bench.queue.claim(), range(24)))
    taken = [claim.id for claim in claims if claim is not None]
    assert len(taken) == len(set(taken)) == 20
