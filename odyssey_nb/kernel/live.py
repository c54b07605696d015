"""New pictures one after another, for a loop: the newest each time, however slow the loop is."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from odyssey_nb.errors import AnswerTimeoutError, OdysseyNBError, UsageError
from odyssey_nb.kernel.newest import NOTHING

if TYPE_CHECKING:
    from odyssey_nb.kernel.newest import Newest, Taken


def check_every(every: int) -> None:
    """Refuse what does not count pictures.

    Raises:
        UsageError: It is no whole number from 1.
    """
    if isinstance(every, bool) or not isinstance(every, int) or every < 1:
        raise UsageError(
            f"every counts pictures, so it is a whole number from 1, not {every!r}",
            hint="Write every=5 for each fifth picture; on_frame(f, seconds=0.5) goes by time.",
        )


class Pace:
    """Which pictures are due to one reader: each `every`-th, or a later one if it is slow.

    Attributes:
        past: The stream and seq that the next must be beyond.
        skipped: How many that were due it has not had, because newer ones had come.
    """

    def __init__(self, every: int) -> None:
        self._every = every
        self.past = NOTHING
        self.skipped = 0

    def follow(self, taken: Taken) -> None:
        """It has this one."""
        stream, due = self.past
        if stream == taken.stream:
            self.skipped += (taken.seq - due - 1) // self._every
        self.past = taken.stream, taken.seq + self._every - 1


class Live:
    """Iterates over new pictures, with ``for`` or ``async for``, until the stream ends.

    Who is slow gets the newest picture next, and what came meanwhile is left out.

    Attributes:
        time: When the last one was shown, in seconds since its stream began.
    """

    def __init__(self, newest: Newest, format: str, every: int, timeout: float) -> None:
        self._newest = newest
        self._format, self._timeout = format, timeout
        self._pace = Pace(every)
        self.time = 0.0

    @property
    def skipped(self) -> int:
        """How many pictures were left out because the loop was slow; with `every` of those due."""
        return self._pace.skipped

    def __iter__(self) -> Live:
        return self

    def __next__(self) -> Any:  # noqa: ANN401 - an array, or an image, as was asked for
        found = self._take()
        if found is None:
            raise StopIteration
        return found

    def __aiter__(self) -> Live:
        return self

    async def __anext__(self) -> Any:  # noqa: ANN401 - as __next__
        found = await asyncio.to_thread(self._take)
        if found is None:
            raise StopAsyncIteration
        return found

    def _take(self) -> object:
        """Wait for the next one; None once there will be none, and nothing was lost."""
        try:
            taken = self._newest.take(self._format, past=self._pace.past, timeout=self._timeout)
        except OdysseyNBError:
            if self._newest.is_over:
                return None
            raise
        if taken is None:
            raise AnswerTimeoutError(f"no picture came within {self._timeout:g} s")
        self._pace.follow(taken)
        self.time = taken.time
        return taken.picture

    def __repr__(self) -> str:
        return f"<Live pictures as {self._format}, {self.skipped} skipped>"
