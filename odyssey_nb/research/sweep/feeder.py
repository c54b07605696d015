"""Keeps an account's queue of simulations full of a sweep's runs, and no fuller."""

from __future__ import annotations

import json
import time
from functools import partial
from typing import TYPE_CHECKING

from odyssey_nb.client.control import Control
from odyssey_nb.errors import (
    AuthError,
    LimitError,
    NotFoundError,
    PrivilegeError,
    RateLimitError,
    ScriptError,
    SimulationQueueError,
)
from odyssey_nb.media.clip import PROMPTS
from odyssey_nb.media.reading import read
from odyssey_nb.research.sweep.store import OVER, Note, State
from odyssey_nb.wire.script import pictures, unmarked
from odyssey_nb.wire.simulations import ACTIVE, SimulationStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from odyssey_nb.kernel.recordings import Talk
    from odyssey_nb.research.sweep.plan import Run
    from odyssey_nb.research.sweep.store import Store
    from odyssey_nb.wire.simulations import SimulationInfo

PAGE = 100  # simulations that a service lists at once
MOST_PAGES = 20  # of them, that are looked through for one that nobody has noted
QUEUE = 10  # documented, where the service does not tell (protocol section 8)
DOUBT_SECONDS = 12.0  # after which a request that was cut off does not arrive any more
PAUSE_SECONDS = 5.0  # after a refusal that does not say how long


class Feeder:
    """Takes runs through the service, one `round` after the other.

    One instance at a time: whoever makes it holds the lock of the store.
    """

    def __init__(self, talk: Talk, store: Store, runs: Sequence[Run]) -> None:
        self._talk, self._store = talk, store
        self._runs = {run.key: run for run in runs}
        self.notes = {key: store.note(key) for key in self._runs}
        self._known = store.jobs()
        self._made: dict[str, SimulationInfo] = {}  # completed, and not fetched yet
        self._newest: str | None = None  # of the account's simulations
        self._limit: int | None = None
        self.resumes = 0.0  # when a service that was asked too often may be asked again
        self._parts: dict[str, float] = {}  # how much of each is done, from 0 to 1
        self.told = False  # whether the service tells how far simulations are

    @property
    def over(self) -> bool:
        """Whether nothing is left to do."""
        return all(note.state in OVER for note in self.notes.values())

    @property
    def progress(self) -> float:
        """How many runs are over; one that is under way counts in part."""
        return sum(
            1.0 if note.state in OVER else self._parts.get(key, 0.0)
            for key, note in self.notes.items()
        )

    def count(self, state: State) -> int:
        """Return how many runs are so far."""
        return sum(note.state == state for note in self.notes.values())

    def round(self) -> None:
        """Look what has become of the runs, ask for more, and fetch one clip.

        Raises:
            ConnectError: The service does not answer; the next round may have more luck.
            LimitError: The account's month is used up, or it is suspended.
            AuthError: The key was refused.
        """
        if time.monotonic() < self.resumes:
            return
        try:
            jobs = self._list()
            self._follow(jobs)
            self._settle()
            self._fill(jobs)
            self._fetch()
        except RateLimitError as refusal:
            self.resumes = time.monotonic() + (refusal.retry_after or PAUSE_SECONDS)

    @property
    def hurried(self) -> bool:
        """Whether a clip can be fetched, so that the next round should come at once."""
        return bool(self._made) and time.monotonic() >= self.resumes

    def _list(self) -> list[SimulationInfo]:
        page = self._talk(lambda control: control.simulations(limit=PAGE))
        self._newest = page.jobs[0].job_id if page.jobs else None
        return page.jobs

    def _set(self, key: str, note: Note) -> None:
        self._store.write(key, note)
        self.notes[key] = note

    def _follow(self, jobs: Sequence[SimulationInfo]) -> None:
        """See how far the simulations are that run."""
        listed = {each.job_id: each for each in jobs}
        for key, note in list(self.notes.items()):
            if note.state != State.RUNNING or note.job is None or key in self._made:
                continue
            try:
                look = partial(Control.simulation, job_id=note.job)
                info = listed.get(note.job) or self._talk(look)
            except NotFoundError:  # the service has forgotten it
                self._set(key, Note())
                continue
            self.told = self.told or info.frames_total is not None
            self._parts[key] = (info.frames_done or 0) / (info.frames_total or 1)
            if info.status == SimulationStatus.COMPLETED:
                self._made[key] = info
            elif info.status == SimulationStatus.FAILED:
                self._fail(key, info.error_message or "the simulation failed")
            elif info.status == SimulationStatus.CANCELLED:
                self._fail(key, "it was cancelled elsewhere")

    def _fail(self, key: str, why: str) -> None:
        self._set(key, Note(state=State.FAILED, job=self.notes[key].job, error=why))

    def _settle(self) -> None:
        """Find out whether what was asked for, and not answered, is there."""
        for key, note in list(self.notes.items()):
            if note.state != State.ASKED:
                continue
            unsure = False
            for job in self._unknown(note.after):
                ours = self._talk(partial(self._is, job=job, key=key))
                unsure = unsure or ours is None
                if ours:
                    self._took(key, job)
                    break
            else:
                if not unsure and abs(time.time() - note.since) > DOUBT_SECONDS:
                    self._set(key, Note())

    def _unknown(self, after: str | None) -> list[SimulationInfo]:
        """Return the account's simulations since `after` that no run is known to have."""
        found: list[SimulationInfo] = []
        for number in range(MOST_PAGES):
            page = self._talk(partial(Control.simulations, limit=PAGE, offset=number * PAGE))
            for each in page.jobs:
                if each.job_id == after:
                    return found
                if each.job_id not in self._known:
                    found.append(each)
            if len(page.jobs) < PAGE:
                break
        return found

    async def _is(self, control: Control, job: SimulationInfo, key: str) -> bool | None:
        """Return whether a simulation is of this run, by its content; None while it has none."""
        run = self._runs[key]
        script = list(run.script.entries)
        info = await control.simulation(job.job_id)
        if info.frames_total not in {None, pictures(script)}:
            return False
        if info.status in {SimulationStatus.FAILED, SimulationStatus.CANCELLED}:
            return False  # once more is no repetition
        if info.status != SimulationStatus.COMPLETED:
            return None
        if len(info.streams or []) != 1:
            return False
        (stream,) = info.streams or []
        try:
            lines = (await control.download(stream.events_url)).splitlines()
        except NotFoundError:  # deleted
            return False
        events = [each for each in map(json.loads, lines) if each.get("type") in PROMPTS]
        said = [each.get("prompt") for each in events]
        if any(each is not None for each in said):
            return said == [words for _, verb, words in run.script if verb in PROMPTS]
        # A service whose events do not repeat what was sent. Its length must do.
        return abs((stream.duration_seconds or 0) - run.script.duration) < 0.1

    def _fill(self, jobs: Sequence[SimulationInfo]) -> None:
        """Ask for as many simulations as there is room for."""
        if self._limit is None:
            self._limit = self._talk(_queue_limit)
        room = self._limit - sum(each.status in ACTIVE for each in jobs)
        for key in [key for key, note in self.notes.items() if note.state == State.WAITING]:
            if room <= 0:
                return
            try:
                self._took(key, self._talk(partial(self._submit, key=key)))
            except SimulationQueueError:  # somebody else was quicker
                return
            except (ScriptError, PrivilegeError) as error:
                self._fail(key, error.one_line())
                continue
            room -= 1

    def _took(self, key: str, job: SimulationInfo) -> None:
        """The service has this run."""
        self._known.add(job.job_id)
        self._newest = job.job_id
        self.told = self.told or job.frames_total is not None
        self._set(key, Note(state=State.RUNNING, job=job.job_id))

    async def _submit(self, control: Control, key: str) -> SimulationInfo:
        """Ask for a simulation, and note that before and after.

        Between the two notes nobody can say whether the service has it; `_settle` finds out. An
        interrupted cell does not get between them: this runs to its end on a thread of its own.
        """
        run = self._runs[key]
        script = unmarked(list(run.full_script.entries))
        asked = Note(state=State.ASKED, after=self._newest, since=time.time())
        self._store.write(key, asked)
        self.notes[key] = asked
        try:
            job = await control.simulate(
                [script], portrait=run.orientation == "portrait", bypass=run.bypass or None
            )
        except (AuthError, LimitError, ScriptError):
            self._set(key, Note())  # it was refused, so it is not there
            raise
        self._store.write(key, Note(state=State.RUNNING, job=job.job_id))
        return job

    def _fetch(self) -> None:
        """Fetch one clip of what is completed."""
        for key in list(self._made):
            run = self._runs[key]
            try:
                video, events = self._talk(partial(self._download, key=key))
            except NotFoundError:
                self._fail(key, "its recording was deleted")
            else:
                found = [*map(json.loads, events.splitlines()), *run.script.marks]
                found.sort(key=lambda each: float(each["time"]))
                self._store.keep_clip(key, read(video, found))
                self._set(key, Note(state=State.DONE, job=self.notes[key].job))
            del self._made[key]
            return

    async def _download(self, control: Control, key: str) -> tuple[bytes, bytes]:
        info = await control.simulation(self._made[key].job_id)
        if not info.streams:
            raise NotFoundError("it left no recording")
        stream = info.streams[0]
        return (
            await control.download(stream.video_url),
            await control.download(stream.events_url),
        )


async def _queue_limit(control: Control) -> int:
    try:
        return (await control.usage()).simulation_queue
    except NotFoundError:
        return QUEUE
