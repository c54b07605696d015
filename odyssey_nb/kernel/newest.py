"""The newest picture of what streams: fetched when it is asked for, decoded once for all."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from odyssey_nb.errors import ConnectionLostError, NotConnectedError
from odyssey_nb.kernel.link import GRACE
from odyssey_nb.wire import link as wire

if TYPE_CHECKING:
    from odyssey_nb.kernel.held import Held

log = logging.getLogger(__name__)

REPAIR_SECONDS = 0.2  # between looks at whether what broke is repaired


class Streaming(Protocol):
    """What has pictures: a stream or a spectator."""

    @property
    def number(self) -> int:
        """Counts what streams under one name, from 1."""

    @property
    def _held(self) -> Held:
        """What is asked for them."""

    def _check(self) -> None:
        """Raise what is wrong if there is nothing to ask for."""

    def _is_over(self) -> bool:
        """Whether it has ended, and nothing was lost."""


class Taken(NamedTuple):
    """A picture as it was asked for, and which it is; `time` in seconds since its stream began."""

    stream: int
    seq: int
    time: float
    picture: Any  # an array, or an image


NOTHING = 0, 0  # the stream and seq of a reader that has seen none


def ask(
    source: Streaming, *, timeout: float, grace: float, patience: float, **fields: int
) -> wire.Answer | None:
    """Ask the sidecar for pictures; None if it is not connected, which may be being repaired.

    Args:
        source: Whose pictures.
        timeout: As of `Held.request`, also the next.
        grace: See there.
        patience: How long a repair may take from now, in seconds.
        fields: Those of `wire.Fetch`.
    """
    try:
        return source._held.request(wire.Fetch, timeout=timeout, grace=grace, **fields)
    except (NotConnectedError, ConnectionLostError):
        source._check()  # if it is over, this says why
        if patience <= 0:
            raise
        time.sleep(min(REPAIR_SECONDS, patience))
        return None


class Newest:
    """Decodes what streams, for any number of readers on any threads.

    Nothing runs by itself: a reader fetches what has come since the picture that was decoded last,
    from the newest keyframe on, and decodes it under a lock. One who reads seldom therefore pays
    seldom, and several who read at once find what one of them has decoded.
    """

    def __init__(self, source: Streaming) -> None:
        self._source = source
        self._lock = threading.Lock()
        self._decoder: Any = None
        self._pixels: Any = None
        self._at = NOTHING  # the picture that the decoder has taken last
        self._newest: tuple[int, int, float, Any] | None = None  # stream, seq, time, frame
        self._made: dict[str, Any] = {}  # of the newest, by format
        self._closed = False
        self.fetched = self.decoded = self.converted = 0

    def close(self) -> None:
        """Keep no picture and no decoder: a notebook's ``Out`` keeps streams that are over."""
        with self._lock:
            self._closed = True
            self._decoder = self._pixels = self._newest = None
            self._made = {}

    @property
    def is_over(self) -> bool:
        """Whether it has ended, and nothing was lost."""
        return self._source._is_over()

    def take(self, format: str, *, past: tuple[int, int] = NOTHING, timeout: float) -> Taken | None:
        """Return the newest picture as soon as it is another than `past`, or one later.

        Args:
            format: One of `media.pixels.FORMATS`.
            past: The stream and seq that it must be beyond.
            timeout: Longest wait, in seconds; while the connection is being repaired too.

        Raises:
            OdysseyNBError: What is wrong, if there is nothing to wait for.
        """
        until = time.monotonic() + timeout
        while True:
            self._source._check()
            number, left = self._source.number, max(0.0, until - time.monotonic())
            with self._lock:
                ready, after = self._is_beyond(number, past), self._turn_to(number)
            answer = ask(
                self._source,
                timeout=0 if ready else left,
                grace=max(GRACE, left) if ready else GRACE,
                patience=left,
                stream=number,
                after=after,
                past=past[1] if past[0] == number else 0,
            )
            if answer is not None:
                with self._lock:
                    self._decode(number, answer.pictures)
                    if self._is_beyond(number, past):
                        return self._take(format)
            if time.monotonic() >= until:
                return None

    def _is_beyond(self, number: int, past: tuple[int, int]) -> bool:
        newest = self._newest
        return newest is not None and newest[0] == number and newest[:2] > past

    def _turn_to(self, number: int) -> int:
        """Return what has been decoded of stream `number`; every stream counts from 1."""
        if number > self._at[0]:
            self._at, self._decoder = (number, 0), None
        return self._at[1]

    def _decode(self, number: int, pictures: list[wire.Picture]) -> None:
        """Decode those that another reader has not decoded meanwhile."""
        from av import FFmpegError

        from odyssey_nb.media.h264 import Decoder

        self.fetched += len(pictures)
        self._turn_to(number)
        for picture in () if self._closed else pictures:
            if picture.stream != self._at[0] or picture.seq <= self._at[1]:
                continue
            if picture.key:
                self._decoder = Decoder()
            elif self._decoder is None or picture.follows != self._at[1]:
                continue
            try:
                frame = self._decoder.decode(picture.data)
            except FFmpegError:
                log.warning("a picture could not be decoded")
                frame = None
            except BaseException:  # an interrupt: nobody knows what the decoder has taken
                self._at, self._decoder = NOTHING, None
                raise
            self._at = picture.stream, picture.seq
            self.decoded += 1
            if frame is not None:
                self._newest = *self._at, picture.time, frame
                self._made = {}

    def _take(self, format: str) -> Taken:
        """Return the newest picture; each format of it is made once."""
        from odyssey_nb.media.pixels import Pixels, image

        assert self._newest is not None
        stream, seq, shown, frame = self._newest
        if format == "pil":
            taken = self._take("rgb")
            return taken._replace(picture=image(taken.picture))
        made = self._made.get(format)
        if made is None:
            self._pixels = self._pixels or Pixels()
            made = self._made[format] = self._pixels.array(frame, format)
            made.flags.writeable = False  # it belongs to all readers
            self.converted += 1
        return Taken(stream, seq, shown, made)
