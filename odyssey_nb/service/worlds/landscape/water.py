"""Water: it mirrors what stands above it, ripples, and glitters under sun and moon."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from odyssey_nb.service.worlds.landscape.blend import BLOCK, Tone, yuv
from odyssey_nb.service.worlds.landscape.noise import noise
from odyssey_nb.service.worlds.landscape.scroll import doubled

if TYPE_CHECKING:
    from odyssey_nb.service.worlds.base import Planes
    from odyssey_nb.service.worlds.landscape.blend import Brush, Bytes, Words
    from odyssey_nb.service.worlds.landscape.canvas import Canvas
    from odyssey_nb.service.worlds.landscape.light import Light
    from odyssey_nb.service.worlds.landscape.noise import Floats


Rows = NDArray[np.int64]
_CREST: Final = 84  # ripples above this glitter; they run from 0 to about 170


class Water:
    """A surface from row `top` down, painted from the finished picture above it.

    Ripples are the product of two wave patterns that drift against each other, so they never
    repeat; where the product is high the water glitters.
    """

    def __init__(
        self, canvas: Canvas, brush: Brush, rng: np.random.Generator, *, top: int, calm: float
    ) -> None:
        """Make water; `calm` is 0 for an open sea and 1 for a still lake."""
        self.top = top
        self.opaque = top
        self.bottom = canvas.height
        self._canvas = canvas
        self._brush = brush
        self._calm = calm
        self._waves = [doubled(_waves(canvas, top, rng), canvas.width) for _ in range(2)]
        self._ripple, self._lit, self._mine = (
            np.empty((BLOCK, canvas.width), np.uint16) for _ in range(3)
        )
        self._mirror: Bytes = np.empty((BLOCK, canvas.width), np.uint8)
        self._path: Words = np.zeros((canvas.height - top, 0), np.uint16)
        self._path_left = 0
        self._glint = np.uint16(235)
        self._tones: list[Tone] = []

    def hide_below(self, row: int) -> None:
        """Stop painting at `row`, from which nearer scenery hides everything."""
        self.bottom = min(self.bottom, row)

    def relight(self, light: Light) -> None:
        """Take on the colours of `light`."""
        rows = self._canvas.height - self.top
        part = np.linspace(0.0, 1.0, rows, dtype=np.float32)[:, None]
        # Looking down we see into the water, looking far we see the sky in it.
        clear = np.clip(0.90 - (0.62 - 0.22 * self._calm) * part**0.7, 0.0, 1.0)
        deep = np.array([0.10, 0.32, 0.40], np.float32) * (light.ambient + 0.45 * light.key)
        far = np.clip(deep + (light.haze - deep) * (light.hidden(0.5) * (1 - part) ** 2), 0.0, 0.95)
        own = yuv(far.astype(np.float32))
        swing = (0.50 - 0.30 * self._calm) * (0.35 + 0.65 * part) * (1.0 + 0.5 * light.mood.wind)
        self._tones = []
        for plane in range(3):
            step = 1 if plane == 0 else 2
            gain, mine = clear[::step] * 256.0, own[::step, plane : plane + 1]
            offset = mine * (256.0 - gain) + 128.0
            if plane > 0:
                self._tones.append(Tone(_words(gain), None, _words(offset)))
                continue
            # Ripples average about 64: they brighten as often as they darken.
            wave = swing * (104.0 * self._brightness(light))
            self._tones.append(Tone(_words(gain), _words(wave), _words(offset - wave * 62.0)))
        self._relight_glitter(light, part)

    def paint(self, planes: Planes, time: float) -> None:
        """Mirror what `planes` hold above the water, and ripple it."""
        unit = self._canvas.unit
        rows = np.arange(self._canvas.height - self.top)
        # Waves tilt the mirror: every row looks a little higher or lower, more so the nearer it is.
        tilt = (1.0 + rows * 0.045) * (1.0 - 0.72 * self._calm)
        sway = np.sin(rows * (0.9 / (1.0 + rows * 0.02 / unit)) / unit + time * 2.1)
        sway += 0.7 * np.sin(rows * 0.37 / unit - time * 1.3)
        source = np.clip(self.top - 1 - rows * 0.92 + sway * tilt, 0, self.top - 1).astype(np.int64)
        shift = (int(9 * unit * time), int(-14 * unit * time))
        self._paint_luma(planes.y, source, shift)
        half = np.minimum(source[::2] >> 1, (self.top >> 1) - 1)
        self._paint_chroma(planes.u, self._tones[1], half)
        self._paint_chroma(planes.v, self._tones[2], half)

    def _paint_luma(self, out: Bytes, source: Rows, shift: tuple[int, int]) -> None:
        width, tone = out.shape[1], self._tones[0]
        assert tone.accent is not None
        first, second = self._waves
        left, right = (move % self._canvas.period for move in shift)
        for row in range(self.top, self.bottom, BLOCK):
            until = min(row + BLOCK, self.bottom)
            rows = slice(row - self.top, until - self.top)
            ripple, lit = self._ripple[: until - row], self._lit[: until - row]
            mine, mirror = self._mine[: until - row], self._mirror[: until - row]
            np.copyto(lit, first[rows, left : left + width])
            np.multiply(lit, second[rows, right : right + width], out=ripple)
            np.right_shift(ripple, 8, out=ripple)
            np.take(out, source[rows], axis=0, out=mirror, mode="clip")
            np.multiply(mirror, tone.gain[rows], out=mine)
            np.add(mine, tone.offset[rows], out=mine)
            np.multiply(ripple, tone.accent[rows], out=lit)
            np.add(mine, lit, out=mine)
            np.right_shift(mine, 8, out=mine)
            self._glitter_on(mine, ripple, lit, rows)
            np.copyto(out[row:until], mine, casting="unsafe")

    def _glitter_on(self, mine: Words, ripple: Words, lit: Words, rows: slice) -> None:
        """Let the crests of `ripple` shine where the path of light lies; `lit` is scratch."""
        path = self._path[rows]
        if path.shape[1] == 0:
            return
        across = slice(self._path_left, self._path_left + path.shape[1])
        mine, ripple, lit = mine[:, across], ripple[:, across], lit[:, across]
        np.maximum(ripple, _CREST, out=lit)
        np.subtract(lit, _CREST, out=lit)
        np.multiply(lit, path, out=lit)
        np.right_shift(lit, 5, out=lit)
        np.minimum(lit, 112, out=lit)
        # mine + (glint - mine) * lit / 128, in wrapping words
        np.subtract(self._glint, mine, out=ripple)
        np.multiply(ripple, lit, out=ripple)
        signed = ripple.view(np.int16)
        np.right_shift(signed, 7, out=signed)
        np.add(mine, ripple, out=mine)

    def _paint_chroma(self, out: Bytes, tone: Tone, source: Rows) -> None:
        width = out.shape[1]
        for row in range(self.top >> 1, self.bottom >> 1, BLOCK):
            until = min(row + BLOCK, self.bottom >> 1)
            rows = slice(row - (self.top >> 1), until - (self.top >> 1))
            mirror = self._mirror[: until - row, :width]
            np.take(out, source[rows], axis=0, out=mirror, mode="clip")
            np.copyto(out[row:until], self._brush.tone(tone, rows, mirror), casting="unsafe")

    def _brightness(self, light: Light) -> float:
        """Return how bright the sky is that the waves catch, 0 to 1."""
        return float(0.12 + 0.88 * light.sky[2:].mean())

    def _relight_glitter(self, light: Light, part: Floats) -> None:
        canvas = self._canvas
        x = light.disc_x * canvas.width
        across = np.arange(canvas.width, dtype=np.float32)[None, :]
        reach = canvas.width * (0.030 + 0.11 * part + 0.06 * max(0.0, light.disc_height))
        shine = light.shine * min(1.0, max(0.0, light.disc_height + 0.05) * 12)
        path = np.exp(-(((across - x) / reach) ** 2)) * (80.0 * shine)
        bright = np.flatnonzero(path.max(axis=0) >= 1.0)
        left, right = (int(bright[0]), int(bright[-1]) + 1) if bright.size else (0, 0)
        self._path_left = left
        self._path = path[:, left:right].astype(np.uint16)
        colour = yuv(np.clip(light.glow * 0.55 + light.disc * 0.6, 0.0, 0.98).astype(np.float32))
        self._glint = np.uint16(round(float(colour[0])))


def _waves(canvas: Canvas, top: int, rng: np.random.Generator) -> Bytes:
    """Return a wave pattern 0 to 255: short and flat far away, long and tall nearby."""
    rows, unit = canvas.height - top, canvas.unit
    far = noise(rng, rows, canvas.period, roughness=1.3, largest=46 * unit + 6, stretch=5.0)
    near = noise(rng, rows, canvas.period, roughness=1.7, largest=190 * unit + 8, stretch=7.0)
    part = np.linspace(0.0, 1.0, rows, dtype=np.float32)[:, None] ** 0.6
    waves: Floats = far * (1.0 - part) + near * part
    pattern: Bytes = np.clip(128.0 + 52.0 * waves, 0, 255).astype(np.uint8)
    return pattern


def _words(values: Floats) -> Words:
    return np.rint(values).astype(np.int32).astype(np.uint16)
