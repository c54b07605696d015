"""The last minutes of a connection as encoded pictures, numbered so that a gap cannot go unseen."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING

from odyssey_nb.media.h264 import CLOCK_RATE, is_keyframe
from odyssey_nb.wire.link import Picture

if TYPE_CHECKING:
    from collections.abc import Callable

_WRAP = 1 << 32  # RTP timestamps

LARGEST_BYTES = 100_000_000
LONGEST_SECONDS = 150.0


class Sequence:
    """Numbers pictures as they arrive; what cannot be decoded goes, up to the next keyframe."""

    def __init__(self, connection: str, *, want_keyframe: Callable[[], None]) -> None:
        self._connection = connection
        self._want_keyframe = want_keyframe
        self.stream = 0
        self.dropped = 0  # pictures that waited for a keyframe
        self._reset()

    def _reset(self) -> None:
        self._seq = 0
        self._previous: int | None = None
        self._elapsed = 0
        self._waiting = True

    @property
    def time(self) -> float:
        """When the newest picture was shown, in seconds since its stream's first."""
        return self._elapsed / CLOCK_RATE

    def begin(self, stream: int | None = None) -> int:
        """Count what arrives from now on to a new stream, and return its number: the next one."""
        self.stream = self.stream + 1 if stream is None else stream
        self._reset()
        return self.stream

    def number(self, data: bytes, timestamp: int, *, lost: bool) -> Picture | None:
        """Return the picture with its number, or ``None`` if it cannot be decoded."""
        key = is_keyframe(data)
        self._waiting = (self._waiting or lost) and not key
        if self._waiting or self.stream == 0:
            self.dropped += 1
            self._want_keyframe()
            return None
        if self._previous is not None:
            self._elapsed += (timestamp - self._previous) % _WRAP
        self._previous = timestamp
        self._seq += 1
        return Picture(
            connection=self._connection,
            stream=self.stream,
            seq=self._seq,
            follows=0 if key else self._seq - 1,
            time=self.time,
            received=time.time(),
            data=data,
        )


class Ring:
    """Keeps the newest pictures, by time and by bytes; old ones go a group of pictures at a time.

    The oldest is always a keyframe. The newest group outlives its time, because nobody could show
    what follows without it; when it alone is too many bytes it goes, and a keyframe begins anew.
    """

    def __init__(self, *, seconds: float = LONGEST_SECONDS, most: int = LARGEST_BYTES) -> None:
        self._pictures: deque[Picture] = deque()
        self._bytes = 0
        self._groups = 0
        self._seconds, self._most = seconds, most

    def __len__(self) -> int:
        return len(self._pictures)

    @property
    def size(self) -> int:
        """How many bytes the pictures are together, encoded as they are."""
        return self._bytes

    @property
    def newest(self) -> Picture | None:
        """The picture that came last."""
        return self._pictures[-1] if self._pictures else None

    def put(self, picture: Picture) -> bool:
        """Add the newest picture, and let go of what is too old or too much.

        Returns:
            False if the ring is empty now: it waits for a keyframe.
        """
        if self._pictures or picture.key:
            self._pictures.append(picture)
            self._bytes += len(picture.data)
            self._groups += picture.key
            while self._is_over(picture):
                self._drop_group()
        return bool(self._pictures)

    def _is_over(self, newest: Picture) -> bool:
        if len(self._pictures) < 2:
            return False
        too_long = newest.received - self._pictures[0].received > self._seconds
        return (too_long and self._groups > 1) or self._bytes > self._most

    def _drop_group(self) -> None:
        self._groups -= 1
        while True:
            self._bytes -= len(self._pictures.popleft().data)
            if not self._pictures or self._pictures[0].key:
                return

    def tail(self, *, stream: int = 0, after: int = 0) -> list[Picture]:
        """Return what a decoder needs to show the newest picture.

        A decoder that has shown picture `after` of stream number `stream` gets only the pictures
        behind it, if no newer keyframe makes them needless; any other gets the newest group from
        its keyframe. Nothing is what is asked for while only older streams are here.
        """
        wanted: list[Picture] = []
        if self.newest is None or self.newest.stream < stream:
            return wanted
        for picture in reversed(self._pictures):
            if picture.stream == stream and picture.seq <= after:
                break
            if wanted and picture.stream != wanted[-1].stream:
                break
            wanted.append(picture)
            if picture.key:
                break
        wanted.reverse()
        return wanted

    def behind(self, stream: int, after: int, most: int) -> list[Picture]:
        """Return the `most` pictures of stream number `stream` that follow its picture `after`.

        None is left out, but those that are here no more: then the first is a keyframe.
        """
        wanted: list[Picture] = []
        for picture in reversed(self._pictures):
            if picture.stream < stream or (picture.stream == stream and picture.seq <= after):
                break
            if picture.stream == stream:
                wanted.append(picture)
        wanted.reverse()
        return wanted[:most]

    def last(self, seconds: float) -> list[Picture]:
        """Return the last `seconds` of the newest stream, from the keyframe before them."""
        newest = self.newest
        wanted: list[Picture] = []
        if newest is None:
            return wanted
        for picture in reversed(self._pictures):
            if picture.stream != newest.stream:
                break
            wanted.append(picture)
            if picture.key and newest.time - picture.time >= seconds:
                break
        wanted.reverse()
        return wanted
