"""Tasks end with their block, and say why."""

from __future__ import annotations

import asyncio
import gc
from contextlib import suppress

import pytest

from odyssey_nb.concurrency import Crew, background, insist

pytestmark = pytest.mark.timeout(10)


class Worker:
    """Work that waits for ever, and remembers what became of it."""

    def __init__(self) -> None:
        self.started = asyncio.Event()
        self.history: list[str] = []

    async def work(self) -> None:
        """Wait until cancelled."""
        self.history.append("started")
        self.started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.history.append("cancelled")
            await asyncio.sleep(0)
            self.history.append("tidied")
            raise

    async def stubborn(self, until: asyncio.Event) -> None:
        """Wait for `until`, and overhear the first two cancellations."""
        self.started.set()
        for _ in range(2):
            with suppress(asyncio.CancelledError):
                await until.wait()
        await until.wait()
        self.history.append("done")


async def fail(error: BaseException, after: asyncio.Event | None = None) -> None:
    """Raise `error`, when told to."""
    if after is not None:
        await after.wait()
    raise error


@pytest.fixture(autouse=True)
async def nothing_left():
    """No task is left behind."""
    yield
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_background_is_cancelled_at_the_end():
    """What runs in the background is cancelled, and has tidied up, when the body is over."""
    one, two = Worker(), Worker()
    async with background(one.work(), two.work()):
        await one.started.wait()
        await two.started.wait()
        assert one.history == two.history == ["started"]
    assert one.history == two.history == ["started", "cancelled", "tidied"]


async def test_background_that_ends_early():
    """Work that is done before the body does not end the body."""
    done = asyncio.Event()

    async def work() -> None:
        done.set()

    reached = False
    async with background(work()):
        await done.wait()
        await asyncio.sleep(0)
        reached = True
    assert reached


async def test_lone_failure_is_raised_as_itself():
    """A failure in the background interrupts the body and comes out as itself, not in a group."""
    other, go, error = Worker(), asyncio.Event(), KeyError("lost")

    async def hold() -> None:
        async with background(fail(error, go), other.work()):
            await other.started.wait()
            go.set()
            await asyncio.Event().wait()

    with pytest.raises(KeyError) as caught:
        await hold()
    assert caught.value is error
    assert other.history == ["started", "cancelled", "tidied"]


async def test_failure_of_the_body_is_raised_as_itself():
    """The body's own failure comes out as itself, and ends the background."""
    worker, error = Worker(), KeyError("lost")

    async def hold() -> None:
        async with background(worker.work()):
            await worker.started.wait()
            raise error

    with pytest.raises(KeyError) as caught:
        await hold()
    assert caught.value is error
    assert worker.history == ["started", "cancelled", "tidied"]


async def test_cause_survives():
    """An error that was translated from another still says from which."""

    async def translate() -> None:
        try:
            raise OSError("refused")
        except OSError as error:
            raise KeyError("lost") from error

    with pytest.raises(KeyError) as caught:
        async with background(translate()):
            await asyncio.Event().wait()
    assert isinstance(caught.value.__cause__, OSError)


async def test_several_failures_stay_together():
    """Of two failures neither is lost."""
    go = asyncio.Event()

    async def hold() -> None:
        async with background(fail(KeyError("a"), go), fail(OSError("b"), go)):
            go.set()
            await asyncio.Event().wait()

    with pytest.raises(BaseExceptionGroup) as caught:
        await hold()
    assert caught.group_contains(KeyError, depth=1)
    assert caught.group_contains(OSError, depth=1)


async def test_nested_backgrounds():
    """A failure passes through every level as itself."""
    go, outer, error = asyncio.Event(), Worker(), KeyError("lost")

    async def hold() -> None:
        async with background(outer.work()):
            await outer.started.wait()
            async with background(fail(error, go)):
                go.set()
                await asyncio.Event().wait()

    with pytest.raises(KeyError) as caught:
        await hold()
    assert caught.value is error
    assert outer.history[-1] == "tidied"


async def test_cancellation_passes_through():
    """Cancelling who holds the block cancels body and background, and stays a cancellation."""
    worker, history = Worker(), []

    async def hold() -> None:
        async with background(worker.work()):
            try:
                await asyncio.Event().wait()
            finally:
                history.append("body left")

    task = asyncio.ensure_future(hold())
    await worker.started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()
    assert history == ["body left"]
    assert worker.history == ["started", "cancelled", "tidied"]


async def test_deadline_around_a_background():
    """`asyncio.timeout` around the block is told as the timeout that it is."""
    worker = Worker()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01), background(worker.work()):
            await asyncio.Event().wait()
    assert worker.history == ["started", "cancelled", "tidied"]


async def test_deadline_within_a_background():
    """A timeout inside the body is an ordinary failure of the body."""
    worker = Worker()

    async def hold() -> None:
        async with background(worker.work()):
            await asyncio.wait_for(asyncio.Event().wait(), 0.01)

    with pytest.raises(TimeoutError):
        await hold()
    assert worker.history[-1] == "tidied"


async def test_crew_close():
    """Closing cancels what runs and waits until it has tidied up; closing again does no harm."""
    crew, workers = Crew(), [Worker(), Worker()]
    tasks = [crew.start(each.work()) for each in workers]
    for each in workers:
        await each.started.wait()
    await crew.close()
    assert all(each.history == ["started", "cancelled", "tidied"] for each in workers)
    assert all(task.cancelled() for task in tasks)
    await crew.close()


async def test_crew_returns_results():
    """A crew's task can be awaited for what its work returns."""

    async def work() -> int:
        return 7

    crew = Crew()
    assert await crew.start(work()) == 7
    await crew.close()


async def test_crew_settle():
    """Settling gives work the time to end by itself, and cancels only what does not."""
    crew, slow, history = Crew(), Worker(), []

    async def quick() -> None:
        await slow.started.wait()
        history.append("done")

    quick_task = crew.start(quick())
    slow_task = crew.start(slow.work())
    await crew.settle(0.05)
    assert history == ["done"]
    assert not quick_task.cancelled()
    assert slow_task.cancelled()
    assert slow.history == ["started", "cancelled", "tidied"]


async def test_crew_settle_does_not_wait_longer_than_needed():
    """When everything has ended, or nothing was started, settling ends at once."""
    loop = asyncio.get_running_loop()
    crew = Crew()
    began = loop.time()
    await crew.settle(60)
    crew.start(asyncio.sleep(0))
    await crew.settle(60)
    assert loop.time() - began < 2


async def test_crew_close_survives_failures():
    """Work that fails while it is closed neither stops the others from closing nor complains."""
    complaints = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    crew, worker = Crew(), Worker()

    async def fail_when_cancelled() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise KeyError("in the middle of it") from None

    crew.start(fail_when_cancelled())
    crew.start(worker.work())
    await worker.started.wait()
    await crew.close()
    assert worker.history == ["started", "cancelled", "tidied"]
    gc.collect()
    assert complaints == []


async def test_crew_can_be_closed_by_its_own_work():
    """Work that closes its crew does not wait for itself."""
    crew, worker = Crew(), Worker()

    async def close() -> str:
        await worker.started.wait()
        await crew.close()
        return "closed"

    crew.start(worker.work())
    assert await crew.start(close()) == "closed"
    assert worker.history == ["started", "cancelled", "tidied"]


async def test_cancellation_passes_through_crew_close():
    """Who closes a crew with stubborn work can still be cancelled, and stays cancelled."""
    crew, worker, until = Crew(), Worker(), asyncio.Event()
    crew.start(worker.stubborn(until))
    await worker.started.wait()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await crew.close()
    assert worker.history == []
    until.set()
    await crew.close()
    assert worker.history == ["done"]


async def test_insist_runs_to_the_end():
    """What is insisted on ends before its caller does, cancelled once or twice, who then stops."""
    until, history = asyncio.Event(), []

    async def work() -> None:
        await until.wait()
        history.append("done")

    caller = asyncio.ensure_future(insist(work()))
    for _ in range(2):
        await asyncio.sleep(0)
        caller.cancel()
        done, _ = await asyncio.wait({caller}, timeout=0.02)
        assert not done
    until.set()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert history == ["done"]
    assert caller.cancelled()


async def test_insist_returns_and_raises():
    """Without a cancellation it is like awaiting: the result comes back, and so does a failure."""
    assert await insist(asyncio.sleep(0, 7)) == 7
    error = KeyError("lost")
    with pytest.raises(KeyError) as caught:
        await insist(fail(error))
    assert caught.value is error
