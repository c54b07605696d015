"""What falls and flies: rain, snow, and leaves in the wind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.lib.stride_tricks import as_strided

from odyssey_nb.service.worlds.landscape.blend import yuv

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from odyssey_nb.service.worlds.base import Planes
    from odyssey_nb.service.worlds.landscape.canvas import Canvas
    from odyssey_nb.service.worlds.landscape.light import Light

# Far, middle and near rain: how many drops, length of a streak, speed (pixels a second), alpha.
_RAIN: Final = ((700, 10.0, 620.0, 36), (460, 20.0, 1000.0, 52), (190, 38.0, 1600.0, 68))
# Far to near snow: how many flakes, radius, speed, alpha.
_SNOW: Final = (
    (800, 1.0, 46.0, 80),
    (420, 1.7, 78.0, 100),
    (170, 2.7, 120.0, 116),
    (44, 4.4, 175.0, 104),
)
_LEAVES: Final = ((46, 1.3, 260.0, 84), (22, 2.2, 400.0, 96))


class Rain:
    """Streaks of rain at three distances."""

    def __init__(self, canvas: Canvas, rng: np.random.Generator) -> None:
        self._canvas = canvas
        self._amount = 0.0
        self._tone = 128
        self._slant = 0.0
        self._clock = _Clock()
        scale = canvas.unit
        self._sheets = [
            _Drops(rng, canvas, _count(count, canvas), max(3, round(length * scale)), speed, alpha)
            for count, length, speed, alpha in _RAIN
        ]

    def relight(self, light: Light) -> None:
        """Rain as hard as `light` has it."""
        self._amount = light.mood.rain
        self._slant = 0.05 + 0.75 * light.mood.wind**1.5
        bright = light.sky[1:].mean() * 0.5 + 0.32 - 0.2 * light.night
        self._tone = round(float(yuv(np.full(3, min(bright, 0.95), np.float32))[0]))

    def paint(self, planes: Planes, time: float) -> None:
        """Paint the streaks over everything."""
        passed = self._clock.passed(time)
        if self._amount < 0.02:
            return
        for drops in self._sheets:
            drops.paint(planes.y, passed, self._amount, self._slant, self._tone)


class _Drops:
    """Rain at one distance."""

    def __init__(
        self,
        rng: np.random.Generator,
        canvas: Canvas,
        count: int,
        length: int,
        speed: float,
        alpha: int,
    ) -> None:
        self._canvas = canvas
        self._x = rng.random(count) * canvas.width
        self._y = rng.random(count) * (canvas.height + length)
        self._speed = speed * canvas.unit * rng.uniform(0.9, 1.1, count)
        self._along = np.arange(length)
        # A streak fades in from its tail.
        self._alpha = (np.linspace(0.25, 1.0, length) * alpha).astype(np.int16)

    def paint(
        self, y: NDArray[np.uint8], passed: float, amount: float, slant: float, tone: int
    ) -> None:
        height, width = y.shape
        self._y = (self._y + self._speed * passed) % (height + len(self._along))
        shown = max(1, int(len(self._y) * min(1.0, amount**1.35)))
        head = self._y[:shown].astype(np.int64)[:, None]
        row = head - self._along
        column = (self._x[:shown, None] + slant * row).astype(np.int64)
        inside = (row >= 0) & (row < height)
        where = (row * y.strides[0] + column % width)[inside]
        alpha = np.broadcast_to(self._alpha[::-1], row.shape)[inside]
        _mix(y, where, tone, (alpha * np.float64(0.55 + 0.45 * amount)).astype(np.int16))


class Flakes:
    """Soft round specks at several distances: snow that sinks, or leaves that fly."""

    def __init__(self, canvas: Canvas, rng: np.random.Generator, *, leaves: bool = False) -> None:
        self._canvas = canvas
        self._leaves = leaves
        self._amount = 0.0
        self._tone = 200
        self._wind = 0.0
        self._clock = _Clock()
        self._sheets = [
            _Specks(rng, canvas, _count(count, canvas), radius, speed, alpha)
            for count, radius, speed, alpha in (_LEAVES if leaves else _SNOW)
        ]

    def relight(self, light: Light) -> None:
        """Let as many fall or fly as `light` has snow or wind."""
        mood = light.mood
        if self._leaves:
            self._amount = max(0.0, (mood.wind - 0.3) / 0.7) * (0.45 + 0.55 * mood.autumn)
            bright = 0.30 * float(light.ambient.mean() + light.key.mean()) * (0.5 + mood.autumn)
            self._wind = 1.0
        else:
            self._amount = mood.snow
            bright = 0.33 + 0.9 * float(light.ambient.mean()) + 0.3 * float(light.key.mean())
            self._wind = 0.12 + 1.5 * mood.wind
        self._tone = round(float(yuv(np.full(3, min(bright, 0.97), np.float32))[0]))

    def paint(self, planes: Planes, time: float) -> None:
        """Paint the specks over everything."""
        passed = self._clock.passed(time)
        if self._amount < 0.02:
            return
        fall, drift = (0.12, 1.0) if self._leaves else (1.0, self._wind)
        for specks in self._sheets:
            specks.paint(planes.y, time, passed, self._amount, (fall, drift), self._tone)


class _Specks:
    """Specks of one size."""

    def __init__(
        self,
        rng: np.random.Generator,
        canvas: Canvas,
        count: int,
        radius: float,
        speed: float,
        alpha: int,
    ) -> None:
        self._x = rng.random(count) * canvas.width
        self._y = rng.random(count) * canvas.height
        self._speed = speed * canvas.unit * rng.uniform(0.75, 1.25, count)
        self._sway = rng.uniform(4.0, 16.0, count) * canvas.unit
        self._pace = rng.uniform(0.5, 1.6, count)
        radius = max(0.55, radius * canvas.unit**0.7)
        reach = int(np.ceil(radius))
        down, across = np.mgrid[-reach : reach + 1, -reach : reach + 1]
        cover = np.clip(radius + 0.5 - np.hypot(down, across), 0.0, 1.0)
        kept = cover > 0.1
        self._down, self._across = down[kept], across[kept]
        self._alpha = (cover[kept] * alpha).astype(np.int16)

    def paint(
        self,
        y: NDArray[np.uint8],
        time: float,
        passed: float,
        amount: float,
        motion: tuple[float, float],
        tone: int,
    ) -> None:
        height, width = y.shape
        fall, drift = motion
        self._y = (self._y + self._speed * (fall * passed)) % height
        self._x = (self._x + self._speed * (drift * passed)) % width
        shown = max(1, int(len(self._y) * min(1.0, amount**1.25)))
        swing = self._sway[:shown] * np.sin(self._pace[:shown] * time + self._speed[:shown])
        lift = (1.0 - fall) * swing * 2.0
        row = (self._y[:shown] + lift).astype(np.int64)[:, None] + self._down
        column = (self._x[:shown] + fall * swing).astype(np.int64)[:, None] + self._across
        where = ((row % height) * y.strides[0] + column % width).ravel()
        _mix(y, where, tone, np.tile(self._alpha, shown))


class _Clock:
    """Tells how much time has passed since it was last asked; speeds may change in between."""

    def __init__(self) -> None:
        self._last = 0.0

    def passed(self, time: float) -> float:
        passed, self._last = max(0.0, time - self._last), time
        return passed


def _count(count: int, canvas: Canvas) -> int:
    """Return how many specks a small picture needs to look as full as a large one."""
    return max(6, round(count * float(canvas.unit**0.9)))


def _mix(
    y: NDArray[np.uint8], where: NDArray[np.int64], tone: int, alpha: NDArray[np.int16]
) -> None:
    """Blend `tone` into the pixels `where`, counted in bytes from the first one of the plane."""
    # A flat view also of a plane whose rows have padding between them.
    flat = as_strided(y, (y.strides[0] * (len(y) - 1) + y.shape[1],), (1,))
    behind = flat.take(where).astype(np.int16)
    flat[where] = behind + (((tone - behind) * alpha) >> 7)
