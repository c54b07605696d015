"""Simulations as cells see them: submitted, waited for with a bar, and full of recordings."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from odyssey_nb.errors import (
    AnswerTimeoutError,
    NotFoundError,
    SimulationCancelledError,
    SimulationFailedError,
    UsageError,
)
from odyssey_nb.kernel.aio import Aio
from odyssey_nb.kernel.recordings import Recording, RecordingList, ask, talking
from odyssey_nb.wire.recordings import RecordingInfo
from odyssey_nb.wire.script import marks_of, unmarked
from odyssey_nb.wire.simulations import SimulationInfo, SimulationStatus
from odyssey_nb.wire.stream import LANDSCAPE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from odyssey_nb.config import Target
    from odyssey_nb.media.clip import Clip
    from odyssey_nb.wire.script import Script

OVER = (SimulationStatus.COMPLETED, SimulationStatus.FAILED, SimulationStatus.CANCELLED)
POLL_SECONDS = 0.3  # between two questions to a service that tells its progress
SLOW_POLL_SECONDS = 5.0  # to one that does not: the documented pattern (protocol section 2.9)


class Progress(NamedTuple):
    """Pictures made, and pictures in all; None where the service does not tell."""

    done: int | None
    total: int | None


class Simulation:
    """One simulation of an account. Whatever it tells is asked of the service, until it is over.

    Attributes:
        id: The job's id.
        created: When it was submitted, with its time zone.
    """

    def __init__(
        self, target: Target, info: SimulationInfo, scripts: Sequence[Script] = ()
    ) -> None:
        self.aio = SimulationAio(self)
        self._scripts = scripts
        self._target = target
        self._info = info
        self.id = info.job_id
        created = info.created_at
        self.created = datetime.fromisoformat(created) if created else datetime.now(UTC)

    @property
    def status(self) -> str:
        """``pending``, ``dispatched``, ``processing``, ``completed``, ``failed``, ``cancelled``."""
        return self._look().status

    @property
    def progress(self) -> Progress:
        """How far it has come."""
        info = self._look()
        return Progress(info.frames_done, info.frames_total)

    @property
    def recordings(self) -> RecordingList:
        """What is there so far: one recording for each script that is done, in their order."""
        info = self._look(whole=True)
        streams = sorted(info.streams or [], key=lambda each: each.script_index)
        found = [
            Recording(
                self._target,
                RecordingInfo(
                    stream_id=each.stream_id,
                    width=each.width or LANDSCAPE[0],
                    height=each.height or LANDSCAPE[1],
                    started_at=info.started_at or info.created_at,
                    duration_seconds=each.duration_seconds,
                ),
            )
            for each in streams
        ]
        return RecordingList(found, len(found), self._target)

    @property
    def clips(self) -> list[Clip]:
        """The clip of each script that is done, downloaded at each access.

        >>> ody.grid(ody.simulate([calm, stormy]).clips)
        """
        return [each.clip(marks=self._marks(number)) for number, each in enumerate(self.recordings)]

    def _marks(self, number: int) -> list[dict[str, Any]]:
        """Return the marks of script `number`; the service knows none, and lists have none."""
        return marks_of(self._scripts[number]) if number < len(self._scripts) else []

    def clip(self) -> Clip:
        """Download the recording of its only script; see `Recording.clip`.

        Raises:
            NotFoundError: It is not done.
            UsageError: It has several scripts.
        """
        recordings = self.recordings
        if not recordings:
            raise NotFoundError("it has no recording yet", hint="wait() waits until it has.")
        if len(recordings) > 1:
            raise UsageError(f"it has {len(recordings)} recordings", hint="Use .clips.")
        return recordings[0].clip(marks=self._marks(0))

    def wait(self, timeout: float | None = None) -> Self:
        """Wait, with a bar, until it is completed, and return it.

        Interrupting the cell ends the waiting; the simulation goes on.

        Args:
            timeout: Longest wait, in seconds; None waits as long as it takes.

        Raises:
            SimulationFailedError: It failed.
            SimulationCancelledError: It was cancelled.
            AnswerTimeoutError: It is not over after `timeout`.
        """
        try:
            self._follow(timeout)
        except KeyboardInterrupt:
            print(  # noqa: T201 - this is the cell's output
                f"simulation {self.id[:8]} goes on: ody.simulations()[0].wait() waits again, "
                ".cancel() calls it off while it waits for its turn"
            )
            raise
        if self._info.status == SimulationStatus.FAILED:
            raise SimulationFailedError(self._info.error_message or "the simulation failed")
        if self._info.status == SimulationStatus.CANCELLED:
            raise SimulationCancelledError(f"simulation {self.id[:8]} was cancelled")
        return self

    def _follow(self, timeout: float | None) -> None:
        from tqdm.auto import tqdm

        began = time.monotonic()
        with (
            talking(self._target) as talk,
            tqdm(
                total=self._info.frames_total, desc=f"simulation {self.id[:8]}", unit=" pictures",
                leave=False,
            ) as bar,
        ):  # fmt: skip
            while True:
                self._info = info = talk(lambda control: control.simulation(self.id))
                bar.update((info.frames_done or 0) - bar.n)
                bar.set_postfix_str(info.status)
                if info.status in OVER:
                    return
                if timeout is not None and time.monotonic() >= began + timeout:
                    raise still_under_way(self.id, info.status, timeout)
                time.sleep(POLL_SECONDS if info.frames_total is not None else SLOW_POLL_SECONDS)

    def cancel(self) -> None:
        """Call it off; safe to call again.

        Raises:
            CannotCancelError: It has made pictures, or is over.
        """
        if self._look().status != SimulationStatus.CANCELLED:
            ask(self._target, lambda control: control.cancel_simulation(self.id))

    def _look(self, *, whole: bool = False) -> SimulationInfo:
        """Return what the service says; `whole` with its results, which lists leave out."""
        if self._info.status not in OVER or (whole and self._info.streams is None):
            self._info = ask(self._target, lambda control: control.simulation(self.id))
        return self._info

    def __repr__(self) -> str:
        return f"<Simulation {self.id[:8]} {_told(self._look())}>"

    def _repr_html_(self) -> str:
        info = self._look(whole=True)
        pictures = self.recordings._repr_html_() or ""
        return (
            f'<div style="margin-bottom:8px">{_line(info)}</div>'
            f"<div>{escape(info.error_message or '')}</div>{pictures}"
        )


class SimulationAio(Aio):
    """The twins of a simulation's methods; a wait that is cancelled asks no more."""

    def __init__(self, simulation: Simulation) -> None:
        super().__init__(simulation, "cancel", "clip", "wait")
        self._simulation = simulation

    async def wait(self, timeout: float | None = None) -> Simulation:  # noqa: ASYNC109
        """Wait, without a bar; see `Simulation.wait`."""
        simulation = self._simulation
        try:
            async with asyncio.timeout(timeout):
                # Nothing here can be waited on: that is why it is asked again and again.
                while await asyncio.to_thread(lambda: simulation.status) not in OVER:  # noqa: ASYNC110
                    await asyncio.sleep(SLOW_POLL_SECONDS / 5)
        except TimeoutError:
            raise still_under_way(simulation.id, simulation.status, timeout or 0) from None
        return simulation.wait()


def still_under_way(job_id: str, status: str, waited: float) -> AnswerTimeoutError:
    """Return the error of a wait that was shorter than its simulation."""
    return AnswerTimeoutError(
        f"simulation {job_id[:8]} is {status} after {waited:g} s",
        hint="It goes on; wait() waits again.",
    )


def _told(info: SimulationInfo) -> str:
    """Say how far it is, in a few words."""
    words: str = info.status
    if info.frames_total is not None:
        words += f", {info.frames_done or 0} of {info.frames_total} pictures"
    if info.error_message:
        words += f": {info.error_message}"
    return words


def _line(info: SimulationInfo) -> str:
    """A bar, and how far it is in words."""
    share = (info.frames_done or 0) / (info.frames_total or 1)
    colour = {"failed": "#d33", "cancelled": "#888"}.get(info.status, "#2a8")
    bar = (
        '<span style="display:inline-block;width:160px;height:8px;border-radius:4px;'
        'background:#8884;overflow:hidden;vertical-align:middle;margin:0 10px">'
        f'<span style="display:block;height:8px;width:{share:.0%};background:{colour}"></span>'
        "</span>"
    )
    count = f"{info.frames_done or 0} / {info.frames_total}" if info.frames_total else ""
    return (
        f'<code>{escape(info.job_id[:8])}</code>{bar}<b style="color:{colour}">'
        f'{escape(info.status)}</b> <span style="opacity:.7">{count}</span>'
    )


class SimulationList(list[Simulation]):
    """Simulations, newest first, as they were when they were listed."""

    def __init__(self, simulations: list[Simulation], total: int) -> None:
        super().__init__(simulations)
        self.total = total

    def __repr__(self) -> str:
        if not self:
            return "no simulations; ody.simulate(script) runs one"
        lines = [
            f"{number:>3}  {each.id[:8]}  {each.created.astimezone():%Y-%m-%d %H:%M}  "
            f"{_told(each._info)}"
            for number, each in enumerate(self)
        ]
        more = self.total - len(self)
        return "\n".join(lines) + (f"\n     and {more} more" if more > 0 else "")

    def _repr_html_(self) -> str | None:
        if not self:
            return None
        # No table: notebooks stripe those, and align their cells to the right.
        return "".join(
            f'<div style="white-space:nowrap">[{number}] {each.created.astimezone():%d %b %H:%M} '
            f"{_line(each._info)} {escape(each._info.error_message or '')}</div>"
            for number, each in enumerate(self)
        )


def submit(
    target: Target, scripts: list[Script], *, portrait: bool, bypass: bool = False
) -> Simulation:
    """Submit a simulation of `scripts`, and return it at once."""
    info = ask(
        target,
        lambda control: control.simulate(
            [unmarked(each) for each in scripts], portrait=portrait, bypass=bypass or None
        ),
    )
    return Simulation(target, info, scripts)


def page(target: Target, limit: int) -> SimulationList:
    """Return the account's newest simulations."""
    found = ask(target, lambda control: control.simulations(limit=limit))
    return SimulationList([Simulation(target, each) for each in found.jobs], found.total)
