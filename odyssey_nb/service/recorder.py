"""Writes a stream down while it runs: its pictures as they were encoded, and what happened when.

A `Scribe` writes, so that a slow disk delays no picture; what ends the recording does not end the
stream.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING

from odyssey_nb.media.h264 import CLOCK_RATE
from odyssey_nb.media.video import GROWING, VideoWriter
from odyssey_nb.service.scribe import Scribe

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    Item = tuple[bytes, int, bool] | dict[str, object]

GROWING_VIDEO = "video.growing.mp4"
EVENTS = "events.jsonl"


class Recorder:
    """Records one stream into `folder`, from its first keyframe to `close`.

    Whoever has time may have the `patience` to wait for the disk, so many seconds.
    """

    def __init__(self, folder: Path, *, patience: float = 0) -> None:
        self._folder = folder
        self._origin: int | None = None
        self._scribe: Scribe[Item] = Scribe("recording", self._write, patience=patience)

    @property
    def broken(self) -> bool:
        """Whether it ended before its stream, which the disk is to blame for."""
        return self._scribe.broken

    def picture(self, data: bytes, timestamp: int, key: bool) -> None:  # noqa: FBT001 - an outlet's form
        """Record a picture; `timestamp` in 1/90000 s."""
        if self._origin is None:
            if not key:
                return
            self._origin = timestamp
        self._scribe.put((data, timestamp - self._origin, key))

    def event(self, kind: str, timestamp: int, **fields: object) -> None:
        """Record that something happened; its time is the stream's, in seconds."""
        origin = timestamp if self._origin is None else self._origin
        seconds = max(0, timestamp - origin) / CLOCK_RATE
        self._scribe.put({"time": round(seconds, 3), "type": kind, **fields})

    def close(self) -> None:
        """Write what waits and close the files; see `Scribe.close`."""
        self._scribe.close()

    def _write(self, items: Iterator[Item]) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (
            (self._folder / EVENTS).open("a", encoding="utf-8", buffering=1) as events,
            ExitStack() as stack,
        ):
            video: VideoWriter | None = None
            for item in items:
                if isinstance(item, dict):
                    events.write(json.dumps(item) + "\n")
                    continue
                data, ticks, key = item
                if video is None:
                    path = self._folder / GROWING_VIDEO
                    video = stack.enter_context(VideoWriter.open(path, data, options=GROWING))
                video.write(data, ticks, key=key)
