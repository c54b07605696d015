"""The files that a Player's buttons make where the kernel is: clips and recordings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from odyssey_nb.errors import NotFoundError, UsageError
from odyssey_nb.kernel.recorder import Recorder, new_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from odyssey_nb.kernel.pictures import Pictures

PART_BYTES = 1 << 20  # of a file in one message; a page asks for the next when it has this one
MOST_FILES = 32  # that a page may fetch; older ones stay where they are
LONGEST_CLIP = 150.0  # seconds, as many as are kept

VERBS = frozenset({"clip", "record", "stop_recording", "file"})


class Saving:
    """Saves what `source` returns, beside the notebook; views may fetch what was saved here.

    At most one recording runs; when it is over, whoever ended it, `told` is called with what
    became of it.
    """

    def __init__(
        self, source: Callable[[], Pictures], told: Callable[[dict[str, Any]], None]
    ) -> None:
        self._source, self._told = source, told
        self._files: dict[str, Path] = {}
        self._recorder: Recorder | None = None

    @property
    def recording_since(self) -> float:
        """When the recording began that runs, in epoch seconds; 0: none does."""
        recorder = self._recorder
        return recorder.since if recorder is not None and recorder.running else 0.0

    def do(self, content: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
        """Do what a view asks for, one of `VERBS`; return what its answer says besides."""
        match content["type"]:
            case "clip":
                return self._clip(float(content.get("seconds") or 0)), []
            case "record":
                self._record()
            case "stop_recording":
                if self._recorder is not None:
                    self._recorder.stop()
            case "file":
                return self._part(str(content.get("file")), int(content.get("start") or 0))
        return {}, []

    def _clip(self, seconds: float) -> dict[str, Any]:
        clip = self._source().last(min(seconds, LONGEST_CLIP))
        if not len(clip):
            raise UsageError("there is no picture yet", hint="Try again when one is shown.")
        return self._saved(clip.save(new_file("clip")), clip.duration)

    def _record(self) -> None:
        if self.recording_since:
            raise UsageError("it is being recorded already", hint="Stop that first.")
        self._recorder = self._source().record_to(new_file("recording"), ended=self._over)

    def _over(self, recorder: Recorder) -> None:
        if recorder.pictures:
            self._told({**self._saved(recorder.path, recorder.seconds), "error": recorder.problem})
        else:
            self._told({"file": "", "error": recorder.problem or "no picture came to record"})

    def _saved(self, path: Path, seconds: float) -> dict[str, Any]:
        self._files[path.name] = path
        while len(self._files) > MOST_FILES:
            del self._files[next(iter(self._files))]
        return {"file": path.name, "seconds": round(seconds, 2), "size": path.stat().st_size}

    def _part(self, name: str, start: int) -> tuple[dict[str, Any], list[bytes]]:
        path = self._files.get(name)
        if path is None or not path.exists():
            raise NotFoundError(f"{name} is not here any more", hint="Save it again.")
        with path.open("rb") as file:
            file.seek(start)
            return {"size": path.stat().st_size}, [file.read(PART_BYTES)]
