"""A recording made here: what streams from now on, written to a file as it was streamed."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from odyssey_nb.errors import AnswerTimeoutError, OdysseyNBError, UsageError
from odyssey_nb.kernel.aio import Aio
from odyssey_nb.kernel.frames import AT_ONCE
from odyssey_nb.kernel.link import GRACE
from odyssey_nb.wire import link as wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from odyssey_nb.kernel.newest import Streaming

log = logging.getLogger(__name__)

FIRST_SECONDS = 10.0  # for a first picture
WAIT_SECONDS = 1.0  # for a next one, before it is seen whether there will be any
STOP_SECONDS = 10.0
SUFFIX = ".mp4"


def new_file(kind: str) -> Path:
    """Return a path in the working directory that nothing has: ``odyssey-KIND-DATE-TIME.mp4``."""
    stem = f"odyssey-{kind}-{time.strftime('%Y%m%d-%H%M%S')}"
    path, count = Path.cwd() / f"{stem}{SUFFIX}", 1
    while path.exists():
        count += 1
        path = path.with_name(f"{stem}-{count}{SUFFIX}")
    return path


class Recorder:
    """Writes one stream to an MP4 from the newest keyframe on, until `stop` or the stream's end.

    Nothing is encoded again, and there is no limit but the disk's: pictures are taken from the
    sidecar's ring, which keeps 150 s of them while the kernel computes. What it has written can be
    played at any time, also after the kernel was killed. A stream that goes on past a limit is
    another one, so the recording ends there.

    Attributes:
        path: The file.
        pictures: How many it has.
        seconds: From its first to its last picture.
        problem: Why it ended early, in one line; else empty.
        since: When it began, in seconds since the epoch.
    """

    def __init__(
        self, source: Streaming, path: Path, *, ended: Callable[[Recorder], None] = lambda _: None
    ) -> None:
        if path.suffix.lower() != SUFFIX:
            raise UsageError(
                f"a recording is an {SUFFIX} file, not {path.name!r}",
                hint='Write stream.record_to("walk.mp4"), or stream.record_to() for a name.',
            )
        if not path.absolute().parent.is_dir():
            raise UsageError(
                f"there is no folder {str(path.parent)!r}", hint="Make it first, or name another."
            )
        self.aio = Aio(self, "stop")
        self.path = path
        self.pictures, self.seconds, self.problem = 0, 0.0, ""
        self.since = time.time()
        self._source, self._number, self._ended = source, source.number, ended
        self._stopping, self._over = threading.Event(), threading.Event()

    @property
    def running(self) -> bool:
        """Whether it still writes."""
        return not self._over.is_set()

    def start(self) -> None:
        """Begin, on a thread of its own; to be called once."""
        threading.Thread(target=self._run, name="odyssey-record", daemon=True).start()

    def stop(self, *, timeout: float = STOP_SECONDS) -> Path:
        """End it with the newest picture, and return where it is; safe to call again.

        Raises:
            AnswerTimeoutError: The disk takes longer than `timeout` seconds.
            UsageError: It has no pictures.
        """
        self._stopping.set()
        if not self._over.wait(timeout):
            raise AnswerTimeoutError(f"{self.path.name} was not written within {timeout:g} s")
        if not self.pictures:
            raise UsageError(
                f"nothing was recorded: {self.problem or 'no picture came'}",
                hint="Record again while pictures come.",
            )
        return self.path

    def _run(self) -> None:
        try:
            self._record()
        except OdysseyNBError as error:
            self.problem = str(error)  # the connection was closed, or lost
        except OSError as error:  # what av raises about files is one too
            self.problem = f"{self.path.name}: {error.strerror or 'it cannot be written'}"
        except Exception:
            log.exception("a recording failed")
            self.problem = "the recording failed; the kernel's log says why"
        finally:
            self._over.set()
            self._ended(self)

    def _record(self) -> None:
        from odyssey_nb.media.h264 import CLOCK_RATE
        from odyssey_nb.media.video import GROWING, VideoWriter

        pictures = self._fetch(timeout=FIRST_SECONDS)
        if not pictures:
            return
        began, after = pictures[0].time, 0
        with VideoWriter.open(self.path, pictures[0].data, options=GROWING) as video:
            while True:
                for picture in pictures:
                    ticks = round((picture.time - began) * CLOCK_RATE)
                    video.write(picture.data, ticks, key=picture.key)
                    after, self.seconds = picture.seq, picture.time - began
                    self.pictures += 1
                last = self._stopping.is_set() or self._source.number != self._number
                pictures = self._fetch(
                    after=after, most=AT_ONCE, timeout=0 if last else WAIT_SECONDS
                )
                if not pictures and (last or self._source._is_over()):
                    return

    def _fetch(self, *, timeout: float, **which: int) -> list[wire.Picture]:
        answer = self._source._held.request(
            wire.Fetch, timeout=timeout, grace=GRACE, stream=self._number, **which
        )
        return [each for each in answer.pictures if each.stream == self._number]

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        state = "recording" if self.running else "recorded"
        return (
            f"<Recorder {self.path.name}: {self.pictures} pictures, {self.seconds:.1f} s, {state}>"
        )
