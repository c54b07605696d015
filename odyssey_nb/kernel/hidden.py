"""What becomes of a stream that nobody sees: ``connect(when_hidden=…)``.

Every moment at which somebody attends to a connection is a sign: a visible view gives one every few
seconds, Python when it reads or steers, a cell by running. A page that is hidden, closed, killed or
cut off is all the same, it gives none. So one number is enough, the time since the newest sign, and
it counts from the first sign of a view.

Before either step views are told when it is due, once, and count down to it by themselves: a kernel
that spoke every second would never be idle.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable
from types import EllipsisType
from typing import TYPE_CHECKING, NamedTuple

from odyssey_nb.config import when_hidden_setting
from odyssey_nb.errors import OdysseyNBError, SettingError

if TYPE_CHECKING:
    from collections.abc import Callable

    from odyssey_nb.kernel.connection import Connection

log = logging.getLogger(__name__)

COUNTDOWN_SECONDS = 30.0  # before each step, or half of the time until it where that is short
LOOK_SECONDS = 0.5  # how often it is looked during a countdown whether somebody attends after all
RETRY_SECONDS = 5.0  # after a step that failed
LATE_SECONDS = 1.0  # a thread that wakes later than that stood still, and with it the process
CATCH_UP_SECONDS = 6.0  # in which a visible view gives a sign, and older ones are read
OFF = ("off", "none")


class WhenHidden(NamedTuple):
    """Seconds without a visible view until the stream ends, and until the connection does.

    None is for ever.
    """

    end: float | None = 120.0
    disconnect: float | None = 300.0


class Countdown(NamedTuple):
    """The next step, "end" or "disconnect", and when it is due, in epoch seconds."""

    step: str
    due: float


NEVER = WhenHidden(None, None)
Given = Iterable[float | str | None] | str | bool | EllipsisType | None


def when_hidden(given: Given = ...) -> WhenHidden:
    """Return the policy that is asked for.

    Args:
        given: ``(120, 300)``, or as text "120,300"; None, False or "off", for both or one of them,
            is for ever. Left out it is what ``ODYSSEY_NB_WHEN_HIDDEN`` says, else (120, 300).

    Raises:
        SettingError: It makes no sense.
    """
    if given is ... or given is True:
        given = when_hidden_setting() or WhenHidden()
    if given is None or given is False or (isinstance(given, str) and given.lower() in OFF):
        return NEVER
    parts = given.split(",") if isinstance(given, str) else given
    try:
        end, disconnect = (_seconds(each) for each in parts)
        if end is not None and disconnect is not None and disconnect < end:
            raise ValueError("it disconnects before it ends the stream")
    except (TypeError, ValueError):
        raise SettingError(
            f"when_hidden cannot be {given!r}",
            hint="Write (120, 300): seconds until the stream ends, and the connection; or None.",
        ) from None
    return WhenHidden(end, disconnect)


def _seconds(given: float | str | None) -> float | None:
    if given is None or (isinstance(given, str) and given.strip().lower() in OFF):
        return None
    seconds = float(given)
    if not seconds > 0:
        raise ValueError(given)
    return seconds


def clock(seconds: float) -> str:
    """Return `seconds` as people write them, ``2:00``."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


class HiddenClock:
    """Counts the seconds since anybody attended, and says what they lead to. Any thread may call.

    Its lines are single assignments: a cell that is interrupted in one leaves no lock taken.
    """

    def __init__(
        self,
        policy: WhenHidden,
        *,
        attended: Callable[[], bool] = lambda: False,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.policy = policy
        self._attended = attended  # whether somebody does all the time, seen or not
        self._now = now
        self._newest: float | None = None  # no view has existed yet

    def seen(self) -> float:
        """A view is visible now; return for how long nobody had attended."""
        unseen = self.unseen
        self._newest = self._now()
        return unseen

    def touch(self) -> None:
        """Somebody attends in another way."""
        if self._newest is not None:
            self._newest = self._now()

    @property
    def unseen(self) -> float:
        """For how many seconds nobody has attended; 0 before there was a view."""
        if self._attended():
            self.touch()
        newest = self._newest
        return 0.0 if newest is None else max(0.0, self._now() - newest)

    @property
    def counts(self) -> bool:
        """Whether it leads to anything."""
        return self._newest is not None and self.policy != NEVER

    def left(self, *, streaming: bool) -> tuple[str, float] | None:
        """Return the next step, "end" or "disconnect", and the seconds until it is due."""
        if not self.counts:
            return None
        end, disconnect = self.policy
        unseen = self.unseen
        if streaming and end is not None:
            return "end", end - unseen
        return None if disconnect is None else ("disconnect", disconnect - unseen)

    def countdown(self, step: str) -> float:
        """Return for how many seconds before `step` views count down to it."""
        seconds = self.policy.end if step == "end" else self.policy.disconnect
        return 0.0 if seconds is None else min(COUNTDOWN_SECONDS, seconds / 2)


class HiddenWatch:
    """Does to a connection what its clock says, on a thread that lives from a view's first sign on.

    `close` ends the thread.

    Attributes:
        countdown: What views count down to; None while nothing is due soon. `changed` is called
            whenever it begins and when it is withdrawn.
    """

    def __init__(
        self, connection: Connection, clock: HiddenClock, *, changed: Callable[[], None]
    ) -> None:
        self.clock = clock
        self.countdown: Countdown | None = None
        self._connection = connection
        self._changed = changed
        self._wake = threading.Event()
        self._closed = threading.Event()
        # No thread is kept: as long as one is known that has ended, its stack stays in memory, and
        # a notebook's ``Out`` keeps streams and with them their connections.
        self._watched = False

    def seen(self) -> float:
        """A view is visible now; return for how long nobody had attended."""
        unseen = self.clock.seen()
        if not self._watched and self.clock.counts and not self._closed.is_set():
            self._watched = True
            threading.Thread(target=self._run, name="odyssey-hidden", daemon=True).start()
        return unseen

    def use(self, policy: WhenHidden) -> None:
        """Follow `policy` from now on."""
        self.clock.policy = policy
        self._wake.set()

    def close(self) -> None:
        """Do nothing any more."""
        self._closed.set()
        self._wake.set()

    def _run(self) -> None:
        self._connection.listen(self._wake.set)  # a stream that starts has less time left
        while not self._closed.is_set():
            step = self.clock.left(streaming=self._connection.stream is not None)
            self._warn(step)
            wait = self._longest_wait(step)
            if step is not None and step[1] <= 0:
                wait = RETRY_SECONDS
                try:
                    self._do(step[0])
                    continue
                except OdysseyNBError:
                    log.warning("a connection that nobody sees could not be ended; trying again")
            began = time.monotonic()
            self._wake.wait(wait)
            self._wake.clear()
            if wait is not None and time.monotonic() - began > wait + LATE_SECONDS:
                self._closed.wait(CATCH_UP_SECONDS)

    def _warn(self, step: tuple[str, float] | None) -> None:
        """Let views count down to `step`, if that is due soon, and to nothing else."""
        coming = None
        if step is not None and step[1] <= self.clock.countdown(step[0]):
            coming = Countdown(step[0], time.time() + step[1])
        told = self.countdown
        if coming is None or told is None:
            news = coming is not told
        else:
            news = coming.step != told.step or abs(coming.due - told.due) > LATE_SECONDS
        if news:
            self.countdown = coming
            self._changed()

    def _longest_wait(self, step: tuple[str, float] | None) -> float | None:
        """Return for how long nothing is to be done, whatever happens."""
        if step is None:
            return None
        until = step[1] - self.clock.countdown(step[0])
        # Who attends says so in one assignment, and wakes nobody.
        return until if until > 0 else min(LOOK_SECONDS, step[1])

    def _do(self, step: str) -> None:
        connection, stream = self._connection, self._connection.stream
        why = f"no view was visible for {clock(self.clock.unseen)}"
        if step == "end" and stream is not None:
            stream.end()
            connection.explain(f"{why}, so the stream ended. Start it again; {_KEEP}")
        elif step == "disconnect":
            connection.disconnect()
            connection.explain(f"{why}, so the streamer was freed. Connect again; {_KEEP}")


_KEEP = "connect(when_hidden=None) keeps it running unseen."
