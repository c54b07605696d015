"""A sweep's folder: what became of each run, its clip, and what was computed of it.

Everything is keyed by the content of a run, and written whole or not at all, so that a kernel may
die at any moment. A note is written *before* a simulation is asked for: whoever finds it later
knows that the service may have one that nobody has noted.
"""

from __future__ import annotations

import json
import os
import pickle
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec

from odyssey_nb.config import notebook_name
from odyssey_nb.errors import SettingError, SweepBusyError
from odyssey_nb.locking import try_lock
from odyssey_nb.media.jpeg import encode
from odyssey_nb.media.reading import read
from odyssey_nb.private import write_private

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from odyssey_nb.media.clip import Clip

THUMBNAIL = 176  # columns

_mine: set[Path] = set()  # a file lock does not tell this process's threads apart
_guard = threading.Lock()


class State(StrEnum):
    """How far a run has come."""

    WAITING = "waiting"
    ASKED = "asked"  # the service may have it, or not: nobody has noted its answer
    RUNNING = "running"  # the service has it
    DONE = "done"
    FAILED = "failed"


OVER = (State.DONE, State.FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What is known of a run.

    Attributes:
        state: How far it has come.
        job: The simulation's id, once the service has told it.
        after: The account's newest simulation when this one was asked for.
        since: When that was, in seconds since 1970.
        error: Why it failed.
    """

    state: State = State.WAITING
    job: str | None = None
    after: str | None = None
    since: float = 0.0
    error: str = ""


class Store:
    """The folder of one sweep; nothing is made before something is written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()

    def note(self, key: str) -> Note:
        """Return what is known of a run; one that nobody has noted waits."""
        try:
            return msgspec.json.decode(
                (self.folder / "runs" / f"{key}.json").read_bytes(), type=Note
            )
        except (OSError, msgspec.DecodeError):
            return Note()

    def jobs(self) -> set[str]:
        """Return the simulations of all runs that were ever noted here."""
        keys = [path.stem for path in (self.folder / "runs").glob("[!.]*.json")]
        return {job for key in keys if (job := self.note(key).job) is not None}

    def write(self, key: str, note: Note) -> None:
        """Note what is known of a run; one that waits needs no note."""
        path = self._place("runs", f"{key}.json")
        if note.state == State.WAITING:
            path.unlink(missing_ok=True)
        else:
            write_private(path, msgspec.json.encode(note).decode())

    def clip_path(self, key: str) -> Path:
        """Return where the clip of a run is, or will be."""
        return self.folder / "clips" / f"{key}.mp4"

    def keep_clip(self, key: str, clip: Clip) -> None:
        """Write the clip of a run, and a small picture of its end."""
        path = self._place("clips", f"{key}.mp4")
        clip.save(path.with_name(f".{key}.mp4")).replace(path)
        small = clip.resize(THUMBNAIL)
        path.with_suffix(".jpg").write_bytes(encode(small.at(small.times[-1])))

    def thumbnail(self, key: str) -> bytes:
        """Return a JPEG of how a run ended; an empty one where there is none."""
        try:
            return self.clip_path(key).with_suffix(".jpg").read_bytes()
        except OSError:
            return b""

    def clip(self, key: str) -> Clip:
        """Read the clip of a run."""
        return read(self.clip_path(key))

    def results(self, function: str, keys: Iterable[str]) -> dict[str, Any]:
        """Return what a function, by its fingerprint, has given for some runs."""
        found = {}
        for key in keys:
            with suppress(OSError, EOFError, pickle.UnpicklingError, AttributeError, ImportError):
                data = (self.folder / "results" / function / f"{key}.pickle").read_bytes()
                found[key] = pickle.loads(data)
        return found

    def keep_result(self, function: str, key: str, result: object) -> None:
        """Write what a function has given for a run; what cannot be written is not kept."""
        try:
            data = pickle.dumps(result)
        except Exception:  # whatever a stranger's object raises
            return
        path = self._place(f"results/{function}", f"{key}.pickle")
        partial = path.with_name(f".{key}.pickle")
        partial.write_bytes(data)
        partial.replace(path)

    def _place(self, folder: str, name: str) -> Path:
        path = self.folder / folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SettingError(
                f"{self.folder} cannot be written ({(error.strerror or 'no reason').lower()})",
                hint='Name another folder: ody.sweep(…, folder="/tmp/sweeps").',
            ) from error
        return path

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Be the only one that runs this sweep, in the body.

        Raises:
            SweepBusyError: Another kernel runs it, or another thread of this one.
        """
        path = self._place(".", "lock")
        with _guard:
            if path in _mine:
                raise SweepBusyError(f"the sweep {self.folder.name!r} runs in this kernel")
            # Opening and closing it again would free the lock that this process has of it.
            fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            if not try_lock(fd):
                who = _holder(fd)
                os.close(fd)
                raise SweepBusyError(f"the sweep {self.folder.name!r} runs {who}")
            _mine.add(path)
        try:
            os.ftruncate(fd, 0)
            os.write(fd, json.dumps({"pid": os.getpid(), "notebook": notebook_name()}).encode())
            yield
        finally:
            with _guard:
                os.close(fd)
                _mine.discard(path)


def _holder(fd: int) -> str:
    """Say who has the lock."""
    try:
        said = json.loads(os.pread(fd, 4096, 0))
        where = said["notebook"] or "another kernel"
        return f"in {where}, pid {said['pid']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "in another kernel"
