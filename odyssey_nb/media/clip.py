"""A stretch of a stream: encoded pictures, decoded when somebody looks at them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from odyssey_nb.wire.link import Happening, Picture


class Clip:
    """Pictures in a row, the first a keyframe, and what happened meanwhile. Immutable."""

    def __init__(self, pictures: Sequence[Picture], happenings: Sequence[Happening] = ()) -> None:
        self._pictures = tuple(pictures)
        self._happenings = tuple(happenings)

    def __len__(self) -> int:
        return len(self._pictures)

    @property
    def times(self) -> tuple[float, ...]:
        """When each picture was shown, in seconds since its stream began."""
        return tuple(picture.time for picture in self._pictures)

    @property
    def events(self) -> list[dict[str, Any]]:
        """What happened: prompts, marks, repairs; each with its `time` on the clock of `times`."""
        return [
            {
                "time": each.time,
                "type": each.kind,
                "applied_prompt" if each.kind in {"start", "interact"} else "text": each.text,
            }
            for each in self._happenings
        ]

    @property
    def duration(self) -> float:
        """From the first to the last picture, in seconds."""
        return self.times[-1] - self.times[0] if self._pictures else 0.0

    @property
    def frames(self) -> NDArray[np.uint8]:
        """All pictures: shape (T, height, width, 3), dtype uint8, RGB. Decoded at each access.

        Raises:
            UsageError: There is no room for so many in memory.
        """
        import numpy as np

        from odyssey_nb.media.h264 import Decoder
        from odyssey_nb.media.pixels import Pixels, room

        decoder, pixels = Decoder(), Pixels()
        frames, shown = np.empty((0, 0, 0, 3), np.uint8), 0
        for picture in self._pictures:
            frame = decoder.decode(picture.data)
            if frame is not None:
                made = pixels.array(frame, "rgb")
                if shown == 0:
                    frames = room(len(self), made)
                frames[shown] = made
                shown += 1
        return frames[:shown]

    def save(self, path: str | Path) -> Path:
        """Write an MP4 of the pictures as they were streamed, without encoding them again.

        Raises:
            ValueError: The clip is empty, or `path` does not end in ``.mp4``.
        """
        from odyssey_nb.media.h264 import CLOCK_RATE
        from odyssey_nb.media.video import VideoWriter

        path = Path(path)
        if path.suffix.lower() != ".mp4":
            raise ValueError(f"a clip is saved as .mp4, not {path.suffix or 'without a suffix'!r}")
        if not self._pictures:
            raise ValueError("the clip is empty; wait until pictures have come")
        began = self.times[0]
        with VideoWriter.open(path, self._pictures[0].data) as video:
            for picture in self._pictures:
                ticks = round((picture.time - began) * CLOCK_RATE)
                video.write(picture.data, ticks, key=picture.key)
        return path

    def __repr__(self) -> str:
        return f"<Clip of {len(self)} pictures, {self.duration:.1f} s>"
