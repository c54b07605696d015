"""Lightning: when it strikes, how it lights the land, and its bolt."""

from __future__ import annotations

from math import exp
from typing import TYPE_CHECKING, Final

import numpy as np

from odyssey_nb.service.worlds.landscape.blend import BLOCK

if TYPE_CHECKING:
    from odyssey_nb.service.worlds.base import Planes
    from odyssey_nb.service.worlds.landscape.canvas import Canvas
    from odyssey_nb.service.worlds.landscape.light import Light

_EVERY: Final = 2.6  # seconds in which a full storm strikes about once
_LASTS: Final = 0.55  # seconds until a strike has faded


class Lightning:
    """Strikes at moments fixed by the seed, and paints the bolt of the latest one."""

    def __init__(self, canvas: Canvas, seed: int) -> None:
        self._canvas = canvas
        self._seed = seed
        self._storm = 0.0
        self._bolt: tuple[int, list[tuple[int, int, int]]] = (-1, [])

    def relight(self, light: Light) -> None:
        """Take note of how stormy it is."""
        self._storm = light.mood.storm

    def paint(self, planes: Planes, time: float) -> None:
        """Light up the picture while a strike lasts; of some strikes the bolt shows as well."""
        since = self._since(time, self._storm)
        if since is None:
            return
        # A strike flickers: one flash, a short dark, and a second that fades.
        bright = exp(-since * 26.0) + (0.75 * exp(-(since - 0.12) * 8.0) if since > 0.12 else 0.0)
        self._light_up(planes, min(1.0, bright) * self._storm)
        number = int(time / _EVERY)
        if since > 0.3 or (number + self._seed) % 3 == 2:
            return
        if self._bolt[0] != number:
            self._bolt = (number, self._branch(number))
        height, width = planes.y.shape
        glow = round(110 * exp(-since * 7.0))
        for row, left, right in self._bolt[1]:
            wide = max(1, round(2.2 * self._canvas.unit))
            first, last = max(0, left - wide), min(width, right + wide + 1)
            if not (0 <= row < height) or first >= last:
                continue
            around = planes.y[row, first:last]
            np.copyto(around, np.minimum(around.astype(np.int16) + glow, 235), casting="unsafe")
            if since < 0.2:
                planes.y[row, max(0, left) : max(0, right) + 1] = 235

    def _light_up(self, planes: Planes, bright: float) -> None:
        """Brighten all luma, most of all what is bright already."""
        gain, more = np.uint16(64 * (1.0 + 1.6 * bright)), np.uint16(64 * 14 * bright)
        for top in range(0, len(planes.y), BLOCK):
            rows = planes.y[top : top + BLOCK]
            lit = np.multiply(rows, gain, dtype=np.uint16)
            np.add(lit, more, out=lit)
            np.right_shift(lit, 6, out=lit)
            np.minimum(lit, 232, out=lit)
            np.copyto(rows, lit, casting="unsafe")

    def _since(self, time: float, storm: float) -> float | None:
        """Return the seconds since the latest strike, if its light has not faded."""
        if storm < 0.05:
            return None
        number = int(time / _EVERY)
        rng = np.random.default_rng((self._seed, 77, number))
        since = time - (number + 0.08 + 0.65 * rng.random()) * _EVERY
        struck = rng.random() < 0.45 + 0.6 * storm
        return since if struck and 0.0 <= since < _LASTS else None

    def _branch(self, number: int) -> list[tuple[int, int, int]]:
        """Return the bolt as runs of pixels: row, first and last column."""
        rng = np.random.default_rng((self._seed, 78, number))
        canvas, unit = self._canvas, self._canvas.unit
        runs: list[tuple[int, int, int]] = []
        starts = [(canvas.row(0.10), rng.uniform(0.15, 0.85) * canvas.width, 0.0, canvas.horizon)]
        while starts:
            row, x, lean, end = starts.pop()
            while row < end:
                lean = 0.72 * lean + rng.normal(0.0, 1.25)
                if rng.random() < 0.06:
                    lean += rng.normal(0.0, 6.0)
                after = x + lean * min(1.0, unit + 0.3)
                runs.append((row, int(min(x, after)), int(max(x, after))))
                x, row = after, row + 1
                if len(starts) < 3 and rng.random() < 0.012 / unit:
                    side = float(rng.choice([-3.0, 3.0]))
                    starts.append((row, x, side, min(end, row + int(90 * unit))))
        return runs
