"""A world whose pixels say which picture they are and which prompt they show.

A strip of black and white squares along the top carries 32 bits of picture number and 32 bits of
prompt hash, most significant first; the rest is a colour from the prompt, or the image that the
stream started from, with a bar that moves. Squares survive the encoder and a browser's scaling, so
a screenshot can be read back with `read`. Other worlds may `write` such a strip too.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import numpy as np

from odyssey_nb.service.worlds.base import planes_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from odyssey_nb.service.worlds.base import Planes

COLUMNS, ROWS = 32, 2  # one row of squares for the number, one for the prompt
_BLACK, _WHITE = 16, 235
STRIP = 8  # the strip is an eighth of the picture's height


def prompt_hash(prompt: str) -> int:
    """Return the 32-bit hash that a picture of `prompt` carries."""
    return zlib.crc32(prompt.encode())


class TestPattern:
    """Paints picture numbers; `seed` does nothing."""

    __test__ = False  # the name is the world's; this is no test class

    takes_images = True

    def __init__(
        self,
        *,
        width: int,
        height: int,
        prompt: str,
        seed: int,
        image: NDArray[np.uint8] | None = None,
    ) -> None:
        del width, height, seed
        self._prompt = prompt
        self._image = None if image is None else planes_of(image)

    def steer(self, prompt: str) -> None:
        """Show `prompt` from the next picture on."""
        self._prompt = prompt

    def paint(self, planes: Planes, *, step: int, time: float) -> None:
        """Paint picture `step`."""
        del time
        width = planes.y.shape[1]
        digest = prompt_hash(self._prompt)
        if self._image is not None:
            planes.y[:], planes.u[:], planes.v[:] = self._image.y, self._image.u, self._image.v
        else:
            planes.y[:] = 80 + digest % 80
            planes.u[:] = 64 + (digest >> 8) % 128
            planes.v[:] = 64 + (digest >> 16) % 128
        strip = write(planes, step, digest)
        left = step * 8 % (width - width // 16)
        planes.y[strip:, left : left + width // 16] = _WHITE


def write(planes: Planes, *numbers: int) -> int:
    """Paint the strip, a row of squares for each of `ROWS` numbers; return its height in pixels."""
    strip = int(planes.y.shape[0]) // STRIP // ROWS * ROWS
    for row, number in enumerate(numbers):
        top = strip // ROWS * row
        _squares(planes.y[top : top + strip // ROWS], number)
    planes.u[: strip // 2] = planes.v[: strip // 2] = 128
    return strip


def _squares(band: NDArray[np.uint8], number: int) -> None:
    bits = np.array([number >> (COLUMNS - 1 - i) & 1 for i in range(COLUMNS)], np.uint8)
    edges = np.linspace(0, band.shape[1], COLUMNS + 1).astype(int)
    band[:] = np.repeat(bits * (_WHITE - _BLACK) + _BLACK, np.diff(edges)).astype(np.uint8)


def read(picture: NDArray[np.uint8]) -> tuple[int, int]:
    """Return (picture number, prompt hash) from RGB pixels.

    Args:
        picture: Shape (height, width, 3), dtype uint8, any size of at least 128 columns.
    """
    height, width = picture.shape[:2]
    strip = height / STRIP
    columns = ((np.arange(COLUMNS) + 0.5) * width / COLUMNS).astype(int)
    numbers = []
    for row in range(ROWS):
        line = picture[int(strip / ROWS * (row + 0.5)), columns].mean(axis=-1) > 128
        numbers.append(int("".join("1" if bit else "0" for bit in line), 2))
    return numbers[0], numbers[1]
