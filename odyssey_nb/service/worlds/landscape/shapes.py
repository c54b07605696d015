"""Building strips of scenery: where they are, how they are lit, and what stands on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from odyssey_nb.service.worlds.landscape.blend import OPAQUE

if TYPE_CHECKING:
    from odyssey_nb.service.worlds.landscape.blend import Bytes
    from odyssey_nb.service.worlds.landscape.noise import Floats


@dataclass(frozen=True, slots=True)
class Sprite:
    """Something to stand on a strip. All arrays have shape (height, width)."""

    alpha: Floats  # 0 to 1
    shade: Floats  # 0 to 255
    accent: tuple[int, int] = (0, 255)  # the least and the most of the second material


@dataclass(slots=True)
class Shape:
    """The picture of a strip: arrays of (rows, period), whose first row is row `top` on screen.

    `top` and the number of rows are even, so that the strip can be halved for chroma.
    """

    top: int
    alpha: Bytes  # 0 to OPAQUE
    shade: Bytes  # 0 to 255
    accent: Bytes | None = None  # 0 to 255

    @property
    def opaque(self) -> int:
        """The first row, an even one, from which the strip hides everything behind it."""
        hidden = self.alpha.min(axis=1) == OPAQUE
        open_rows = np.flatnonzero(~hidden)
        first = int(open_rows[-1]) + 1 if open_rows.size else 0
        return self.top + first + first % 2

    def stand(self, sprite: Sprite, x: int, foot: float, accent: int = 0) -> None:
        """Stand `sprite` with its left edge at `x` and its last row just above row `foot`."""
        height, width = sprite.alpha.shape
        period = self.alpha.shape[1]
        row = round(foot) - self.top - height
        skip, end = max(0, -row), min(height, len(self.alpha) - row)
        if end <= skip:
            return
        x %= period
        for left in (x, x - period) if x + width > period else (x,):
            first, last = max(0, -left), min(width, period - left)
            part = (slice(skip, end), slice(first, last))
            place = (slice(row + skip, row + end), slice(left + first, left + last))
            alpha = sprite.alpha[part]
            _mix(self.shade, place, sprite.shade[part], alpha)
            _mix(self.alpha, place, np.float32(OPAQUE), alpha)
            if self.accent is not None:
                _mix(self.accent, place, np.float32(accent), alpha)


def _mix(
    array: Bytes, place: tuple[slice, slice], value: Floats | np.float32, alpha: Floats
) -> None:
    below = array[place]
    np.copyto(below, np.rint(below + (value - below) * alpha), casting="unsafe")


def relief(
    top: int, bottom: int, height: Floats, base: Floats, shade: Floats, accent: Floats | None = None
) -> Shape:
    """Look across a height field from the front: near ground hides far ground.

    Args:
        top: The strip's first row; what rises above it is cut off.
        bottom: The row after its last.
        height: How far the ground rises at each depth and place, in pixels; shape (depths,
            period), nearest first.
        base: The row where ground of no height lies at each depth; falls from near to far.
        shade: How brightly the ground is lit, 0 to 255, like `height`.
        accent: How far it is of the second material, 0 to 255, like `height`.
    """
    depths, period = height.shape
    rows = bottom - top
    edge = base[:, None] - height - np.float32(top)
    nearest = np.minimum.accumulate(edge, axis=0)
    seen = np.ones(edge.shape, bool)
    seen[1:] = edge[1:] < nearest[:-1]
    # Mark where each visible depth begins on screen, nearest last so that it wins, then let the
    # marks run down: below the edge of some ground we see that ground, until nearer ground begins.
    depth, place = np.nonzero(seen)
    depth, place = depth[::-1], place[::-1]
    row = np.clip(edge[depth, place], 0, rows - 1).astype(np.int64)
    shown = np.full((rows, period), depths, np.int16)
    shown[row, place] = depth
    for at in range(1, rows):
        np.minimum(shown[at], shown[at - 1], out=shown[at])
    where = np.minimum(shown, depths - 1).astype(np.int32) * period
    where += np.arange(period, dtype=np.int32)
    cover = np.arange(rows, dtype=np.float32)[:, None] + 1.0 - nearest[-1]
    return Shape(
        top=top,
        alpha=np.rint(np.clip(cover, 0.0, 1.0) * OPAQUE).astype(np.uint8),
        shade=_looked_up(shade, where),
        accent=None if accent is None else _looked_up(accent, where),
    )


def _looked_up(values: Floats, where: np.ndarray[tuple[int, int], np.dtype[np.int32]]) -> Bytes:
    small = np.clip(values, 0, 255).astype(np.uint8).ravel()
    found: Bytes = small[where]
    # Steps of depth would show as hard terraces; a mean over neighbouring rows softens them.
    total = found.astype(np.uint16)
    total[1:-1] += found[:-2]
    total[1:-1] += found[1:-1]
    total[1:-1] += found[2:]
    total[1:-1] += 2
    total[1:-1] >>= 2
    return total.astype(np.uint8)
