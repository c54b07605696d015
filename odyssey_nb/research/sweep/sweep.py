"""A sweep as cells see it: estimated, run, resumed, and read as tables and grids."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from odyssey_nb.client.control import Control
from odyssey_nb.errors import (
    AnswerTimeoutError,
    CannotCancelError,
    ConnectError,
    NoStreamerError,
    NotFoundError,
    UsageError,
)
from odyssey_nb.kernel.aio import Aio
from odyssey_nb.kernel.recordings import talking
from odyssey_nb.kernel.simulations import POLL_SECONDS, SLOW_POLL_SECONDS
from odyssey_nb.media.grid import WIDTH, grid
from odyssey_nb.research.metrics.series import Estimate
from odyssey_nb.research.sweep import cost
from odyssey_nb.research.sweep.feeder import Feeder
from odyssey_nb.research.sweep.live import Stage
from odyssey_nb.research.sweep.page import page
from odyssey_nb.research.sweep.plan import name_of, plan
from odyssey_nb.research.sweep.store import OVER, Note, State, Store
from odyssey_nb.research.sweep.table import Table, figure
from odyssey_nb.research.sweep.work import compute

if TYPE_CHECKING:
    from odyssey_nb.config import Target
    from odyssey_nb.media.clip import Clip
    from odyssey_nb.research.sweep.plan import Run
    from odyssey_nb.research.sweep.work import Work

PATIENCE_SECONDS = 60.0  # with a service that does not answer
BAR = "{l_bar}{bar}| {n:.1f} of {total} [{elapsed}<{remaining}{postfix}]"
ORDER = (State.DONE, State.RUNNING, State.ASKED, State.WAITING, State.FAILED)  # as it is told
MOST_COLUMNS = 8  # of a grid that stand in one row


class Sweep(Sequence["Run"]):
    """Runs of prompts × parameters × images × repeats; `odyssey_nb.sweep` makes one.

    Whatever is finished lies in its folder: the same cell, run again in another kernel, goes on
    where this one was.

    >>> sweep.estimate  # what is left will take
    >>> sweep.run()  # or sweep.run(wait=False), and sweep.wait() later
    >>> sweep.table(sharpness=metrics.sharpness)
    >>> sweep[{"weather": "foggy"}].grid()

    Attributes:
        name: What it is called, as its folder is.
        folder: Where its notes, clips and results are.
    """

    def __init__(
        self, name: str, runs: Sequence[Run], store: Store, target: Target, *, live: bool | int
    ) -> None:
        self.aio = Aio(self, "run", "wait", "retry", "cancel", "map", "table", "summary", "grid")
        self.name = name
        self.folder = store.folder
        self._runs = list(runs)
        self._store = store
        self._target = target
        self._live = live

    def __len__(self) -> int:
        return len(self._runs)

    def __iter__(self) -> Iterator[Run]:
        return iter(self._runs)

    def __getitem__(self, which: Any) -> Any:  # noqa: ANN401 - a run, or some of them
        """Return one run by its number, or those of a slice or with these values, as a sweep."""
        if isinstance(which, Mapping):
            return self.select(**which)
        return self._some(self._runs[which]) if isinstance(which, slice) else self._runs[which]

    def select(self, **values: Any) -> Sweep:
        """Return the runs that have these values, as a sweep in the same folder.

        >>> sweep.select(weather="foggy", time=["dawn", "dusk"]).grid()

        Raises:
            UsageError: Nothing is called so, or no run has such values.
        """
        known = list(dict.fromkeys(name for run in self for name in run.values))
        for name in values:
            if name not in known:
                raise UsageError(
                    f"this sweep varies no {name}",
                    hint=f"It varies {', '.join(known) or 'nothing'}.",
                )
        wanted = {
            name: list(each) if isinstance(each, Iterable) and not isinstance(each, str) else [each]
            for name, each in values.items()
        }
        found = [
            run
            for run in self
            if all(name in run.values and run.values[name] in each for name, each in wanted.items())
        ]
        if not found:
            raise UsageError(f"no run has {values}", hint="See sweep.table().")
        return self._some(found)

    def _some(self, runs: Sequence[Run]) -> Sweep:
        return Sweep(self.name, runs, self._store, self._target, live=self._live)

    @property
    def estimate(self) -> cost.Cost:
        """What the runs that are left will take: of time, of the month, and of the limits."""
        left = [run for run in self if run.note.state not in OVER]
        with talking(self._target) as talk:
            return talk(lambda control: cost.ask(control, self._runs, left, live=self._live))

    def run(self, *, wait: bool = True, timeout: float | None = None) -> Self:
        """Run what has not been run, with a bar, after saying what it will take; return it.

        Safe to run again, in this kernel or another: what is finished stays, what the service still
        works on is followed, and only what is missing is asked for. Runs that failed stay so until
        `retry`. Interrupting the cell loses nothing either.

        Args:
            wait: Until all are over; else it returns once the account's queue is full, and `wait`
                goes on.
            timeout: Longest wait, in seconds; None waits as long as it takes.

        Raises:
            AnswerTimeoutError: Some are not over after `timeout`.
            SweepBusyError: Another kernel runs it now.
            ConnectError: The service has not answered for a minute.
            LimitError: The month is used up, or the account is suspended.
        """
        if self._live and not wait:
            raise UsageError("what runs live needs its kernel", hint="Leave wait=False out.")
        with self._store.locked():
            counts = self._counts()
            if all(state in OVER for state in counts):
                self._say("nothing is left to run" + self._failed_hint(counts))
                return self
            estimate = self.estimate
            self._say(str(estimate))
            try:
                if self._live:
                    self._play(estimate.room, timeout)
                else:
                    self._simulate(wait=wait, timeout=timeout)
            except KeyboardInterrupt:
                running = self._counts().get(State.RUNNING, 0)
                goes_on = f"{running} simulations go on at the service. " if running else ""
                calls_off = "; .cancel() calls off those that wait" if running else ""
                self._say(f"{goes_on}Run the cell again to go on with the rest{calls_off}")
                raise
        counts = self._counts()
        if State.FAILED in counts:
            self._say(self._failed_hint(counts).lstrip("; "))
        return self

    def wait(self, timeout: float | None = None) -> Self:
        """Go on until all are over; see `run`."""
        return self.run(timeout=timeout)

    def retry(self, *, timeout: float | None = None) -> Self:
        """Run what failed once more, and what has not been run; see `run`."""
        with self._store.locked():
            for run in self:
                if run.note.state == State.FAILED:
                    self._store.write(run.key, Note())
        return self.run(timeout=timeout)

    def cancel(self) -> Self:
        """Call off the simulations that have made no picture yet, and return the sweep.

        What runs already goes on, and `run` finds it finished.

        Raises:
            SweepBusyError: Another kernel runs it now.
        """
        with self._store.locked(), talking(self._target) as talk:
            for run in self:
                note = run.note
                if note.state != State.RUNNING or note.job is None:
                    continue
                with suppress(CannotCancelError, NotFoundError):
                    talk(partial(Control.cancel_simulation, job_id=note.job))
                    self._store.write(run.key, Note())
        return self

    @contextmanager
    def _bar(self) -> Iterator[Callable[[float, str], None]]:
        """Show how far it is: give what is called with how many runs that are, and words."""
        from tqdm.auto import tqdm

        title, before = f"sweep {self.name}", self._over()
        with tqdm(
            total=len(self), initial=before, desc=title, bar_format=BAR, leave=False
        ) as bar:  # fmt: skip

            def show(over: float, words: str) -> None:
                bar.set_postfix_str(words, refresh=False)
                bar.n = over
                bar.refresh()

            yield show

    def _late(self, timeout: float, over: int) -> AnswerTimeoutError:
        return AnswerTimeoutError(
            f"{len(self) - over} of {len(self)} runs are not over after {timeout:g} s",
            hint="wait() waits again.",
        )

    def _play(self, at_once: int, timeout: float | None) -> None:
        """Play what is left on so many connections."""
        began = time.monotonic()
        with self._bar() as show:

            def look() -> None:
                over = self._over()
                show(over, f"{at_once} at once")
                if timeout is not None and time.monotonic() >= began + timeout:
                    raise self._late(timeout, over)

            Stage(self.name, self._target, self._store, self._runs).play(at_once, look)

    def _simulate(self, *, wait: bool, timeout: float | None) -> None:
        """Take what is left through the account's queue."""
        began = answered = time.monotonic()
        with talking(self._target) as talk, self._bar() as show:
            feeder = Feeder(talk, self._store, self._runs)
            while True:
                try:
                    feeder.round()
                    answered = time.monotonic()
                except (ConnectError, NoStreamerError):
                    if time.monotonic() - answered > PATIENCE_SECONDS:
                        raise
                running, waiting = map(feeder.count, (State.RUNNING, State.WAITING))
                show(feeder.progress, f"{running} running, {waiting} waiting")
                if feeder.over or not (wait or feeder.hurried):
                    return
                if timeout is not None and time.monotonic() >= began + timeout:
                    raise self._late(timeout, sum(map(feeder.count, OVER)))
                if not feeder.hurried:
                    time.sleep(POLL_SECONDS if feeder.told else SLOW_POLL_SECONDS)

    def _counts(self) -> dict[State, int]:
        found: dict[State, int] = {}
        for run in self:
            state = run.note.state
            found[state] = found.get(state, 0) + 1
        return found

    def _over(self) -> int:
        counts = self._counts()
        return sum(counts.get(state, 0) for state in OVER)

    def _failed_hint(self, counts: Mapping[State, int]) -> str:
        failed = counts.get(State.FAILED, 0)
        return f"; {failed} failed: see .failures, and .retry() runs them again" if failed else ""

    def _say(self, words: str) -> None:
        print(f"sweep {self.name}: {words}")  # noqa: T201 - this is the cell's output

    @property
    def failures(self) -> Table:
        """The runs that failed, each with its reason."""
        rows = [
            {**run.values, "status": "failed", "reason": run.error}
            for run in self
            if run.note.state == State.FAILED
        ]
        return Table(rows, empty="no run has failed")

    @property
    def done(self) -> list[Run]:
        """The runs whose clips are here, in their order."""
        return [run for run in self if run.note.state == State.DONE]

    @property
    def clips(self) -> list[Clip]:
        """The clips that are here, in the order of `done`."""
        return [run.clip() for run in self.done]

    def grid(self, *, columns: int | None = None, width: int = WIDTH) -> Clip:
        """Return the clips side by side with their values over them: `odyssey_nb.grid`.

        Args:
            columns: How many stand beside each other; left out, one for each value of what varies
                last.
            width: Of the whole, in pixels.

        Raises:
            UsageError: None is done, or the whole would be too large.
        """
        done = self.done
        if not done:
            raise UsageError("no run is done yet", hint="sweep.run() runs them.")
        columns = columns or self._last_axis() or max(1, round(len(done) ** 0.5))
        labels = [run.label for run in done]
        return grid([run.clip() for run in done], labels, min(columns, len(done)), width)

    def _last_axis(self) -> int | None:
        """Return how many values the thing has that varies last, if they fit in a row."""
        for name in reversed(list(self._runs[0].values)):
            count = len({run.values.get(name) for run in self})
            if count > 1:
                return count if count <= MOST_COLUMNS else None
        return None

    def map(self, function: Work, *, executor: object = None) -> list[Any]:
        """Return what `function` gives for each clip that is here, in the order of `done`.

        It runs in processes beside the kernel, or where you say. Results are kept in the sweep's
        folder, and computed again only when the function changes: its code, its defaults, what it
        closes over, or helpers of the same module.

        >>> sweep.map(lambda clip: clip.frames.mean())

        Args:
            function: Takes a clip. What it gives must go into a pickle: read no results from the
                folder of somebody whose code you would not run.
            executor: One of `concurrent.futures`, a client of dask.distributed, or ``"ray"`` for
                the cluster that Ray is connected to. They need this package too.

        Raises:
            UsageError: Ray is not installed.
        """
        keys = [run.key for run in self.done]
        (found,) = compute([function], keys, self._store, executor, f"sweep {self.name}")
        return [found[key] for key in keys]

    def table(self, *, executor: object = None, **metrics: Work) -> Table:
        """Return a row for each run: its values, how far it is, and what metrics give for its clip.

        >>> sweep.table(sharpness=metrics.sharpness, red=lambda clip: clip.frames[..., 0].mean())

        Args:
            executor: See `map`.
            metrics: Each takes a clip; of a series the mean is shown.
        """
        found = self._figures(metrics, executor)
        return Table(
            [
                {
                    **(run.values or {"prompt": run.prompt}),
                    "status": str(run.note.state),
                    **{name: each.get(run.key) for name, each in found.items()},
                }
                for run in self
            ]
        )

    def summary(self, *, executor: object = None, **metrics: Work) -> Table:
        """Return a row for each set of values, with means over its repeats and their intervals.

        >>> sweep.summary(motion=metrics.motion)

        Args:
            executor: See `map`.
            metrics: Each takes a clip and gives a series or a number.
        """
        found = self._figures(metrics, executor)
        groups: dict[str, list[Run]] = {}
        for run in self:
            same = {name: value for name, value in run.values.items() if name != "repeat"}
            groups.setdefault(repr(same), []).append(run)
        rows = []
        for runs in groups.values():
            values = runs[0].values or {"prompt": runs[0].prompt}
            row = {name: value for name, value in values.items() if name != "repeat"}
            row["n"] = sum(run.note.state == State.DONE for run in runs)
            for name, each in found.items():
                figures = [float(each[run.key]) for run in runs if run.key in each]
                row[name] = Estimate.of(figures) if figures else None
            rows.append(row)
        return Table(rows)

    def _figures(self, metrics: Mapping[str, Work], executor: object) -> dict[str, dict[str, Any]]:
        """Return what each metric gives for each run, by their names."""
        keys = [run.key for run in self.done]
        found = compute(list(metrics.values()), keys, self._store, executor, "metrics")
        return {
            name: {key: figure(each[key]) for key in keys}
            for name, each in zip(metrics, found, strict=True)
        }

    def _line(self) -> str:
        counts = self._counts()
        return f"sweep {self.name}: {len(self)} runs, " + ", ".join(
            f"{counts[state]} {state}" for state in ORDER if state in counts
        )

    def __repr__(self) -> str:
        return f"{self._line()}\n{self.table()!r}"

    def _repr_html_(self) -> str:
        return page(self._line(), self._counts(), self._runs)


def plan_sweep(
    target: Target,
    prompts: object,
    parameters: Mapping[str, object],
    *,
    name: str | None,
    folder: str | Path,
    live: bool | int,
    **options: Any,
) -> Sweep:
    """Return a sweep of what `plan` takes: `odyssey_nb.sweep`."""
    name = name or name_of(prompts)
    if not re.fullmatch(r"[\w][\w. -]*", name):
        raise UsageError(f"{name!r} names no folder", hint='Write name="fog", for example.')
    store = Store(Path(folder).expanduser() / name)
    salt = f"{target.name} live" if live else target.name
    runs = plan(prompts, parameters, store=store, salt=salt, **options)
    return Sweep(name, runs, store, target, live=live)
