"""JPEG, for pages that decode nothing else."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

QUALITY = 75


def encode(rgb: NDArray[np.uint8]) -> bytes:
    """Return a picture as JPEG, with colours at half the size.

    By simplejpeg where it is installed, else by Pillow.

    Args:
        rgb: Shape (height, width, 3), dtype uint8, sRGB, row 0 at the top.
    """
    try:
        from simplejpeg import encode_jpeg
    except ImportError:
        from PIL import Image

        file = io.BytesIO()
        Image.fromarray(rgb).save(file, "JPEG", quality=QUALITY, subsampling="4:2:0")
        return file.getvalue()
    data: bytes = encode_jpeg(rgb, quality=QUALITY, colorsubsampling="420")
    return data
