"""MP4 files of pictures as they were streamed: remuxed, never encoded again."""

from __future__ import annotations

import io
import json
from contextlib import contextmanager
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

import av

from odyssey_nb.errors import UsageError
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
        notes: dict[str, str] | None = None,
    ) -> Iterator[VideoWriter]:
        """Open `path` for the stream that begins with the keyframe `first`.

        Args:
            path: The file; an older one is replaced.
            first: An access unit with parameter sets, which go into the header. It is not written.
            container: "mp4", or "hls" where `path` is the playlist and files beside it come and go.
            options: Of the container; `WHOLE` or `GROWING` for an MP4.
            notes: What it says about itself, as "comment".
        """
        with (
            av.open(io.BytesIO(first), format="h264") as source,
            av.open(str(path), "w", format=container, options=options) as file,
        ):
            # A template, because add_stream would write a header of an encoder of its own, which
            # players that take the parameter sets from the header cannot decode with.
            stream = file.add_stream_from_template(source.streams.video[0])
            stream.time_base = Fraction(1, CLOCK_RATE)
            file.metadata.update(notes or {})
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


class Video(NamedTuple):
    """What an MP4 holds: access units with their times, in Annex B form where `plain`.

    Those with negative times are there for the decoder only, and are not shown.
    """

    units: list[tuple[bytes, float, bool]]  # data, seconds, whether it is a keyframe
    notes: dict[str, Any]  # what `VideoWriter` was told to note
    plain: bool  # H.264 whose pictures come in the order in which they are shown


def read(source: str | io.BytesIO, name: str) -> Video:
    """Return what a video file holds, not decoded.

    Raises:
        UsageError: There is none, or it holds no video.
    """
    try:
        with av.open(source, "r") as file:
            stream = file.streams.video[0]
            plain = stream.codec_context.name == "h264" and not stream.codec_context.has_b_frames
            if not plain:
                return Video([], {}, plain=False)
            annex_b = av.BitStreamFilterContext("h264_mp4toannexb", stream)
            units = [
                (bytes(unit), float((unit.pts or 0) * stream.time_base), unit.is_keyframe)
                for packet in file.demux(stream)
                if packet.size
                for unit in annex_b.filter(packet)
            ]
            notes = _notes(file.metadata.get("comment", ""))
    except (av.FFmpegError, IndexError, OSError) as error:
        raise UsageError(
            f"no video can be read from {name}", hint="Name an .mp4 that was saved or recorded."
        ) from error
    return Video(units, notes, plain=True)


def _notes(comment: str) -> dict[str, Any]:
    """Return what was noted; a stranger's comment is none of ours."""
    try:
        found = json.loads(comment)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
