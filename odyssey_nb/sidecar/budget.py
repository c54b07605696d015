"""How long a connection may be held: by itself, and with all others of this user in one day.

The sidecar counts, because it goes on when the kernel hangs and is gone when the kernel is.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from contextlib import suppress
from datetime import date
from typing import TYPE_CHECKING

from odyssey_nb.errors import BudgetError, SettingError
from odyssey_nb.locking import try_lock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LOOK_SECONDS = 5.0  # how often what was spent is written down, and what others spent is seen
LOCK_SECONDS = 0.01  # between attempts to get at the file, which is held for less
ATTEMPTS = 100
NEWS = 0.1  # the part of what is left by which its end must move to be told again


class Ledger:
    """What this user's connections have spent today, in a file that all of them share.

    The day is the local calendar's. The file holds the day and its seconds, and is locked while it
    is read and written.
    """

    def __init__(self, path: Path, *, today: Callable[[], date] = date.today) -> None:
        self._path = path
        self._today = today

    async def spend(self, seconds: float) -> float:
        """Add `seconds` to what was spent today, and return that.

        Raises:
            SettingError: The file cannot be written.
        """
        for _ in range(ATTEMPTS):
            if (spent := self._spend(seconds)) is not None:
                return spent
            await asyncio.sleep(LOCK_SECONDS)
        raise self._unusable("it is locked")

    def _spend(self, seconds: float) -> float | None:
        """Do it; None if another process is at the file."""
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
            # Nothing is awaited between here and the end: locks do not part one process's tasks.
            try:
                if not try_lock(fd):
                    return None
                today, spent = self._today().isoformat(), 0.0
                with suppress(ValueError, KeyError, TypeError):
                    found = json.loads(os.pread(fd, 4096, 0))
                    spent = float(found["seconds"]) if found["day"] == today else 0.0
                if seconds:
                    spent += seconds
                    text = json.dumps({"day": today, "seconds": spent})
                    os.pwrite(fd, text.encode(), 0)
                    os.ftruncate(fd, len(text))
                return spent
            finally:
                os.close(fd)
        except OSError as error:
            raise self._unusable((error.strerror or type(error).__name__).lower()) from error

    def _unusable(self, why: str) -> SettingError:
        return SettingError(
            f"the day's budget cannot be counted in {self._path} ({why})",
            hint="Set ODYSSEY_NB_DATA_DIR to a private directory elsewhere.",
        )


class Budget:
    """What one connection may spend, in seconds from its first session on; 0: any time."""

    def __init__(self, own: float, daily: float, ledger: Ledger) -> None:
        self._own, self._daily, self._ledger = own, daily, ledger
        self._changed = asyncio.Event()

    def allow(self, own: float) -> None:
        """It may be held for `own` seconds in all, from now on."""
        self._own = own
        self._changed.set()

    async def check(self) -> None:
        """Raise BudgetError where nothing is left of the day's."""
        if self._daily and await self._ledger.spend(0) >= self._daily:
            raise self._used_up(daily=True)

    async def spend(self, tell: Callable[[float], None]) -> BudgetError | SettingError:
        """Count until nothing is left, and return what to say then.

        `tell` hears when that will be, in epoch seconds (0: never), at first and when it has moved.
        """
        clock = asyncio.get_running_loop().time
        began = counted = clock()
        told: float | None = None
        try:
            while True:
                now = clock()
                left = [self._own - (now - began)] if self._own else []
                if self._daily:
                    elapsed, counted = now - counted, now
                    left.append(self._daily - await self._ledger.spend(elapsed))
                if left and min(left) <= 0:
                    return self._used_up(daily=not self._own or left[0] > 0)
                ends = time.time() + min(left) if left else 0.0
                if told is None or abs(ends - told) > 1 + NEWS * min(left, default=0):
                    told = ends
                    tell(ends)
                wait = min([LOOK_SECONDS, *left]) if self._daily else min(left, default=None)
                self._changed.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await self._changed.wait()
        except SettingError as error:
            return error  # what cannot be counted is not spent
        finally:
            if self._daily:
                with suppress(SettingError):
                    self._ledger._spend(clock() - counted)

    def _used_up(self, *, daily: bool) -> BudgetError:
        if daily:
            return BudgetError(
                f"today's budget of {_minutes(self._daily)} is used up",
                hint="Wait for tomorrow, or raise ODYSSEY_NB_BUDGET_MINUTES_PER_DAY.",
            )
        minutes = f"{self._own / 60:g}"
        return BudgetError(
            f"the connection's budget of {_minutes(self._own)} is used up",
            hint=f"Connect again with ody.connect(budget={minutes}), or with a larger one.",
        )


def _minutes(seconds: float) -> str:
    minutes = seconds / 60
    return "1 minute" if minutes == 1 else f"{minutes:g} minutes"
