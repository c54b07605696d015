"""Writes a stream down while it runs: its pictures as they were encoded, and what happened when.

A thread of its own writes, so that a slow disk delays no picture. A full disk, or one that is so
slow that ten seconds of pictures wait, ends the recording; the stream goes on.
"""

from __future__ import annotations

import json
import logging
import queue
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING

from av import FFmpegError

from odyssey_nb.media.h264 import CLOCK_RATE
from odyssey_nb.media.video import GROWING, VideoWriter

if TYPE_CHECKING:
    from pathlib import Path

log = logging.getLogger(__name__)

GROWING_VIDEO = "video.growing.mp4"
EVENTS = "events.jsonl"
MOST_WAITING = 200  # pictures and events
CLOSE_SECONDS = 5.0


class Recorder:
    """Records one stream into `folder`, from its first keyframe to `close`.

    Whoever has time may have the `patience` to wait for the disk, so many seconds.
    """

    def __init__(self, folder: Path, *, patience: float = 0) -> None:
        self._folder = folder
        self._patience = patience
        self._inbox: queue.Queue[tuple[bytes, int, bool] | dict[str, object] | None]
        self._inbox = queue.Queue(MOST_WAITING)
        self._origin: int | None = None
        self.broken = False
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def picture(self, data: bytes, timestamp: int, key: bool) -> None:  # noqa: FBT001 - an outlet's form
        """Record a picture; `timestamp` in 1/90000 s."""
        if self._origin is None:
            if not key:
                return
            self._origin = timestamp
        self._put((data, timestamp - self._origin, key))

    def event(self, kind: str, timestamp: int, **fields: object) -> None:
        """Record that something happened; its time is the stream's, in seconds."""
        origin = timestamp if self._origin is None else self._origin
        seconds = max(0, timestamp - origin) / CLOCK_RATE
        self._put({"time": round(seconds, 3), "type": kind, **fields})

    def close(self) -> None:
        """Write what waits and close the files; waits `CLOSE_SECONDS` at most."""
        try:
            self._inbox.put(None, timeout=CLOSE_SECONDS)
        except queue.Full:
            return  # the thread hangs in the file system; what is on disk can be read
        self._thread.join(CLOSE_SECONDS)

    def _put(self, item: tuple[bytes, int, bool] | dict[str, object]) -> None:
        if self.broken:
            return
        try:
            self._inbox.put(item, timeout=self._patience)
        except queue.Full:
            self.broken = True
            log.exception("the disk is too slow to record; the recording ends here")

    def _run(self) -> None:
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with (
                (self._folder / EVENTS).open("a", encoding="utf-8", buffering=1) as events,
                ExitStack() as stack,
            ):
                video: VideoWriter | None = None
                while (item := self._inbox.get()) is not None:
                    if isinstance(item, dict):
                        events.write(json.dumps(item) + "\n")
                        continue
                    data, ticks, key = item
                    if video is None:
                        path = self._folder / GROWING_VIDEO
                        video = stack.enter_context(VideoWriter.open(path, data, options=GROWING))
                    video.write(data, ticks, key=key)
        except (OSError, FFmpegError):
            log.exception("recording failed; the stream goes on")
            self.broken = True
