"""Parts that scroll past, and how they are painted cheaply while the light stays the same."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from odyssey_nb.service.worlds.landscape.blend import BLOCK, OPAQUE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from odyssey_nb.service.worlds.base import Planes
    from odyssey_nb.service.worlds.landscape.blend import Brush, Bytes, Words
    from odyssey_nb.service.worlds.landscape.canvas import Canvas
    from odyssey_nb.service.worlds.landscape.light import Light


@dataclass(frozen=True, slots=True)
class Film:
    """One plane of a strip with its colours on, ready to be laid over a picture."""

    ready: Words  # colour times alpha, of the rows that let something through
    inverse: Bytes  # what they let through
    solid: Bytes  # the colours of the rows that hide everything


class Scroll(ABC):
    """Scenery as a strip one period wide that scrolls past without an end.

    While the light changes, what is in view is coloured anew for each picture. Once it rests, the
    whole strip is coloured a plane at a time and kept as films, which cost a third to paint.
    """

    def __init__(
        self, canvas: Canvas, brush: Brush, *, top: int, opaque: int, bottom: int, speed: float
    ) -> None:
        """Reach from row `top` to row `bottom`; from row `opaque` on nothing shines through.

        All rows are even; `speed` is in pixels a second at full size.
        """
        self.top = top
        self.opaque = opaque
        self.bottom = bottom
        self._canvas = canvas
        self._brush = brush
        self._speed = speed * canvas.unit
        self._films: list[Film | None] = [None, None, None]
        self._shown = True

    @abstractmethod
    def _take_on(self, light: Light) -> bool:
        """Take on the colours of `light`; return whether there is anything to see in it."""

    @abstractmethod
    def _mixed(self, plane: int, rows: slice, window: slice) -> tuple[Words, Bytes]:
        """Return colour and alpha of a piece of the strip, of at most `BLOCK` rows of a plane."""

    def relight(self, light: Light) -> None:
        """Take on the colours of `light`."""
        self._films = [None, None, None]
        self._shown = self._take_on(light)

    def hide_below(self, row: int) -> None:
        """Stop painting at `row`, from which nearer scenery hides everything."""
        self.bottom = min(self.bottom, max(row, self.top))

    def rest(self) -> bool:
        """Prepare some more of the films; return whether there was anything left to do."""
        if not self._shown or None not in self._films:
            return False
        for plane in (0,) if self._films[0] is None else (1, 2):
            self._films[plane] = self._film(plane)
        return True

    def paint(self, planes: Planes, time: float) -> None:
        """Paint the part of the strip that has come into view by `time`."""
        left = int(self._travelled(time)) % self._canvas.period
        if not self._shown:
            return
        for plane, out in enumerate((planes.y, planes.u, planes.v)):
            half = min(plane, 1)
            window = slice(left >> half, (left >> half) + out.shape[1])
            film = self._films[plane]
            top, opaque = self.top >> half, min(self.opaque, self.bottom) >> half
            for rows in self._blocks(half):
                place = slice(top + rows.start, top + rows.stop)
                if film is None:
                    mine, alpha = self._mixed(plane, rows, window)
                    if place.start < opaque:
                        self._brush.lay(out[place], mine, alpha)
                    else:
                        np.copyto(out[place], mine, casting="unsafe")
                elif place.start < opaque:
                    self._brush.lay_film(
                        out[place], film.ready[rows, window], film.inverse[rows, window]
                    )
                else:
                    solid = slice(place.start - opaque, place.stop - opaque)
                    out[place] = film.solid[solid, window]

    def _travelled(self, time: float) -> float:
        """Return how many pixels have scrolled past by `time`."""
        return self._speed * time

    def _blocks(self, half: int) -> Iterator[slice]:
        """Yield the strip's rows (from 0) in blocks; none reaches across the row `opaque`."""
        top = self.top >> half
        row, opaque, end = (
            0,
            (min(self.opaque, self.bottom) >> half) - top,
            (self.bottom >> half) - top,
        )
        while row < end:
            until = min(row + BLOCK, opaque if row < opaque else end)
            yield slice(row, until)
            row = until

    def _film(self, plane: int) -> Film:
        half = min(plane, 1)
        width, period = self._canvas.width >> half, self._canvas.period >> half
        top = self.top >> half
        opaque = (min(self.opaque, self.bottom) >> half) - top
        rows = (self.bottom >> half) - top
        ready = np.empty((opaque, period + width), np.uint16)
        inverse = np.empty((opaque, period + width), np.uint8)
        solid = np.empty((rows - opaque, period + width), np.uint8)
        for block in self._blocks(half):
            for left in range(0, period, width):
                window = slice(left, min(left + width, period))
                mine, alpha = self._mixed(plane, block, window)
                if block.start < opaque:
                    np.multiply(mine, alpha, out=mine)
                    np.add(mine, OPAQUE // 2, out=ready[block, window])
                    np.subtract(OPAQUE, alpha, out=inverse[block, window])
                else:
                    place = slice(block.start - opaque, block.stop - opaque)
                    np.copyto(solid[place, window], mine, casting="unsafe")
        for strip in (ready, inverse, solid):
            strip[:, period:] = strip[:, :width]
        return Film(ready, inverse, solid)


def doubled(strip: Bytes, width: int) -> Bytes:
    """Return `strip` with its first `width` columns repeated, so that every window is one slice."""
    return np.concatenate([strip, strip[:, :width]], axis=1)


def halved(strip: Bytes) -> Bytes:
    """Return `strip` at half the size, each pixel the mean of four."""
    total = strip[::2].astype(np.uint16)
    total += strip[1::2]
    small: Bytes = ((total[:, ::2] + total[:, 1::2] + 2) >> 2).astype(np.uint8)
    return small


def both(strip: Bytes, width: int) -> tuple[Bytes, Bytes]:
    """Return `strip` for luma and, halved, for chroma, ready for scrolling."""
    return doubled(strip, width), doubled(halved(strip), width // 2)
