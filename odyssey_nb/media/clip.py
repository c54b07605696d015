"""A stretch of a stream: encoded pictures, decoded when somebody looks at them."""

from __future__ import annotations

import io
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

RATE = 20  # pictures per second, where there is only one to tell by

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from odyssey_nb.wire.link import Picture


class Clip:
    """Pictures in a row, the first a keyframe. Immutable."""

    def __init__(self, pictures: Sequence[Picture]) -> None:
        self._pictures = tuple(pictures)

    def __len__(self) -> int:
        return len(self._pictures)

    @property
    def times(self) -> tuple[float, ...]:
        """When each picture was shown, in seconds since its stream began."""
        return tuple(picture.time for picture in self._pictures)

    @property
    def duration(self) -> float:
        """From the first to the last picture, in seconds."""
        return self.times[-1] - self.times[0] if self._pictures else 0.0

    @property
    def frames(self) -> NDArray[np.uint8]:
        """All pictures: shape (T, height, width, 3), dtype uint8, RGB. Decoded at each access."""
        import numpy as np

        from odyssey_nb.media.h264 import Decoder

        decoder = Decoder()
        decoded = [decoder.decode(picture.data) for picture in self._pictures]
        shown = [each.to_ndarray(format="rgb24") for each in decoded if each is not None]
        return np.stack(shown) if shown else np.empty((0, 0, 0, 3), np.uint8)

    def save(self, path: str | Path) -> Path:
        """Write an MP4 of the pictures as they were streamed, without encoding them again.

        Raises:
            ValueError: The clip is empty, or `path` does not end in ``.mp4``.
        """
        import av

        from odyssey_nb.media.h264 import CLOCK_RATE

        path = Path(path)
        if path.suffix.lower() != ".mp4":
            raise ValueError(f"a clip is saved as .mp4, not {path.suffix or 'without a suffix'!r}")
        if not self._pictures:
            raise ValueError("the clip is empty; wait until pictures have come")
        first = io.BytesIO(self._pictures[0].data)
        with (
            av.open(first, format="h264") as source,
            av.open(str(path), "w", options={"movflags": "+faststart"}) as file,
        ):
            # A template, because add_stream would write a header of an encoder of its own, which
            # players that take the parameter sets from the header cannot decode with.
            stream = file.add_stream_from_template(source.streams.video[0])
            stream.time_base = Fraction(1, CLOCK_RATE)
            times = self.times
            shown = [round((each - times[0]) * CLOCK_RATE) for each in times]
            # The last is shown as long as the one before it; without a duration players skip it.
            shown.append(2 * shown[-1] - shown[-2] if len(shown) > 1 else CLOCK_RATE // RATE)
            for picture, (begin, end) in zip(self._pictures, pairwise(shown), strict=True):
                packet = av.Packet(picture.data)
                packet.stream = stream
                packet.time_base = Fraction(1, CLOCK_RATE)
                packet.pts = packet.dts = begin
                packet.duration = end - begin
                packet.is_keyframe = picture.key
                file.mux(packet)
        return path

    def __repr__(self) -> str:
        return f"<Clip of {len(self)} pictures, {self.duration:.1f} s>"
