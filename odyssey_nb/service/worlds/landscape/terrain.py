"""Bare ground: mountain ranges, rolling hills and dunes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from odyssey_nb.service.worlds.landscape.noise import noise, noise_line, ramp
from odyssey_nb.service.worlds.landscape.shapes import Shape, relief

if TYPE_CHECKING:
    from odyssey_nb.service.worlds.landscape.canvas import Canvas
    from odyssey_nb.service.worlds.landscape.noise import Floats


def mountains(
    canvas: Canvas,
    rng: np.random.Generator,
    *,
    foot: int,
    bottom: int,
    rise: float,
    snow_line: float = 0.5,
    width: float = 460.0,
) -> Shape:
    """Return a range of ridged mountains.

    Args:
        foot: The row of the farthest ground.
        bottom: The row after the strip's last.
        rise: The height of the highest peaks, in pixels at full size.
        snow_line: The part of that height above which snow lies; 2 means none does.
        width: The distance of the main peaks, in pixels at full size.
    """
    period, unit = canvas.period, canvas.unit
    depths = 72
    rise *= canvas.relief
    across = width * unit
    big = 1.0 - np.abs(noise(rng, depths, period, roughness=2.7, largest=across, stretch=5.0))
    small = 1.0 - np.abs(
        noise(rng, depths, period, roughness=2.4, largest=across / 2.6, stretch=4.0)
    )
    detail = noise(rng, depths, period, roughness=2.0, largest=across / 8, stretch=3.0)
    massif = ramp(noise_line(rng, period, roughness=2.5, largest=across * 2.2), -1.6, 1.6)
    # The range is highest along its back; towards us spurs run down from it.
    depth = np.linspace(0.0, 1.0, depths, dtype=np.float32)[:, None]
    back = np.sin(np.pi * np.clip(depth * 0.66 + 0.06, 0.0, 1.0)).astype(np.float32)
    body = np.maximum(0.30 + 0.42 * big + 0.17 * small * (0.4 + 0.6 * massif), 0.0)
    height = back * (0.35 + 0.75 * massif) * body + 0.014 * detail * back
    peak = float(np.quantile(height.max(axis=0), 0.985))
    height *= rise / peak
    base = (bottom + (foot - bottom) * depth[:, 0] ** 0.45).astype(np.float32)
    lit = _slope_light(height, across=1.9 / canvas.relief, along=-0.25 / canvas.relief)
    shade = np.clip(118.0 + 100.0 * np.tanh(1.0 * lit) + 7.0 * detail, 0, 255)
    part = height / rise + 0.05 * detail + 0.045 * small
    accent = 255.0 * ramp(part - 0.10 * np.abs(np.tanh(lit)), snow_line - 0.04, snow_line + 0.07)
    shape = relief(_top(base, height), bottom, height, base, shade, accent)
    _texture(shape, rng, 7.0, unit)
    return shape


def hills(
    canvas: Canvas,
    rng: np.random.Generator,
    *,
    foot: int,
    bottom: int,
    rise: float,
    width: float = 620.0,
    grain: float = 1.0,
) -> Shape:
    """Return soft rolling ground from row `foot` (far) to row `bottom`, `rise` pixels high.

    Args:
        grain: How rough the ground looks: 0 is smooth snow or sand, 1 is grass.
    """
    period, unit = canvas.period, canvas.unit
    depths = max(48, min(120, (bottom - foot) // 2 + 40))
    roll = noise(rng, depths, period, roughness=2.8, largest=width * unit, stretch=3.5)
    bumps = noise(rng, depths, period, roughness=1.8, largest=90 * unit + 4, stretch=4.0)
    height = (rise * canvas.relief * 0.42) * (1.1 + roll) + (1.1 * unit * grain) * bumps
    depth = np.linspace(0.0, 1.0, depths, dtype=np.float32)
    # Perspective: the nearest steps of depth are the tallest on screen.
    # The nearest ground must begin below the strip, or its foot would show as hanging streaks.
    near = bottom + float(height[0].max())
    base = near + (foot - near) * depth**0.75
    lit = _slope_light(height, across=4.0 / unit, along=-1.5 / unit)
    shade = 124.0 + 66.0 * np.tanh(lit) + 9.0 * grain * bumps
    patches = noise(rng, depths, period, roughness=2.0, largest=300 * unit, stretch=3.0)
    accent = 255.0 * ramp(patches, -1.4, 2.2)
    shape = relief(_top(base, height), bottom, height, base.astype(np.float32), shade, accent)
    _texture(shape, rng, 15.0 * grain * min(1.0, unit + 0.3), unit)
    return shape


def dunes(
    canvas: Canvas,
    rng: np.random.Generator,
    *,
    foot: int,
    bottom: int,
    rise: float,
    crests: int,
) -> Shape:
    """Return sand dunes with sharp crests, `crests` of them across the strip."""
    period, unit = canvas.period, canvas.unit
    depths = max(64, min(128, (bottom - foot) // 2 + 48))
    bend = noise(rng, depths, period, roughness=3.2, largest=800 * unit, stretch=4.5)
    swell = ramp(
        noise(rng, depths, period, roughness=2.6, largest=520 * unit, stretch=2.5), -1.7, 1.5
    )
    along = np.arange(period, dtype=np.float32) / period * crests
    depth = np.linspace(0.0, 1.0, depths, dtype=np.float32)[:, None]
    phase = (along + 0.22 * bend + 0.8 * depth + rng.random()) % 1.0
    # A long windward slope and a short slip face, which lies in shadow.
    long = 0.62
    climb = np.clip(phase / long, 0.0, 1.0)
    slip = np.clip((1.0 - phase) / (1.0 - long), 0.0, 1.0)
    height = np.where(phase < long, climb**1.6, slip**1.35) * (0.25 + 0.75 * swell)
    height = height.astype(np.float32) * np.float32(rise * canvas.relief)
    near = bottom + float(height[0].max())
    base = near + (foot - near) * depth[:, 0] ** 0.8
    lit = _slope_light(height, across=3.2 / unit, along=-0.8 / unit)
    ripples = np.sin((along * 90.0 + 9.0 * bend + 60.0 * depth) * 2.0 * np.pi / crests * 2.0)
    shade = 128.0 + 100.0 * np.tanh(1.15 * lit) + 3.0 * ripples
    accent = 255.0 * ramp(bend + swell, -1.5, 2.5)
    shape = relief(_top(base, height), bottom, height, base.astype(np.float32), shade, accent)
    _texture(shape, rng, 3.0, unit)
    return shape


def ground_line(shape: Shape) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return the row on screen where `shape` begins, for each of its columns."""
    bare = ~(shape.alpha[-1] > 64)  # nothing but what is behind the strip
    return np.where(bare, len(shape.alpha), np.argmax(shape.alpha > 64, axis=0)) + shape.top


def _slope_light(height: Floats, *, across: float, along: float) -> Floats:
    """Return how far slopes face a light from the left and from above the viewer."""
    slope = (np.roll(height, -1, axis=1) - np.roll(height, 1, axis=1)) * np.float32(0.5 * across)
    slope += np.gradient(height, axis=0).astype(np.float32) * np.float32(along)
    return slope


def _top(base: Floats, height: Floats) -> int:
    """Return the even row just above the highest ground."""
    return max(0, int(np.floor((base[:, None] - height).min() / 2.0)) * 2 - 2)


def _texture(shape: Shape, rng: np.random.Generator, depth: float, unit: float) -> None:
    """Roughen the shade by up to about `depth`, finer above (far) than below (near)."""
    rows, period = shape.shade.shape
    if depth < 1.0:
        return
    field = noise(rng, rows, period, roughness=1.0, largest=26 * unit + 4, stretch=2.6)
    grow = np.linspace(0.35, 1.0, rows, dtype=np.float32)[:, None]
    np.copyto(shape.shade, np.clip(shape.shade + field * (depth * grow), 0, 255), casting="unsafe")
