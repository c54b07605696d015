"""Trees: conifers and broadleaf trees, drawn once and stood along a strip."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from odyssey_nb.service.worlds.landscape.shapes import Sprite
from odyssey_nb.service.worlds.landscape.terrain import ground_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from odyssey_nb.service.worlds.landscape.noise import Floats
    from odyssey_nb.service.worlds.landscape.shapes import Shape


def conifer(rng: np.random.Generator, height: int) -> Sprite:
    """Return a spruce or fir `height` pixels tall: whorls of drooping branches round a spire."""
    half = max(2, int(height * rng.uniform(0.17, 0.25)))
    width = 2 * half + 3
    part = (np.arange(height, dtype=np.float32) + 0.5) / height
    whorls = rng.uniform(7.0, 11.0) * min(1.0, 0.5 + height / 160)
    # Branches grow longer and farther apart towards the foot.
    phase = (part**0.85 * whorls + rng.random()) % 1.0
    outline = half * part**0.82 * (0.50 + 0.50 * phase)
    outline *= np.where(part > 0.965, 0.12, 1.0)
    outline += 0.5
    jagged = rng.uniform(0.72, 1.06, (2, height)).astype(np.float32)
    jagged = 0.5 * jagged + 0.5 * np.roll(jagged, 1, axis=1)
    side = np.arange(width, dtype=np.float32) - (width - 1) / 2
    edge = np.where(
        side < 0, outline[:, None] * jagged[0][:, None], outline[:, None] * jagged[1][:, None]
    )
    # The tips droop: away from the trunk a whorl reaches a little lower.
    droop = np.minimum((np.abs(side) / half * height * 0.035).astype(np.int64), height - 1)
    rows = np.maximum(np.arange(height)[:, None] - droop, 0)
    reach = np.take_along_axis(edge, rows, axis=0)
    alpha = np.clip(reach - np.abs(side) + 0.5, 0.0, 1.0)
    lit = 0.55 - 0.42 * side / half
    shade = 96.0 * lit + 92.0 * (1.0 - phase[:, None]) * lit + rng.normal(0, 11, (height, width))
    shade *= 1.0 - 0.25 * part[:, None]
    lit_up = np.clip(shade, 0, 255).astype(np.float32)
    return Sprite(alpha.astype(np.float32), lit_up, accent=(0, 70))


def broadleaf(rng: np.random.Generator, height: int) -> Sprite:
    """Return a round-headed tree `height` pixels tall: clumps of leaves over a trunk."""
    width = max(5, int(height * rng.uniform(0.72, 1.0)))
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    x = (x + 0.5) / width * 2.0 - 1.0
    y = (y + 0.5) / height
    alpha = np.clip((0.055 - np.abs(x) * (1.25 - y * 0.45)) * width * 0.5 + 0.5, 0.0, 1.0)
    alpha *= y > 0.5
    shade = np.where(alpha > 0, 26.0, 0.0).astype(np.float32)
    clumps = int(min(56, 9 + height / 5))
    angle = rng.uniform(0, 2 * np.pi, clumps)
    away = np.sqrt(rng.random(clumps))
    centres = zip(
        0.56 * away * np.cos(angle),
        0.40 + 0.24 * away * np.sin(angle),
        rng.uniform(0.22, 0.38, clumps) * (1.0 - 0.42 * min(1.0, height / 240)),
        strict=True,
    )
    ragged = rng.normal(0.0, 0.07, (height, width)).astype(np.float32)
    # Low clumps first: those higher up catch the light and overlap them.
    for clump_x, clump_y, size in sorted(centres, key=lambda clump: -clump[1]):
        # Only the pixels a clump can reach: most of the tree is not near it.
        near = (
            _window((clump_y - size * 0.8), (clump_y + size * 0.8), height),
            _window((clump_x - size * 1.3 + 1.0) / 2, (clump_x + size * 1.3 + 1.0) / 2, width),
        )
        across, down = (x[near] - clump_x) / size, (y[near] - clump_y) / (size * 0.62)
        reach = 1.0 - np.hypot(across, down) + ragged[near]
        cover = np.clip(reach * size * width * 0.4, 0.0, 1.0)
        glow = 128.0 - 62.0 * across - 78.0 * down + 210.0 * (0.42 - clump_y) + 130.0 * ragged[near]
        shade[near] += (glow - shade[near]) * cover
        alpha[near] = np.maximum(alpha[near], cover)
    lit_up = np.clip(shade, 0, 255).astype(np.float32)
    return Sprite(alpha.astype(np.float32), lit_up, accent=(110, 255))


def _window(first: float, last: float, size: int) -> slice:
    """Return the pixels of `size` between two parts (0 to 1) of them."""
    return slice(max(0, int(first * size)), min(size, int(last * size) + 1))


def plant(
    shape: Shape,
    rng: np.random.Generator,
    kinds: Sequence[Sprite],
    *,
    places: Floats,
    sink: float,
    spread: float = 0.0,
) -> None:
    """Stand trees of `kinds` on the skyline of `shape`.

    Args:
        places: Where, in columns of the strip.
        sink: How far below the skyline they stand, in pixels.
        spread: How much farther down they may stand; the lower, the nearer, the later drawn.
    """
    skyline = ground_line(shape)
    period = len(skyline)
    lower = np.sort(rng.random(len(places)))
    for place, low in zip(rng.permutation(places), lower, strict=True):
        sprite = kinds[int(rng.integers(len(kinds)))]
        foot = skyline[int(place) % period] + sink + spread * low
        left = int(place) - sprite.alpha.shape[1] // 2
        shape.stand(sprite, left, foot, accent=int(rng.integers(*sprite.accent)))


def scattered(
    rng: np.random.Generator, period: int, count: int, *, clumping: float = 0.0
) -> Floats:
    """Return `count` places along a strip; with `clumping` (0 to 1) they gather in groves."""
    even = (np.arange(count) + rng.uniform(-0.45, 0.45, count)) * period / count
    groves = rng.uniform(0, period, max(1, count // 9))
    gathered = rng.choice(groves, count) + rng.normal(0, period * 0.022, count)
    places: Floats = (
        np.where(rng.random(count) < clumping, gathered, even).astype(np.float32) % period
    )
    return places
