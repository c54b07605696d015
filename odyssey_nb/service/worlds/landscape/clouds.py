"""Clouds that drift, gather and dissolve."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from odyssey_nb.service.worlds.landscape.blend import tones
from odyssey_nb.service.worlds.landscape.noise import noise, ramp
from odyssey_nb.service.worlds.landscape.scroll import Scroll, both

if TYPE_CHECKING:
    from odyssey_nb.service.worlds.landscape.blend import Brush, Bytes, Tone, Words
    from odyssey_nb.service.worlds.landscape.canvas import Canvas
    from odyssey_nb.service.worlds.landscape.light import Light


class Clouds(Scroll):
    """A sheet of clouds seen from below: tall overhead, flat towards the horizon.

    The sheet holds a density whose values are evenly spread, so a threshold is a cover: with more
    cloud the threshold falls and the same clouds grow.
    """

    def __init__(self, canvas: Canvas, brush: Brush, rng: np.random.Generator) -> None:
        rows = canvas.row(0.58)
        super().__init__(canvas, brush, top=0, opaque=rows, bottom=rows, speed=0.0)
        density, shade = _sheet(canvas, rows, rng)
        self._density = both(density, canvas.width)
        self._shade = both(shade, canvas.width)
        self._tones: list[Tone] = []
        self._floor = 255
        self._strength: Words = np.zeros((rows, 1), np.uint16)
        self._offset = 0.0
        self._painted = 0.0

    def _take_on(self, light: Light) -> bool:
        mood, rows = light.mood, self.bottom
        self._floor = int(255 * max(0.0, min(1.0, 1.02 - 0.92 * mood.cloud)))
        self._speed = (7.0 + 60.0 * mood.wind**2) * self._canvas.unit
        sky = light.sky_rows(rows, self._canvas.horizon)
        lit = np.clip(light.ambient * 0.82 + light.key * 0.80 + light.glow * 0.25, 0.0, 0.97)
        dark = light.ambient * 0.78 + light.sky[1] * 0.30 + light.key * 0.12 + light.glow * 0.08
        # Under a full cover the clouds are the light: the sky's own grey, with soft relief.
        grey = light.grey
        base = 0.5 * (light.sky[1] + light.sky[2])
        dark = dark + (base * (0.70 - 0.30 * mood.storm) - dark) * grey
        lit = lit + (np.clip(base * 1.20 + 0.03, 0.0, 0.95) - lit) * grey
        dark, lit = np.clip(dark, 0.0, 0.97), np.clip(lit, 0.0, 0.98)
        place = np.arange(rows, dtype=np.float32)[:, None] / self._canvas.horizon
        thick = np.clip((0.08 + 0.5 * mood.fog) + 0.6 * place**3, 0.0, 0.95).astype(np.float32)
        self._tones = tones(dark.astype(np.float32), lit.astype(np.float32), None, sky, thick)
        # Clouds come out of nothing at their edges, thin out into the haze, and never cover fully.
        # A strength of 256 is the most that a density of 255 can be multiplied with in a word.
        edge = ramp((1.0 - place).astype(np.float32), 0.0, 0.12) * (1.0 - 0.6 * mood.fog)
        self._strength = np.rint(edge * 256.0).astype(np.uint16)
        return self._floor < 250

    def _travelled(self, time: float) -> float:
        # The wind may change, so the way is summed up rather than computed from the time.
        self._offset += self._speed * max(0.0, time - self._painted)
        self._painted = time
        return self._offset

    def _mixed(self, plane: int, rows: slice, window: slice) -> tuple[Words, Bytes]:
        brush, half = self._brush, min(plane, 1)
        strength = self._strength[:: 1 + half]
        above = brush.above(self._density[half][rows, window], self._floor)
        alpha = brush.faded(above, strength[rows])
        return brush.tone(self._tones[plane], rows, self._shade[half][rows, window]), alpha


def _sheet(canvas: Canvas, rows: int, rng: np.random.Generator) -> tuple[Bytes, Bytes]:
    """Return density and shade of a sheet one period wide."""
    tall = 384
    large = 560 * canvas.unit
    field = noise(rng, tall, canvas.period, roughness=1.9, largest=large, stretch=2.2)
    # Far clouds lie close together: equal steps in the sheet are ever smaller steps on screen.
    nearness = 1.0 - np.arange(rows) / canvas.horizon
    place = (np.log(0.28 + nearness) - np.log(0.28)) * (0.95 * canvas.horizon)
    whole = place.astype(np.int64)
    part = (place - whole).astype(np.float32)[:, None]
    seen = field[whole % tall] * (1.0 - part) + field[(whole + 1) % tall] * part
    # The light falls from above: where the sheet thickens downwards we look at a lit top.
    reach = max(2, round(9 * canvas.unit))
    rise = seen - np.roll(seen, reach, axis=0)
    rise[:reach] = 0.0
    density = 255.0 / (1.0 + np.exp(-1.7 * seen))
    shade = 160.0 + 85.0 * np.tanh(1.5 * rise) - 40.0 * np.tanh(0.9 * seen - 0.7)
    return density.astype(np.uint8), np.clip(shade, 0, 255).astype(np.uint8)
