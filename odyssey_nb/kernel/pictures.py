"""The pictures of something that streams, as arrays: decoded here, and only when asked for."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from odyssey_nb.errors import AnswerTimeoutError, UsageError
from odyssey_nb.kernel.callbacks import FrameCallback, check_callback, name_of
from odyssey_nb.kernel.frames import next_frames, past
from odyssey_nb.kernel.live import Live, check_every
from odyssey_nb.kernel.newest import Newest
from odyssey_nb.kernel.runtime import runtime

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    from odyssey_nb.kernel.held import Held
    from odyssey_nb.kernel.recorder import Recorder
    from odyssey_nb.media.clip import Clip
    from odyssey_nb.media.pixels import ArrayFormat

FRAME_SECONDS = 10.0
SLACK_SECONDS = 5.0  # of what is kept; for a record that comes a little late to fetch it


class Pictures(ABC):
    """What a stream and a spectator have in common: their pictures, for whoever asks for them.

    Nobody asks, and nothing is fetched or decoded. Iterating is `live` with its defaults:
    ``for picture in stream:``, or ``async for``.

    In every `format` a picture has dtype uint8 and row 0 at the top, and is read-only, because
    those who read at the same time share it; ``.copy()`` it to change it.

    - "rgb": (height, width, 3)
    - "gray": (height, width), the luma from 0 to 255
    - "yuv": (height * 3 / 2, width), I420 as it was decoded: Y, then U and V at half the size
    - "pil": a ``PIL.Image``, in RGB, and nobody else's

    Attributes:
        number: Counts what streams under one name, from 1.
    """

    number: int

    def __init__(self) -> None:
        self._newest = Newest(self)
        self._callbacks: dict[str, FrameCallback] = {}

    def _display_(self) -> object:
        """Return what marimo shows; in Jupyter the extension says how our objects are displayed."""
        show = runtime().show
        return repr(self) if show is None else show(self)

    @property
    @abstractmethod
    def _held(self) -> Held:
        """What is asked for them."""

    @abstractmethod
    def _check(self) -> None:
        """Raise what is wrong if there is nothing to ask for."""

    @abstractmethod
    def _is_over(self) -> bool:
        """Whether it has ended, and nothing was lost."""

    @overload
    def frame(
        self, format: ArrayFormat = "rgb", *, timeout: float = FRAME_SECONDS
    ) -> NDArray[np.uint8]: ...
    @overload
    def frame(self, format: Literal["pil"], *, timeout: float = FRAME_SECONDS) -> Image.Image: ...
    def frame(self, format: str = "rgb", *, timeout: float = FRAME_SECONDS) -> Any:
        """Return the newest picture.

        Waits only before the first one; called again before the next picture, it returns the same.

        >>> stream.frame().mean()
        >>> stream.frame("gray").shape

        Args:
            format: "rgb", "gray", "yuv" or "pil"; see `Pictures`.
            timeout: Longest wait for a first picture, in seconds.

        Returns:
            Shape (height, width, 3), dtype uint8, RGB, row 0 at the top; read-only.

        Raises:
            NoStreamError: The stream has ended.
            AnswerTimeoutError: No picture came in time.
            UsageError: There is no such format.
        """
        _check_format(format)
        taken = self._newest.take(format, timeout=timeout)
        if taken is None:
            raise AnswerTimeoutError(f"no picture came within {timeout:g} s")
        return taken.picture

    @overload
    def frames(
        self, n: int, format: ArrayFormat = "rgb", *, timeout: float = FRAME_SECONDS
    ) -> NDArray[np.uint8]: ...
    @overload
    def frames(
        self, n: int, format: Literal["pil"], *, timeout: float = FRAME_SECONDS
    ) -> list[Image.Image]: ...
    def frames(self, n: int, format: str = "rgb", *, timeout: float = FRAME_SECONDS) -> Any:
        """Wait for the next `n` pictures, and return them: each once, in order, none left out.

        >>> stream.frames(20).mean(axis=(1, 2, 3))

        Args:
            n: How many.
            format: "rgb", "gray", "yuv" or "pil"; see `Pictures`.
            timeout: Longest wait for each next one, in seconds.

        Returns:
            Shape (n, height, width, 3), dtype uint8, and yours to change; in another format as
            that says, of "pil" a list.

        Raises:
            NoStreamError: The stream has ended, or does before there are so many.
            AnswerTimeoutError: The next one did not come in time.
            UsageError: There is no such format, or no room for so many in memory.
        """
        return next_frames(self, n, format, timeout)

    def live(self, format: str = "rgb", *, every: int = 1, timeout: float = FRAME_SECONDS) -> Live:
        """Iterate over pictures as they come: first the newest there is, then each new one.

        A loop that is slower than the stream gets the newest picture next; how many were left out
        is `Live.skipped`. It ends with the stream, and raises if the stream is lost.

        >>> pictures = stream.live("gray", every=5)
        >>> for picture in pictures:
        ...     print(picture.mean(), pictures.time, pictures.skipped)

        Args:
            format: "rgb", "gray", "yuv" or "pil"; see `Pictures`.
            every: Only each picture of so many, as 5 is for each fifth.
            timeout: Longest wait for each next one, in seconds.

        Raises:
            NoStreamError: The stream has ended.
            UsageError: The arguments make no sense.
        """
        _check_format(format)
        check_every(every)
        self._check()
        return Live(self._newest, format, every, timeout)

    def __iter__(self) -> Live:
        return self.live()

    def __aiter__(self) -> Live:
        return self.live()

    @overload
    def on_frame(
        self,
        f: Callable[[Any], object],
        *,
        every: int = 1,
        seconds: float | None = None,
        format: str = "rgb",
        name: str | None = None,
    ) -> FrameCallback: ...
    @overload
    def on_frame(
        self,
        f: None = None,
        *,
        every: int = 1,
        seconds: float | None = None,
        format: str = "rgb",
        name: str | None = None,
    ) -> Callable[[Callable[[Any], object]], FrameCallback]: ...
    def on_frame(
        self,
        f: Callable[[Any], object] | None = None,
        *,
        every: int = 1,
        seconds: float | None = None,
        format: str = "rgb",
        name: str | None = None,
    ) -> FrameCallback | Callable[[Callable[[Any], object]], FrameCallback]:
        """Call ``f(picture)`` as pictures come, on a thread of its own, until the stream ends.

        The view never waits for it: while `f` is busy it misses pictures, and gets the newest next.
        If it fails it is stopped, and one line under the cell says why. A stream has one callback
        of each name, so running a cell again replaces its callback.

        >>> handle = stream.on_frame(f, every=5)
        >>> handle.cancel()
        >>> @stream.on_frame(seconds=0.5)
        ... def watch(picture): ...

        Args:
            f: Is given one picture. Left out, this is a decorator.
            every: Only each picture of so many, as 5 is for each fifth.
            seconds: At most one picture in so many seconds, instead.
            format: "rgb", "gray", "yuv" or "pil"; see `Pictures`.
            name: What it is called; the function's name if left out, which all lambdas share.

        Returns:
            What `cancel` stops it by. It can be called as `f` can; `callbacks` has it by its name.

        Raises:
            NoStreamError: The stream has ended.
            UsageError: The arguments make no sense.
        """
        if f is None:
            return lambda function: self.on_frame(
                function, every=every, seconds=seconds, format=format, name=name
            )
        check_callback(f, every, seconds)
        _check_format(format)
        self._check()
        callback = FrameCallback(
            f, self._newest, name=name or name_of(f), format=format, every=every, seconds=seconds
        )
        replaced = self._callbacks.get(callback.name)
        if replaced is not None and replaced.running:
            replaced.cancel()
            self._held.say(f"on_frame replaced {callback.name}; give one a name= to keep both")
        self._callbacks[callback.name] = callback
        callback.start()
        return callback

    @property
    def callbacks(self) -> dict[str, FrameCallback]:
        """What `on_frame` calls or has called, by name."""
        return dict(self._callbacks)

    def drop_pictures(self) -> None:
        """Keep no picture: there will be none any more, and nobody may ask for one."""
        self._newest.close()

    def cancel_callbacks(self) -> None:
        """Call nothing with pictures any more."""
        for each in self._callbacks.values():
            each.cancel()

    def snapshot(self) -> Image.Image:
        """Return the newest picture as a PIL image: ``frame("pil")``."""
        return self.frame("pil")

    def last(self, seconds: float = 5.0) -> Clip:
        """Return the past `seconds`, from the keyframe before them; decoded when looked at.

        Kept are the last 150 s, as they were streamed, and at most 100 MB of them.

        Raises:
            NoStreamError: The stream has ended.
        """
        from odyssey_nb.media.clip import Clip

        if not seconds > 0:
            raise ValueError(f"seconds must be positive, not {seconds!r}")
        self._check()
        pictures, happenings = past(self, float(seconds))
        return Clip(pictures, happenings)

    def record(self, seconds: float) -> Clip:
        """Wait for the next `seconds`, and return them; `last` is for those that have passed.

        >>> stream.record(10).save("ten.mp4")

        Raises:
            NoStreamError: The stream has ended, or does meanwhile.
            UsageError: That is longer than is kept.
        """
        from odyssey_nb.media.ring import LONGEST_SECONDS

        if not 0 < seconds <= LONGEST_SECONDS - SLACK_SECONDS:
            raise UsageError(
                f"a clip is recorded for up to {LONGEST_SECONDS - SLACK_SECONDS:g} s, "
                f"not {seconds!r}",
                hint="The service records whole streams: ody.recordings()[0].clip().",
            )
        self.frame()  # there may be none before
        began = self.last(0.01).times[-1]
        while (passed := self.last(0.01).times[-1] - began) < seconds:
            time.sleep(min(0.5, max(0.05, seconds - passed)))
        return self.last(passed + SLACK_SECONDS)[began : began + seconds]

    def record_to(
        self, path: str | Path | None = None, *, ended: Callable[[Recorder], None] = lambda _: None
    ) -> Recorder:
        """Write what streams from now on to an MP4, as it was streamed, until it is stopped.

        >>> with stream.record_to("walk.mp4"):
        ...     stream.interact("snow begins to fall")

        Args:
            path: The file, which is replaced; left out, it is named by the time, and here.
            ended: Called with the recorder, on another thread, when nothing more is written.

        Raises:
            NoStreamError: The stream has ended.
            UsageError: `path` does not end in ``.mp4``.
        """
        from odyssey_nb.kernel.recorder import Recorder, new_file

        self._check()
        recorder = Recorder(self, Path(path) if path else new_file("recording"), ended=ended)
        recorder.start()
        return recorder

    def statistics(self) -> dict[str, int]:
        """Return counts: pictures fetched and decoded, arrays made of them, and callbacks."""
        newest = self._newest
        return {
            "fetched": newest.fetched,
            "decoded": newest.decoded,
            "converted": newest.converted,
            "callbacks": sum(each.running for each in self._callbacks.values()),
        }


def _check_format(format: str) -> None:
    from odyssey_nb.media.pixels import check_format

    check_format(format)
