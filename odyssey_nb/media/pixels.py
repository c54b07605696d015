"""Decoded pictures as what people compute with: RGB, gray, planar YUV, PIL images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, cast

import av
import numpy as np
import psutil
from av.video.reformatter import VideoReformatter

from odyssey_nb.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

ArrayFormat = Literal["rgb", "gray", "yuv"]

FORMATS = {"rgb": "rgb24", "gray": "gray", "yuv": "yuv420p", "pil": "rgb24"}  # as FFmpeg says it

# Swscale's own threads make a conversion of this size five times as dear (1.9 against 0.4 ms at
# 1280x704), and stay. PyAV before the argument starts none.
_ALONE = {"threads": 1} if "threads" in str(VideoReformatter.reformat.__doc__) else {}

_AREA: dict[str, Any] = {"interpolation": "AREA"}  # what the eye does with a smaller picture


class Pixels:
    """Makes arrays and images of decoded pictures; not for several threads at once.

    It keeps one converter, because a new one for each picture costs four times as much.
    """

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()

    def array(
        self, frame: av.VideoFrame, format: str, *, size: tuple[int, int] | None = None
    ) -> NDArray[np.uint8]:
        """Return `frame` as an array of its own, dtype uint8, row 0 at the top.

        Args:
            frame: A decoded picture.
            format: "rgb" (height, width, 3); "gray" (height, width), its luma from 0 to 255; "yuv"
                (height * 3 / 2, width), I420 as decoded: the rows of Y, then those of U and V at
                half the size, two to a row.
            size: Width and height to scale it to; None leaves it as large as it is.
        """
        return cast("NDArray[np.uint8]", self.convert(frame, format, size=size).to_ndarray())

    def convert(
        self, frame: av.VideoFrame, format: str, *, size: tuple[int, int] | None = None
    ) -> av.VideoFrame:
        """Return `frame` in another format or size, both as of `array`."""
        scale = {} if size is None else {"width": size[0], "height": size[1], **_AREA}
        return self._reformatter.reformat(frame, format=FORMATS[format], **_ALONE, **scale)


def room(count: int, one: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return an empty array for `count` pictures like `one`.

    Raises:
        UsageError: There is no such room in memory, and the kernel might be killed for it.
    """
    needed, free = count * one.nbytes, psutil.virtual_memory().available
    if needed > free:
        raise UsageError(
            f"{count} pictures are {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free",
            hint="Take fewer at once: clip.chunks(64), clip.resize(320), or stream.on_frame(f).",
        )
    return np.empty((count, *one.shape), one.dtype)


def check_format(format: str) -> None:
    """Refuse what no picture can be made into.

    Raises:
        UsageError: It is none of `FORMATS`, or Pillow is missing for "pil".
    """
    if format not in FORMATS:
        raise UsageError(
            f"format is one of {', '.join(FORMATS)}, not {format!r}",
            hint='Write format="rgb" for (height, width, 3).',
        )
    if format == "pil":
        try:
            import PIL.Image  # noqa: F401 - only whether it is there
        except ImportError as error:
            raise UsageError(
                "a PIL image needs Pillow, which cannot be imported",
                hint='Run %pip install Pillow, or take an array: format="rgb".',
            ) from error


def image(array: NDArray[np.uint8]) -> Image.Image:
    """Return an RGB array as a PIL image of its own."""
    from PIL import Image

    return Image.fromarray(array)
