"""A running stream as HLS (RFC 8216): a list of the last seconds, each in a file of its own.

The segments hold the pictures as they were encoded. One is cut at every keyframe, so it lasts a
second, or less where somebody asked for a keyframe between.
"""

from __future__ import annotations

import re
from contextlib import ExitStack
from typing import TYPE_CHECKING

from odyssey_nb.media.video import VideoWriter
from odyssey_nb.service.scribe import Scribe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PLAYLIST = "index.m3u8"
INIT = "init.mp4"
END = "#EXT-X-ENDLIST\n"
LISTED = 8  # segments; as many older ones are kept for players that are behind
FILE = re.compile(r"init\.mp4|segment\d{1,9}\.m4s")
_URI = re.compile(r"^[^#\n]+$|(?<=URI=\")[^\"]+", re.MULTILINE)


class Playlist:
    """Writes one stream's playlist and segments into `folder`.

    `on_written` is called on the writing thread once there is something to play, or as soon as it
    is clear that there will not be; its argument says which.
    """

    def __init__(self, folder: Path, *, on_written: Callable[[bool], None]) -> None:
        self._folder = folder
        self._on_written = on_written
        self._origin: int | None = None
        self._scribe: Scribe[tuple[bytes, int, bool]] = Scribe("playlist", self._write)

    def picture(self, data: bytes, timestamp: int, key: bool) -> None:  # noqa: FBT001 - an outlet's form
        """Add a picture, the first of which is a keyframe; `timestamp` in 1/90000 s."""
        if self._origin is None:
            self._origin = timestamp
        self._scribe.put((data, timestamp - self._origin, key))

    def close(self) -> None:
        """Write the last segment and the end of the list; see `Scribe.close`."""
        self._scribe.close()

    def _write(self, pictures: Iterator[tuple[bytes, int, bool]]) -> None:
        told = False
        try:
            self._folder.mkdir(mode=0o700, parents=True)
            path, options = self._folder / PLAYLIST, self._options()
            with ExitStack() as stack:
                video: VideoWriter | None = None
                for data, ticks, key in pictures:
                    if video is None:
                        opening = VideoWriter.open(path, data, container="hls", options=options)
                        video = stack.enter_context(opening)
                    video.write(data, ticks, key=key)
                    if not told and path.exists():
                        told = True
                        self._on_written(True)  # noqa: FBT003 - the one thing that it says
        finally:
            if not told:
                self._on_written(False)  # noqa: FBT003

    def _options(self) -> dict[str, str]:
        return {
            "hls_time": "0.5",  # seconds, after which a keyframe cuts; more would let some pass by
            "hls_list_size": str(LISTED),
            "hls_delete_threshold": str(LISTED),
            "hls_segment_type": "fmp4",
            "hls_fmp4_init_filename": INIT,
            "hls_segment_filename": str(self._folder / "segment%d.m4s"),
            # Under their names there are only whole files.
            "hls_flags": "delete_segments+program_date_time+independent_segments+temp_file",
        }


def with_token(playlist: str, token: str) -> str:
    """Return `playlist` with the token on every address in it."""
    return _URI.sub(lambda found: f"{found[0]}?token={token}", playlist)


def end_playlist(folder: Path) -> None:
    """End the list of a stream whose writer could not, because it was killed."""
    path = folder / PLAYLIST
    if path.exists() and not path.read_text().endswith(END):
        with path.open("a") as file:
            file.write(END)
