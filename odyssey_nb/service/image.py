"""The image that a stream may start from: a data URL in, an array of the stream's size out."""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Final

import numpy as np

from odyssey_nb.errors import ImageError
from odyssey_nb.media import image as media
from odyssey_nb.wire.stream import LARGEST_IMAGE

if TYPE_CHECKING:
    from numpy.typing import NDArray

# The label is not believed: clients guess it, and some send none.
_HEAD: Final = re.compile(r"data:[^,]{0,200}?;base64,", re.IGNORECASE)
_LONGEST: Final = 4 * -(-LARGEST_IMAGE // 3)  # characters of the largest image in base64


def unpack(url: str) -> bytes:
    """Return the bytes in `url`, a data URL in base64.

    Raises:
        ImageError: It is none, or holds more than an image may.
    """
    head = _HEAD.match(url)
    if head is None:
        raise ImageError("the image is no base64 data URL", hint="Send data:image/…;base64,….")
    if len(url) - head.end() > _LONGEST:
        raise ImageError(f"the image has more than {LARGEST_IMAGE // 2**20} MiB")
    try:
        data = base64.b64decode(url[head.end() :], validate=True)
    except (binascii.Error, ValueError) as error:
        raise ImageError("the image is no valid base64") from error
    if not data:
        raise ImageError("the image is empty")
    return data


def read(url: str, width: int, height: int) -> NDArray[np.uint8]:
    """Return the image in the data URL `url` as RGB, shape (height, width, 3).

    Takes up to some seconds; for the world's thread.

    Raises:
        ImageError: It cannot be read.
    """
    return np.asarray(media.read(unpack(url), width, height))
