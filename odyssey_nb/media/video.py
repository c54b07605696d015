"""MP4 files of pictures as they were streamed: remuxed, never encoded again."""

from __future__ import annotations

import io
from contextlib import contextmanager
from fractions import Fraction
from typing import TYPE_CHECKING

import av

from odyssey_nb.media.h264 import CLOCK_RATE
from odyssey_nb.wire.stream import PICTURES_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from av.container import OutputContainer
    from av.video.stream import VideoStream

# Whole at the end, with the index in front, so that players can begin before they have it all.
WHOLE = {"movflags": "+faststart"}
# Readable up to the newest keyframe at any time, also after the writing process was killed.
GROWING = {"movflags": "+frag_keyframe+empty_moov+default_base_moof", "flush_packets": "1"}


class VideoWriter:
    """Writes one H.264 stream to MP4. An instance exists only while its file is open."""

    def __init__(self, file: OutputContainer, stream: VideoStream) -> None:
        self._file, self._stream = file, stream
        self._waiting: tuple[bytes, int, bool] | None = None  # until its duration is known
        self._duration = CLOCK_RATE // PICTURES_PER_SECOND  # where there is only one to tell by
        self.pictures = 0

    @classmethod
    @contextmanager
    def open(
        cls,
        path: Path,
        first: bytes,
        *,
        container: str = "mp4",
        options: dict[str, str] = WHOLE,
    ) -> Iterator[VideoWriter]:
        """Open `path` for the stream that begins with the keyframe `first`.

        Args:
            path: The file; an older one is replaced.
            first: An access unit with parameter sets, which go into the header. It is not written.
            container: "mp4", or "hls" where `path` is the playlist and files beside it come and go.
            options: Of the container; `WHOLE` or `GROWING` for an MP4.
        """
        with (
            av.open(io.BytesIO(first), format="h264") as source,
            av.open(str(path), "w", format=container, options=options) as file,
        ):
            # A template, because add_stream would write a header of an encoder of its own, which
            # players that take the parameter sets from the header cannot decode with.
            stream = file.add_stream_from_template(source.streams.video[0])
            stream.time_base = Fraction(1, CLOCK_RATE)
            writer = cls(file, stream)
            yield writer
            writer._flush(writer._duration)

    def write(self, data: bytes, ticks: int, *, key: bool) -> None:
        """Add a picture that is shown from `ticks` (1/90000 s, growing) until the next one."""
        if self._waiting is not None:
            self._duration = max(1, ticks - self._waiting[1])
            self._flush(self._duration)
        self._waiting = data, ticks, key

    def _flush(self, duration: int) -> None:
        if self._waiting is None:
            return
        data, ticks, key = self._waiting
        self._waiting = None
        packet = av.Packet(data)
        packet.stream = self._stream
        packet.time_base = Fraction(1, CLOCK_RATE)
        packet.pts = packet.dts = ticks
        packet.duration = duration  # players skip a last picture that has none
        packet.is_keyframe = key
        self._file.mux(packet)
        self.pictures += 1
