"""The pictures of what streams, none left out: the next ones, and the last ones."""

from __future__ import annotations

import math
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from odyssey_nb.errors import AnswerTimeoutError, NoStreamError, OdysseyNBError, UsageError
from odyssey_nb.kernel.link import GRACE
from odyssey_nb.kernel.newest import ask
from odyssey_nb.wire import link as wire

if TYPE_CHECKING:
    from collections.abc import Iterator

    import av

    from odyssey_nb.kernel.newest import Streaming

# Pictures in one answer. All of 150 s in one would hold up the sidecar and the link, and with them
# every view, for half a second each.
AT_ONCE = 30
PAST_SECONDS = 10.0  # for one answer


def next_frames(source: Streaming, count: int, format: str, timeout: float) -> Any:  # noqa: ANN401 - an array, or images
    """Return the next `count` pictures of `source`: `Pictures.frames`."""
    from odyssey_nb.media.pixels import Pixels, check_format, image, room

    check_format(format)
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise UsageError(
            f"n is how many pictures, a whole number from 1, not {count!r}",
            hint="Write stream.frames(20) for the next second or so.",
        )
    pixels = Pixels()
    found: Any = [] if format == "pil" else None
    taken = 0
    try:
        for frame in _coming(source, timeout):
            made = pixels.array(frame, format)
            if format == "pil":
                found.append(image(made))
            else:
                if found is None:
                    found = room(count, made)
                found[taken] = made
            taken += 1
            if taken == count:
                return found
    except OdysseyNBError:
        if source._is_over():
            raise NoStreamError(f"the stream ended after {taken} of {count} pictures") from None
        raise
    raise AnswerTimeoutError(f"no picture came within {timeout:g} s, after {taken} of {count}")


def past(source: Streaming, seconds: float) -> tuple[list[wire.Picture], list[wire.Happening]]:
    """Return the encoded pictures of the past `seconds` of `source`, and what happened in them."""
    number, fetch = source.number, partial(source._held.request, wire.Fetch, timeout=0)
    answer = fetch(grace=PAST_SECONDS, seconds=seconds, most=AT_ONCE)
    newest, more = answer.number, answer.pictures
    found = [each for each in more if each.stream == number]
    while found and more and found[-1].seq < newest:
        more = fetch(grace=PAST_SECONDS, stream=number, after=found[-1].seq, most=AT_ONCE).pictures
        found += more
    happenings = [each for each in answer.happenings if each.stream == number]
    return [each for each in found if each.seq <= newest], happenings


def told(source: Streaming) -> tuple[list[wire.Happening], float]:
    """Return what is known of `source`, and the time of its newest picture."""
    whole = source._held.request(
        wire.Fetch, timeout=0, grace=PAST_SECONDS, seconds=math.inf, most=1
    )
    newest = source._held.request(wire.Fetch, timeout=0, grace=PAST_SECONDS, seconds=0.001)
    happenings = [each for each in whole.happenings if each.stream == source.number]
    return happenings, newest.pictures[-1].time if newest.pictures else 0.0


def _coming(source: Streaming, timeout: float) -> Iterator[av.VideoFrame]:
    """Yield every picture behind the newest one of now, until one keeps us waiting too long.

    With a decoder of its own: that which other readers share leaves pictures out.
    """
    from av import FFmpegError

    from odyssey_nb.media.h264 import Decoder

    decoder, number, after, first = Decoder(), source.number, 0, True
    until = time.monotonic() + timeout
    while (left := until - time.monotonic()) > 0:
        source._check()
        if source.number != number:  # a broadcast that was joined anew
            decoder, number, after = Decoder(), source.number, 0
        most = AT_ONCE if after else 0  # without one to begin with: from the newest keyframe
        answer = ask(
            source, timeout=left, grace=GRACE, patience=left, stream=number, after=after, most=most
        )
        pictures = answer.pictures if answer is not None else []
        for picture in pictures:
            if picture.stream != number:
                break
            try:
                frame = decoder.decode(picture.data)
            except FFmpegError:
                frame = None
            after = picture.seq
            if frame is not None and not first:
                yield frame
                until = time.monotonic() + timeout
        first = first and not pictures
