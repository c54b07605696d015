"""The last of some encoded pictures, as the image that a stream may start from."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from odyssey_nb.errors import ImageError

if TYPE_CHECKING:
    from odyssey_nb.wire.link import Picture

log = logging.getLogger(__name__)


def still(pictures: list[Picture], *, portrait: bool) -> str | None:
    """Return the last of `pictures`, which begin with a keyframe, as a data URL.

    Takes some milliseconds for each picture. Of pictures that cannot be decoded, or of none,
    nothing is returned.
    """
    if not pictures:
        return None
    # Here, because a process that repairs nothing needs none of it.
    from av import FFmpegError

    from odyssey_nb.media.h264 import Decoder
    from odyssey_nb.media.image import pack
    from odyssey_nb.media.pixels import Pixels

    decoder, last = Decoder(), None
    try:
        for picture in pictures:
            last = decoder.decode(picture.data) or last
        return None if last is None else pack(Pixels().array(last, "rgb"), portrait=portrait)
    except (FFmpegError, ImageError):
        log.warning("the last picture could not be decoded")
        return None
