"""The sky behind everything: its gradient, the glow and disc of sun or moon, and the stars."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from odyssey_nb.service.worlds.landscape.blend import BLOCK, yuv

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from odyssey_nb.service.worlds.base import Planes
    from odyssey_nb.service.worlds.landscape.blend import Bytes
    from odyssey_nb.service.worlds.landscape.canvas import Canvas
    from odyssey_nb.service.worlds.landscape.light import Light
    from odyssey_nb.service.worlds.landscape.noise import Floats

# Glow around the disc: strength, then reach across and up in picture diagonals.
_HALOS: Final = ((0.42, 0.34, 0.15), (0.40, 0.13, 0.105), (0.55, 0.038, 0.038))
_UNSEEN: Final = 0.4  # a halo fainter than this, in steps of the plane, is left out
_LOW: Final = (16.0, 16.0, 16.0)
_HIGH: Final = (235.0, 240.0, 240.0)
# The moon's dark seas: place and reach in moon radii, and depth.
_SEAS: Final = ((-0.3, -0.25, 0.36, 0.16), (0.25, -0.35, 0.25, 0.13), (0.1, 0.3, 0.3, 0.1))


class Sky:
    """The sky as a still picture per light, with twinkling stars on top.

    The picture is computed in floating point when the light changes and only copied otherwise.
    """

    def __init__(self, canvas: Canvas, bottom: int, rng: np.random.Generator) -> None:
        """Make a sky that reaches down to row `bottom`, which must be even."""
        self._canvas = canvas
        width = canvas.width
        self._planes: list[Bytes] = [
            np.empty((bottom, width), np.uint8),
            np.empty((bottom // 2, width // 2), np.uint8),
            np.empty((bottom // 2, width // 2), np.uint8),
        ]
        self._scratch: Floats = np.empty((BLOCK, width), np.float32)
        self._product: Floats = np.empty((BLOCK, width), np.float32)
        self._dither = _ordered_dither(BLOCK, width)
        self._stars = _Stars(canvas, rng)

    def relight(self, light: Light) -> None:
        """Compute the sky of `light`."""
        canvas = self._canvas
        bottom = len(self._planes[0])
        column = yuv(light.sky_rows(bottom, canvas.horizon))
        glow = yuv(light.glow) - yuv(np.zeros(3, np.float32))
        for plane, out in enumerate(self._planes):
            step = 1 if plane == 0 else 2
            base = np.ascontiguousarray(column[::step, plane : plane + 1])
            halos = [
                (up * np.float32(glow[plane]), across)
                for up, across in self._halos(light, len(out), out.shape[1], step)
            ]
            for top in range(0, len(out), BLOCK):
                rows = slice(top, min(top + BLOCK, len(out)))
                self._fill(
                    out[rows], base[rows], [(up[rows], across) for up, across in halos], plane
                )
        self._draw_disc(light)
        self._stars.relight(light, self._planes[0])

    def paint(self, planes: Planes, time: float) -> None:
        """Paint the sky over everything down to its bottom."""
        for out, still in zip((planes.y, planes.u, planes.v), self._planes, strict=True):
            out[: len(still)] = still
        self._stars.paint(planes, time)

    def _halos(self, light: Light, rows: int, width: int, step: int) -> list[tuple[Floats, Floats]]:
        """Return each halo as a column and a row whose product it is."""
        canvas = self._canvas
        diagonal = float(np.hypot(canvas.width, canvas.height))
        x = light.disc_x * canvas.width
        y = canvas.horizon - light.disc_height * canvas.height
        # A sun just under the horizon still lights the sky above it.
        below = max(0.0, -light.disc_height)
        strength = max(0.0, 1.0 - below / 0.13)
        down = np.arange(0, rows * step, step, dtype=np.float32)[:, None]
        across = np.arange(0, width * step, step, dtype=np.float32)[None, :]
        low = max(0.0, 1.0 - abs(light.disc_height) / 0.3)
        halos = []
        for amount, reach_x, reach_y in _HALOS:
            wide = 1.0 + (0.5 * low if reach_x > reach_y else 0.0)
            wide *= 0.62 if light.is_moon else 1.0
            up = np.exp(-(((down - y) / (reach_y * diagonal)) ** 2))
            side = np.exp(-(((across - x) / (reach_x * wide * diagonal)) ** 2))
            halos.append((up * np.float32(amount * strength), side))
        return halos

    def _fill(
        self, out: Bytes, base: Floats, halos: list[tuple[Floats, Floats]], plane: int
    ) -> None:
        rows, width = out.shape
        total = self._scratch[:rows, :width]
        product = self._product[:rows, :width]
        np.add(self._dither[:rows, :width], base, out=total)
        for up, across in halos:
            if abs(up).max() < _UNSEEN:
                continue
            np.multiply(up, across, out=product)
            np.add(total, product, out=total)
        np.clip(total, _LOW[plane], _HIGH[plane], out=total)
        np.copyto(out, total, casting="unsafe")

    def _draw_disc(self, light: Light) -> None:
        canvas = self._canvas
        radius = (21.0 if light.is_moon else 27.0) * canvas.unit
        x = light.disc_x * canvas.width
        y = canvas.horizon - light.disc_height * canvas.height
        colour = yuv(light.disc)
        for plane, out in enumerate(self._planes):
            step = 1 if plane == 0 else 2
            reach = radius + 2 * step
            top, left = max(0, int((y - reach) / step)), max(0, int((x - reach) / step))
            patch = out[top : int((y + reach) / step) + 1, left : int((x + reach) / step) + 1]
            if 0 in patch.shape:
                continue
            down = (
                np.arange(top, top + patch.shape[0], dtype=np.float32)[:, None] + 0.5
            ) * step - y
            side = (np.arange(left, left + patch.shape[1], dtype=np.float32) + 0.5) * step - x
            alpha = np.clip((radius - np.hypot(down, side)) / step + 0.5, 0.0, 1.0) * light.shine
            face = np.full(patch.shape, colour[plane], np.float32)
            if light.is_moon and plane == 0:
                for sea_x, sea_y, reach, depth in _SEAS:
                    away = np.hypot(down / radius - sea_y, side / radius - sea_x) / reach
                    face -= (depth * 219.0) * np.exp(-(away**2))
            if not light.is_moon and plane == 0:
                # Where the glow is brighter than the sun's own colour, the sun is no hole in it.
                face = np.maximum(face, patch)
            elif not light.is_moon:
                # A low sun keeps much of the colour of the air before it.
                alpha = alpha * min(1.0, 0.3 + 3.0 * max(0.0, light.disc_height))
            np.copyto(patch, patch + (face - patch) * alpha, casting="unsafe")


class _Stars:
    """Points of light that twinkle a little."""

    def __init__(self, canvas: Canvas, rng: np.random.Generator) -> None:
        count = int(420 * min(1.0, 0.35 + 0.65 * canvas.unit))
        self._x = rng.integers(1, canvas.width - 1, count)
        self._y = (rng.random(count) ** 1.25 * (canvas.horizon - 4)).astype(np.int64) + 1
        self._size: Floats = (rng.random(count, dtype=np.float32) ** 5) * 0.85 + 0.15
        self._pace: Floats = rng.random(count, dtype=np.float32) * 2.0 + 0.6
        # The brightest stars spread to the four pixels around them.
        bright = np.flatnonzero(self._size > 0.45)
        for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            self._x = np.concatenate([self._x, self._x[bright] + dx])
            self._y = np.concatenate([self._y, self._y[bright] + dy])
            self._size = np.concatenate([self._size, self._size[bright] * np.float32(0.35)])
            self._pace = np.concatenate([self._pace, self._pace[bright]])
        self._fade: Floats = (1.0 - self._y / canvas.horizon).astype(np.float32) ** np.float32(0.6)
        self._strength: Floats = np.zeros_like(self._size)
        self._behind: Floats = np.zeros_like(self._size)
        self._shown = False

    def relight(self, light: Light, sky: NDArray[np.uint8]) -> None:
        seen = light.night**2 * (1.0 - light.grey) * max(0.0, 1.0 - 1.5 * light.mood.fog)
        self._shown = seen > 0.02
        self._strength = self._size * self._fade * np.float32(190.0 * seen)
        self._behind = sky[self._y, self._x].astype(np.float32)

    def paint(self, planes: Planes, time: float) -> None:
        if not self._shown:
            return
        twinkle = 0.85 + 0.15 * np.sin(self._pace * np.float32(time * 2.2) + self._size * 40.0)
        # Never darker than the sky, so a star in front of the moon stays unseen.
        planes.y[self._y, self._x] = np.minimum(self._behind + self._strength * twinkle, 235.0)


def _ordered_dither(rows: int, width: int) -> Floats:
    """Return Bayer's 8x8 pattern, 0 to 1, over a whole block: gradients without bands or noise."""
    pattern = np.zeros((1, 1), np.float32)
    for _ in range(3):
        quarter = pattern * 4
        pattern = np.block([[quarter, quarter + 2], [quarter + 3, quarter + 1]]).astype(np.float32)
    tiled: Floats = np.tile((pattern + 0.5) / 64.0, (rows // 8, width // 8 + 1))[:, :width]
    return np.ascontiguousarray(tiled)
