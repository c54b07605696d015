"""Runs the checks one after the other: each has a deadline, and none can stop another."""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from odyssey_nb.diagnosis.patient import Chart, Patient
from odyssey_nb.diagnosis.report import Finding, State
from odyssey_nb.errors import OdysseyNBError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)

GRACE_SECONDS = 3.0  # which a check that is called off gets to give back what it holds


class Check(NamedTuple):
    """Something to look at; `seconds` is how long that may take."""

    name: str
    look: Callable[[Patient, Chart], Awaitable[None]]
    seconds: float = 10.0


class Examination:
    """One check, under way on a thread of its own.

    A thread that hangs in foreign code is left behind: it is a daemon, and keeps nothing waiting.
    """

    def __init__(self, check: Check, patient: Patient) -> None:
        self._check, self._patient = check, patient
        self._found: queue.SimpleQueue[Finding | None] = queue.SimpleQueue()
        self._loop = asyncio.new_event_loop()
        self._task: asyncio.Task[None] | None = None
        self._thread = threading.Thread(
            target=self._run, name=f"odyssey-doctor-{check.name}", daemon=True
        )

    def run(self) -> list[Finding]:
        """Return what is found within the deadline."""
        findings: list[Finding] = []
        deadline = time.monotonic() + self._check.seconds + GRACE_SECONDS
        try:
            self._thread.start()
            with suppress(queue.Empty):
                while (found := self._found.get(timeout=deadline - time.monotonic())) is not None:
                    findings.append(found)
                return findings
        except BaseException:  # an interrupted cell holds nothing
            self._call_off()
            self._thread.join(GRACE_SECONDS)
            raise
        return [*findings, self._late()]

    def _call_off(self) -> None:
        if self._task is not None:
            with suppress(RuntimeError):  # its loop has ended meanwhile
                self._loop.call_soon_threadsafe(self._task.cancel)

    def _run(self) -> None:
        try:
            # Called off, it has nothing more to tell.
            with (
                suppress(asyncio.CancelledError),
                asyncio.Runner(loop_factory=lambda: self._loop) as runner,
            ):
                runner.run(self._look())
        finally:
            self._found.put(None)

    async def _look(self) -> None:
        self._task = asyncio.current_task()
        chart = Chart(self._check.name, self._found.put)
        try:
            async with asyncio.timeout(self._check.seconds):
                await self._check.look(self._patient, chart)
        except TimeoutError:
            self._found.put(self._late())
        except OdysseyNBError as error:
            chart.fail(str(error), error.hint)
        except Exception as error:
            log.exception("the check of %s failed", self._check.name)
            kind = type(error).__name__
            chart.fail(f"the check itself failed ({kind})", "The log says why; see `--bundle`.")

    def _late(self) -> Finding:
        text = f"not done within {self._check.seconds:g} s"
        return Finding(self._check.name, State.PROBLEM, text, "Try again on a machine less busy.")
