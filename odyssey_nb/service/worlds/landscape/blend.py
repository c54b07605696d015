"""Colours strips of scenery and lays them over a picture, a plane at a time, in integers.

A strip holds how bright each pixel is lit (its shade), how far it is of a second material (its
accent) and how far it hides what is behind (its alpha). A plane's value is ``offset + gain * shade
+ factor * accent``, with factors that differ from row to row: haze, dusk and snow never touch the
strips, they only change a few columns of numbers. All of it is 8.8 fixed point in uint16, whose
wrapping makes negative factors free and whose loops numpy vectorises: laying a strip over a picture
costs about a nanosecond a pixel, and a third of that where it is prepared (`scroll.Film`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from odyssey_nb.service.worlds.landscape.noise import Floats

Bytes = NDArray[np.uint8]
Words = NDArray[np.uint16]

OPAQUE: Final = 128  # the alpha that hides everything; a power of two, so blending ends in a shift
BLOCK: Final = 64  # rows handled at a time, so that intermediate results stay in the cache

_BIAS: Final = np.array([16.0, 128.0, 128.0], np.float32)
_YUV: Final = np.array(
    [[65.481, -37.797, 112.0], [128.553, -74.203, -93.786], [24.966, 112.0, -18.214]], np.float32
)  # BT.601, limited range


def yuv(rgb: Floats) -> Floats:
    """Return colours (..., 3) from 0 to 1 as Y, U and V."""
    planes: Floats = rgb @ _YUV + _BIAS
    return planes


@dataclass(frozen=True, slots=True)
class Tone:
    """The colour of one plane of a strip, row by row: columns of 8.8 fixed-point factors."""

    gain: Words
    accent: Words | None
    offset: Words


def tones(
    dark: Floats, lit: Floats, accent: Floats | None, haze: Floats, thick: Floats
) -> list[Tone]:
    """Mix the tones for Y, U and V.

    Args:
        dark: Colour (3,) where shade is 0.
        lit: Colour (3,) where shade is 255.
        accent: What a full accent adds to either; must not leave the gamut. None adds nothing.
        haze: Colour of the air before the strip, for each row (rows, 3).
        thick: How far the air hides the strip in each row (rows, 1), from 0 to 1.

    Returns:
        Full-height tones; chroma planes have half the rows.
    """
    thin = 1.0 - thick
    offset = (yuv(dark) * thin + yuv(haze) * thick) * 256.0 + 128.0
    gain = ((lit - dark) @ _YUV) * thin * np.float32(256 / 255)
    more = None if accent is None else (accent @ _YUV) * thin * np.float32(256 / 255)
    return [
        Tone(
            gain=_column(gain, plane),
            accent=None if more is None else _column(more, plane),
            offset=_column(offset, plane),
        )
        for plane in range(3)
    ]


def _column(values: Floats, plane: int) -> Words:
    rows = values[:, plane : plane + 1] if plane == 0 else values[::2, plane : plane + 1]
    column: Words = np.rint(rows).astype(np.int32).astype(np.uint16)
    return column


class Brush:
    """Scratch memory for painting, shared by all parts of a landscape."""

    def __init__(self, width: int) -> None:
        self._first: Words = np.empty((BLOCK, width), np.uint16)
        self._second: Words = np.empty((BLOCK, width), np.uint16)
        self._inverse: Bytes = np.empty((BLOCK, width), np.uint8)
        self._alpha: Bytes = np.empty((BLOCK, width), np.uint8)

    def tone(self, tone: Tone, rows: slice, shade: Bytes, accent: Bytes | None = None) -> Words:
        """Return at most `BLOCK` rows of a strip in `tone`; valid until the next call.

        Args:
            rows: The rows of `tone` that belong to these rows.
        """
        height, width = shade.shape
        mine = self._first[:height, :width]
        np.multiply(shade, tone.gain[rows], out=mine)
        np.add(mine, tone.offset[rows], out=mine)
        if accent is not None and tone.accent is not None:
            other = self._second[:height, :width]
            np.multiply(accent, tone.accent[rows], out=other)
            np.add(mine, other, out=mine)
        np.right_shift(mine, 8, out=mine)
        return mine

    def flat(self, colour: int, shape: tuple[int, int]) -> Words:
        """Return rows of one colour, 0 to 255; valid until the next call."""
        mine = self._first[: shape[0], : shape[1]]
        mine[:] = colour
        return mine

    def above(self, density: Bytes, floor: int) -> Bytes:
        """Return how far `density` is above `floor`; valid until the next call but `faded`."""
        height, width = density.shape
        over = self._inverse[:height, :width]
        np.maximum(density, floor, out=over)
        np.subtract(over, floor, out=over)
        return over

    def faded(self, alpha: Bytes, strength: Words) -> Bytes:
        """Return `alpha` times `strength` (column, 128 is 1), capped; valid until the next call."""
        height, width = alpha.shape
        product = self._first[:height, :width]
        np.multiply(alpha, strength, out=product)
        np.right_shift(product, 7, out=product)
        np.minimum(product, OPAQUE, out=product)
        faded = self._alpha[:height, :width]
        np.copyto(faded, product, casting="unsafe")
        return faded

    def lay(self, out: Bytes, mine: Words, alpha: Bytes) -> None:
        """Lay `mine` over at most `BLOCK` rows of a plane; `mine` is used up."""
        inverse = self._inverse[: out.shape[0], : out.shape[1]]
        np.subtract(OPAQUE, alpha, out=inverse)
        np.multiply(mine, alpha, out=mine)
        np.add(mine, OPAQUE // 2, out=mine)
        self.lay_film(out, mine, inverse)

    def lay_film(self, out: Bytes, ready: Words, inverse: Bytes) -> None:
        """Lay what is already multiplied by its alpha over a plane: the last steps of `lay`."""
        behind = self._second[: out.shape[0], : out.shape[1]]
        np.multiply(out, inverse, out=behind, dtype=np.uint16)
        np.add(behind, ready, out=behind)
        np.right_shift(behind, 7, out=behind)
        np.copyto(out, behind, casting="unsafe")

    def cross(self, out: Bytes, other: Bytes, strength: int) -> None:
        """Mix `strength` (0 to `OPAQUE`) of a whole plane into another."""
        for top in range(0, len(out), BLOCK):
            rows = out[top : top + BLOCK]
            mine = self._first[: len(rows), : rows.shape[1]]
            np.copyto(mine, other[top : top + BLOCK])
            np.multiply(mine, strength, out=mine)
            np.add(mine, OPAQUE // 2, out=mine)
            inverse = self._inverse[: len(rows), : rows.shape[1]]
            inverse[:] = OPAQUE - strength
            self.lay_film(rows, mine, inverse)
