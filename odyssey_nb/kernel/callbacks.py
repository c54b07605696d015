"""Functions that are called with pictures as they come: `on_frame`.

Each has a thread of its own that takes what it needs, so one that is slow misses pictures and holds
up nobody; and one that fails is stopped, and says so once.
"""

from __future__ import annotations

import functools
import inspect
import sys
import threading
import time
import traceback
from typing import TYPE_CHECKING, Any

from odyssey_nb.errors import AnswerTimeoutError, OdysseyNBError, UsageError
from odyssey_nb.kernel.live import Pace, check_every

if TYPE_CHECKING:
    from collections.abc import Callable

    from odyssey_nb.kernel.newest import Newest

WAIT_SECONDS = 1.0  # for a picture, before it is seen whether the callback was cancelled


def name_of(function: Callable[..., object]) -> str:
    """Return what a callback is called where it is not told."""
    name = str(getattr(function, "__qualname__", None) or type(function).__name__)
    return name.rpartition("<locals>.")[2]


def check_callback(function: object, every: int, seconds: float | None) -> None:
    """Refuse what cannot be called with a picture now and then.

    Raises:
        UsageError: It is no function, or one to await; or `every` or `seconds` make no sense.
    """
    check_every(every)
    if not callable(function):
        raise UsageError(
            f"on_frame takes a function, not {type(function).__name__}",
            hint="Write stream.on_frame(f), or @stream.on_frame above def f(picture).",
        )
    if inspect.iscoroutinefunction(function):
        raise UsageError(
            "on_frame calls from a thread, and cannot await",
            hint="Write async for picture in stream: in a task of your own.",
        )
    if seconds is not None and not seconds > 0:
        raise UsageError(
            f"seconds must be positive, not {seconds!r}", hint="Leave it out to get every picture."
        )
    if seconds is not None and every != 1:
        raise UsageError(
            "on_frame goes by every or by seconds, not by both", hint="Leave one of them out."
        )


class FrameCallback:
    """A function that gets pictures, until `cancel` or the stream's end. It can still be called.

    Attributes:
        name: What it is called; a stream has one of each name.
        calls: How often it was called.
        state: "running"; then "cancelled", "ended" with the stream, or "failed".
        error: What it raised, with its traceback; None unless it failed.
        time: When its last picture was shown, in seconds since its stream began.
    """

    def __init__(
        self,
        function: Callable[[Any], object],
        newest: Newest,
        *,
        name: str,
        format: str,
        every: int,
        seconds: float | None,
    ) -> None:
        functools.update_wrapper(self, function, updated=())
        self._function = function
        self._newest = newest
        self._format, self._seconds = format, seconds
        self._pace = Pace(every)
        self._stop = threading.Event()
        self.name = name
        self.calls = 0
        self.state = "running"
        self.error: Exception | None = None
        self.time = 0.0

    @property
    def skipped(self) -> int:
        """How many pictures that were due to it it missed, being slow; none go by `seconds`."""
        return self._pace.skipped if self._seconds is None else 0

    @property
    def running(self) -> bool:
        """Whether it gets pictures."""
        return self.state == "running"

    def start(self) -> None:
        """Let it get pictures; to be called once."""
        # From the thread of its cell, so what it prints is shown there.
        name = f"odyssey-on-frame {self.name}"
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def cancel(self) -> None:
        """Call it no more; safe to call again. A call that is under way ends by itself."""
        self._leave("cancelled")

    def __call__(self, *args: Any, **options: Any) -> object:
        """Call the function."""
        return self._function(*args, **options)

    def _leave(self, state: str) -> None:
        if self.running:
            self.state = state
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                taken = self._newest.take(self._format, past=self._pace.past, timeout=WAIT_SECONDS)
            except AnswerTimeoutError:
                continue  # the machine is busy
            except OdysseyNBError:
                self._leave("ended")
                return
            if taken is None or self._stop.is_set():
                continue
            self._pace.follow(taken)
            self.time = taken.time
            began = time.monotonic()
            try:
                self._function(taken.picture)
            except Exception as error:
                self.error = error
                self._leave("failed")
                self._report(error)
                return
            self.calls += 1
            if self._seconds is not None:
                self._stop.wait(self._seconds - (time.monotonic() - began))

    def _report(self, error: Exception) -> None:
        """Say once, where its cell is, that it failed, where, and what to do."""
        what = "".join(traceback.format_exception_only(error)).strip().splitlines()[-1]
        inside = traceback.extract_tb(error.__traceback__)[1:2]  # the first is ours
        where = f", at its line {inside[0].lineno}" if inside else ""
        print(  # noqa: T201 - this is the cell's output
            f"on_frame: {self.name} failed at call {self.calls + 1} and was stopped: {what}{where}."
            " Correct it and run its cell again; what it raised is "
            f"stream.callbacks[{self.name!r}].error.",
            file=sys.stderr,
        )

    def __repr__(self) -> str:
        return f"<on_frame {self.name}: {self.state}, {self.calls} calls, {self.skipped} skipped>"
