"""Tasks that cannot outlive their block, and processes that cannot be forgotten."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine

T = TypeVar("T")


@asynccontextmanager
async def background(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run `work` while the body runs, and cancel what is left of it when the body ends.

    A failure in `work` cancels the body and is raised as itself, not inside a group.
    """
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(each) for each in work]
            yield
            for task in tasks:
                task.cancel()
    except BaseExceptionGroup as group:
        if len(group.exceptions) == 1:
            lone = group.exceptions[0]
            raise lone from lone.__cause__
        raise


async def insist(work: Coroutine[Any, Any, T]) -> T:
    """Run `work`, which has a deadline of its own, to its end, however often we are cancelled."""
    task, cancelled = asyncio.ensure_future(work), None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is None:
        return task.result()
    if not task.cancelled():
        task.exception()
    raise cancelled


class Crew:
    """Owns short tasks that an event started; `close` cancels those that still run."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run `work` until it ends or the crew closes."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def settle(self, seconds: float) -> None:
        """Give everything, and what it starts meanwhile, `seconds` to end by itself; then close."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + seconds
        while self._tasks and clock() < deadline:
            await asyncio.wait(self._tasks, timeout=deadline - clock())
        await self.close()

    async def close(self) -> None:
        """Cancel everything and wait until it has ended."""
        current = asyncio.current_task()
        tasks = [task for task in self._tasks if task is not current]
        for task in tasks:
            task.cancel()
        if tasks:
            # Unlike awaiting each, this lets a cancellation of ourselves through.
            await asyncio.wait(tasks)
        for task in tasks:
            if not task.cancelled():
                task.exception()  # looked at, so that asyncio does not complain about it
