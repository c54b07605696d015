"""What a sweep will take, before it runs."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import TYPE_CHECKING

from odyssey_nb.errors import NotFoundError, RateLimitError
from odyssey_nb.kernel.tables import clock
from odyssey_nb.kernel.usage import spoken
from odyssey_nb.wire.simulations import SimulationStatus
from odyssey_nb.wire.stream import PICTURES_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Sequence

    from odyssey_nb.client.control import Control
    from odyssey_nb.research.sweep.plan import Run
    from odyssey_nb.wire.simulations import SimulationInfo
    from odyssey_nb.wire.usage import Usage

RECENT = 50  # simulations from which the pace is told


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Cost:
    """What the runs that are left take; naming it in a cell shows it.

    Attributes:
        runs: How many there are.
        left: How many of them have still to be made.
        seconds: Of world that those have, together.
        pace: Seconds of world that the service makes in a second; None where nobody knows yet.
        used_hours: What the account has used of its month; None where the service does not tell.
        monthly_hours: What it may use; None is no limit, or not told.
        at_once: How many simulations it may have waiting and running, or connections at once; None
            where the service does not tell.
        room: How many more it may have now.
        live: Whether they run live.
    """

    runs: int
    left: int
    seconds: float
    pace: float | None
    used_hours: float | None
    monthly_hours: float | None
    at_once: int | None
    room: int
    live: bool

    @property
    def hours(self) -> float:
        """What they add to the month's hours."""
        return self.seconds / 3600

    @property
    def about(self) -> float | None:
        """About how many seconds it takes; None where nobody knows yet."""
        return None if self.pace is None else self.seconds / self.pace

    @property
    def fits(self) -> bool:
        """Whether the month has hours enough, as far as that is known."""
        if self.monthly_hours is None or self.used_hours is None:
            return True
        return self.used_hours + self.hours <= self.monthly_hours

    @property
    def _clock(self) -> str:
        return "?" if self.about is None else clock(math.ceil(self.about))

    def _figures(self) -> list[tuple[str, str]]:
        over = self.runs - self.left
        figures = [
            ("runs", f"{self.left} of {self.runs}" if over else f"{self.runs}"),
            ("seconds of world", f"{self.seconds:g}"),
        ]
        if self.left:
            figures.append(("takes about", self._clock))
        if self.used_hours is not None:
            month = f"{spoken(self.hours)} on top of {spoken(self.used_hours)}"
            month += "" if self.monthly_hours is None else f" of {spoken(self.monthly_hours)}"
            figures.append(("this month", month))
        if self.at_once is not None:
            figures.append(
                ("connections at once" if self.live else "in queue at once", f"{self.at_once}")
            )
        return figures

    def _warning(self) -> str:
        return "" if self.fits else "more than the month has left: some will be refused"

    def __str__(self) -> str:
        figures = dict(self._figures())
        words = f"{figures['runs']} runs, {figures['seconds of world']} seconds of world"
        if self.used_hours is not None:
            words += f", {spoken(self.hours)} of the month"
        if self.about is not None:
            words += f", about {self._clock}"
        return words + (f"; {self._warning()}" if self._warning() else "")

    def __repr__(self) -> str:
        lines = [f"{name:<20}{value}" for name, value in self._figures()]
        return "\n".join([*lines, *filter(None, [self._warning()])])

    def _repr_html_(self) -> str:
        figures = "".join(
            f'<div><div style="font-size:12px;opacity:.8">{escape(name)}</div>'
            f'<div style="font-size:18px">{escape(value)}</div></div>'
            for name, value in self._figures()
        )
        warning = self._warning() and (
            '<div style="margin-top:6px;color:var(--jp-error-color1, #e0484d)">'
            f"{escape(self._warning())}</div>"
        )
        return f'<div style="display:flex;flex-wrap:wrap;gap:8px 28px">{figures}</div>{warning}'


async def ask(
    control: Control, runs: Sequence[Run], left: Sequence[Run], *, live: bool | int
) -> Cost:
    """Find out what the runs that are left take; `live` may say on how many connections."""
    usage: Usage | None = None
    with suppress(NotFoundError, RateLimitError):
        usage = await control.usage()
    at_once, room = None, 1
    if usage is not None and live:
        at_once = usage.concurrent_limit
        room = max(1, at_once - usage.concurrent_streams)
    elif usage is not None:
        at_once = usage.simulation_queue
        room = at_once - usage.waiting_simulations
    if live:
        room = room if live is True else live
        pace: float | None = float(max(1, min(room, len(left))))
    else:
        pace = await _pace(control)
    return Cost(
        runs=len(runs),
        left=len(left),
        seconds=round(sum(run.script.duration for run in left), 3),
        pace=pace,
        used_hours=None if usage is None else usage.stream_hours + usage.simulation_hours,
        monthly_hours=None if usage is None else usage.monthly_hours,
        at_once=at_once,
        room=room,
        live=bool(live),
    )


async def _pace(control: Control) -> float | None:
    try:
        return pace_of((await control.simulations(limit=RECENT)).jobs)
    except RateLimitError:
        return None


def pace_of(jobs: Sequence[SimulationInfo]) -> float | None:
    """Return how many seconds of world the service has made in a second, of late.

    Only while it made any counts, and what it made at once counts together.
    """
    spans = sorted(
        (_seconds(job.started_at), _seconds(job.completed_at), job.frames_total)
        for job in jobs
        if job.status == SimulationStatus.COMPLETED and job.started_at and job.completed_at
        and job.frames_total
    )  # fmt: skip
    busy = until = 0.0
    for began, ended, _ in spans:
        busy += max(0.0, ended - max(began, until))
        until = max(until, ended)
    world = sum(frames for *_, frames in spans) / PICTURES_PER_SECOND
    return world / busy if busy > 0 else None


def _seconds(time: str) -> float:
    return datetime.fromisoformat(time).timestamp()
