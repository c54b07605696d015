"""A stretch of a stream: encoded pictures, decoded when somebody looks at them."""

from __future__ import annotations

import importlib
from bisect import bisect_left, bisect_right
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from odyssey_nb.errors import UsageError
from odyssey_nb.wire.link import Happening

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import ModuleType

    import av
    import numpy as np
    import torch
    import xarray
    from numpy.typing import NDArray

    from odyssey_nb.wire.link import Picture

PROMPTS = {"start", "interact"}  # what begins a segment
ROUNDING = 0.001  # seconds; recordings tell times of events in whole milliseconds


class Clip:
    """Pictures in a row, the first a keyframe, and what happened meanwhile. Immutable.

    Times are in seconds on the clock of the stream, as its marks and events have them; negative
    ones count back from the clip's end. Nothing is decoded before it is looked at, and slices share
    the encoded pictures. In a notebook, naming a clip in a cell shows it and plays it.

    >>> clip = stream.last(10)
    >>> clip[-3:].save("end.mp4")  # the last three seconds
    >>> clip["snow"].frames.mean(axis=(1, 2, 3))  # while a prompt with this word was applied
    >>> for chunk in clip.resize(320).chunks(64): ...

    Args:
        pictures: The encoded pictures in their order.
        happenings: What happened, at times of the pictures.
        lead: How many pictures in front are only there to decode the others, and are not shown.
        prompt: What was applied when the clip begins; empty where nobody knows.
        size: Width and height that pictures are scaled to; None leaves them as they are.
    """

    def __init__(
        self,
        pictures: Sequence[Picture],
        happenings: Sequence[Happening] = (),
        *,
        lead: int = 0,
        prompt: str = "",
        size: tuple[int, int] | None = None,
    ) -> None:
        self._pictures = tuple(pictures)
        self._lead = lead
        self._size = size
        self._times = tuple(picture.time for picture in self._pictures[lead:])
        self._before = prompt
        self._happenings: tuple[Happening, ...] = ()
        for each in happenings:
            if self._times and each.time < self._times[0] - ROUNDING and each.kind in PROMPTS:
                self._before = each.text
            else:
                self._happenings += (each,)

    def __len__(self) -> int:
        return len(self._times)

    @property
    def times(self) -> tuple[float, ...]:
        """When each picture was shown, in seconds since its stream began."""
        return self._times

    @property
    def arrivals(self) -> tuple[float, ...]:
        """When each picture came here, on the clock of `times`, which the least late one sets.

        A file does not keep it: of its clip they are the times.

        >>> metrics.pacing(clip.arrivals).jitter  # the network's, too
        """
        return tuple(each.received - self._late for each in self._pictures[self._lead :])

    @cached_property
    def _late(self) -> float:
        """How much the clock of those who took the pictures is before that of the stream."""
        return min((each.received - each.time for each in self._pictures), default=0.0)

    @property
    def events(self) -> list[dict[str, Any]]:
        """What happened: prompts, marks, repairs; each with its `time` on the clock of `times`.

        A prompt of a stream of yours also has when it was `sent` and `acknowledged`, on the clock
        of `arrivals`.
        """
        return [
            {
                "time": each.time,
                "type": each.kind,
                "applied_prompt" if each.kind in PROMPTS else "text": each.text,
            }
            | (
                {"sent": each.sent - self._late, "acknowledged": each.at - self._late}
                if each.sent
                else {}
            )
            for each in self._happenings
        ]

    @property
    def duration(self) -> float:
        """From the first to the last picture, in seconds."""
        return self.times[-1] - self.times[0] if self._times else 0.0

    @cached_property
    def _bounds(self) -> tuple[tuple[int, str], ...]:
        """With which picture each segment begins, and its prompt."""
        bounds = {0: self._before} if self._times else {}
        for each in self._happenings:
            if each.kind in PROMPTS and self._times:
                bounds[self._index(each.time)] = each.text
        return tuple(sorted(bounds.items()))

    @property
    def prompts(self) -> tuple[str, ...]:
        """The applied prompt of each segment; empty where nobody knows, as for a spectator."""
        return tuple(prompt for _, prompt in self._bounds)

    @property
    def segments(self) -> list[Clip]:
        """The clip in parts, cut where a prompt was applied."""
        begins = [index for index, _ in self._bounds]
        return [self._cut(first, last) for first, last in pairwise([*begins, len(self)])]

    def __getitem__(self, which: slice | str) -> Clip:
        """Return the part between two times, or the first segment whose prompt has these words."""
        if isinstance(which, str):
            for segment, prompt in zip(self.segments, self.prompts, strict=True):
                if which.casefold() in prompt.casefold():
                    return segment
            raise UsageError(
                f"no prompt of this clip has {which!r}", hint=f"They are {list(self.prompts)}."
            )
        if not isinstance(which, slice) or which.step is not None:
            raise UsageError(
                "a clip is cut by times in seconds, or by words of a prompt",
                hint='Write clip[2.0:4.5], clip[-3:], clip["snow"], or clip.at(2.5).',
            )
        begin, end = which.start, which.stop
        first = 0 if begin is None else bisect_left(self._times, self._clock(begin) - ROUNDING)
        last = len(self) if end is None else bisect_left(self._times, self._clock(end) - ROUNDING)
        return self._cut(first, last)

    def _cut(self, first: int, last: int) -> Clip:
        """Return the pictures from number `first` up to `last`."""
        if first >= last:
            return Clip((), size=self._size)
        begin = self._lead + first
        key = next(n for n in range(begin, -1, -1) if self._pictures[n].key)
        inside = [e for e in self._happenings if first <= self._index(e.time) < last]
        return Clip(
            self._pictures[key : self._lead + last],
            inside,
            lead=begin - key,
            prompt=next((text for at, text in reversed(self._bounds) if at <= first), ""),
            size=self._size,
        )

    def _index(self, time: float) -> int:
        """Return the number of the picture that was shown at `time`."""
        return max(0, bisect_right(self._times, time + ROUNDING) - 1)

    def _clock(self, time: float) -> float:
        """Return a time as the stream's clock has it; negative ones count from the end."""
        return time + self._times[-1] if time < 0 and self._times else time

    def at(self, time: float) -> NDArray[np.uint8]:
        """Return the picture that was shown at `time`: (height, width, 3), uint8, RGB.

        >>> clip.at(stream.mark("odd!"))

        Raises:
            UsageError: The clip does not reach so far, or is empty.
        """
        when = self._clock(time)
        if not self._times or not self._times[0] <= when + ROUNDING <= self._times[-1] + 1:
            span = f"{self._times[0]:g} to {self._times[-1]:g} s" if self._times else "nothing"
            raise UsageError(f"the clip has {span}, not {when:g} s", hint="See clip.times.")
        index = self._index(when)
        (picture,) = self._cut(index, index + 1)
        return picture

    def resize(self, width: int | None = None, height: int | None = None) -> Clip:
        """Return the clip with pictures of another size, scaled as they are decoded.

        >>> clip.resize(320).frames.shape

        Args:
            width: In pixels; left out, it follows from the height.
            height: In pixels; left out, it follows from the width. Both are made even.
        """
        full = self.size
        if not width and not height:
            raise UsageError("say how large", hint="Write clip.resize(320).")
        wide = width or (height or 0) * full[0] / full[1]
        high = height or (width or 0) * full[1] / full[0]
        even = max(2, round(wide / 2) * 2), max(2, round(high / 2) * 2)
        return self._like(size=even)

    def _like(self, *, size: tuple[int, int] | None) -> Clip:
        return Clip(
            self._pictures, self._happenings, lead=self._lead, prompt=self._before, size=size
        )

    @cached_property
    def size(self) -> tuple[int, int]:
        """Width and height of its pictures, in pixels; (0, 0) of an empty clip."""
        if self._size is not None:
            return self._size
        frame = next(self.decoded(), None)
        return (0, 0) if frame is None else (frame.width, frame.height)

    def encoded(self) -> tuple[Picture, ...]:
        """Return the encoded pictures, those in front included that are not shown.

        They are what was streamed, unless the clip was resized.
        """
        if self._size is None:
            return self._pictures
        from odyssey_nb.media.export import recoded

        return tuple(recoded(self))

    def decoded(self) -> Iterator[av.VideoFrame]:
        """Yield the pictures as FFmpeg decodes them, one at a time, unscaled."""
        from odyssey_nb.media.h264 import Decoder

        decoder = Decoder()
        for number, picture in enumerate(self._pictures):
            frame = decoder.decode(picture.data)
            if frame is not None and number >= self._lead:
                yield frame

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        """Yield one decoded picture after the other: (height, width, 3), uint8, RGB."""
        from odyssey_nb.media.pixels import Pixels

        pixels = Pixels()
        for frame in self.decoded():
            yield pixels.array(frame, "rgb", size=self._size)

    @property
    def frames(self) -> NDArray[np.uint8]:
        """All pictures: shape (T, height, width, 3), dtype uint8, RGB. Decoded at each access.

        Raises:
            UsageError: There is no room for so many in memory.
        """
        import numpy as np

        return next(self.chunks(max(1, len(self))), np.empty((0, 0, 0, 3), np.uint8))

    def chunks(self, n: int = 64) -> Iterator[NDArray[np.uint8]]:
        """Yield `n` pictures at a time, so that a long clip needs little memory.

        Yields:
            Shape (n, height, width, 3), dtype uint8, RGB; the last has what is left.

        Raises:
            UsageError: There is no room for `n` pictures in memory.
        """
        from odyssey_nb.media.pixels import room

        if n < 1:
            raise UsageError(f"n is how many pictures, from 1, not {n}", hint="Write chunks(64).")
        left, shown = len(self), 0
        chunk: NDArray[np.uint8] | None = None
        for picture in self:
            if chunk is None:
                chunk, shown = room(min(n, left), picture), 0
            chunk[shown] = picture
            shown, left = shown + 1, left - 1
            if shown == len(chunk):
                yield chunk
                chunk = None
        if chunk is not None and shown:
            yield chunk[:shown]

    def __array__(self, dtype: object = None, copy: bool | None = None) -> NDArray[Any]:  # noqa: FBT001 - numpy's
        return self.frames.astype(dtype) if dtype is not None else self.frames  # type: ignore[call-overload]

    def to_xarray(self) -> xarray.DataArray:
        """Return the pictures with coordinates: time, segment and prompt of each.

        >>> clip.to_xarray().groupby("segment").mean(...)

        Returns:
            Dimensions (time, y, x, channel), dtype uint8; `time` in seconds, `channel` r, g, b;
            `segment` counts prompts from 0, and `prompt` is what was applied.

        Raises:
            UsageError: xarray is not installed, or there is no room in memory.
        """
        xr = extra("xarray")
        segment = [bisect_right([at for at, _ in self._bounds], n) - 1 for n in range(len(self))]
        coords = {
            "time": ("time", list(self._times), {"units": "s"}),
            "segment": ("time", segment),
            "prompt": ("time", [self.prompts[each] for each in segment]),
            "channel": ["r", "g", "b"],
        }
        made: xarray.DataArray = xr.DataArray(
            self.frames, dims=("time", "y", "x", "channel"), coords=coords, name="pictures"
        )
        return made

    def to_torch(self) -> torch.Tensor:
        """Return the pictures as a tensor (T, C, height, width) of uint8, RGB; no copy is made.

        >>> clip.resize(256).to_torch().float() / 255

        Raises:
            UsageError: PyTorch is not installed, or there is no room in memory.
        """
        tensor: torch.Tensor = extra("torch").from_numpy(self.frames).permute(0, 3, 1, 2)
        return tensor

    def save(self, path: str | Path) -> Path:
        """Write a file, by its suffix, and return where it is; an older one is replaced.

        An ``.mp4`` holds the pictures as they were streamed, not encoded again unless they were
        resized, and what happened, which `odyssey_nb.clip` reads back. A ``.gif`` or ``.webp``
        plays by itself. A name without a suffix becomes a folder of PNGs, with times, prompts and
        events in its ``clip.json``.

        >>> clip.save("snow.mp4")
        >>> clip.resize(480).save("snow.gif")

        Raises:
            UsageError: The clip is empty, or there is no such format.
        """
        from odyssey_nb.media import export

        return export.save(self, Path(path))

    def __repr__(self) -> str:
        return f"<Clip of {len(self)} pictures, {self.duration:.1f} s>"

    def _repr_html_(self) -> str:
        from odyssey_nb.media.filmstrip import page

        return page(self)


def extra(name: str, *, of: str = "") -> ModuleType:
    """Import a library that only some need, which the extra `of`, or of its own name, brings."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise UsageError(
            f"this needs {name}, which cannot be imported",
            hint=f"Run %pip install 'odyssey-nb[{of or name}]'.",
        ) from error
