"""A city's skyline: towers with rows of windows that light up at night."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from odyssey_nb.service.worlds.landscape.blend import OPAQUE
from odyssey_nb.service.worlds.landscape.shapes import Shape

if TYPE_CHECKING:
    from odyssey_nb.service.worlds.landscape.canvas import Canvas


def skyline(
    canvas: Canvas,
    rng: np.random.Generator,
    *,
    foot: int,
    bottom: int,
    rise: float,
    width: float,
    lit: float,
) -> Shape:
    """Return a row of buildings.

    Args:
        foot: The row on which they stand; below it the strip is solid down to `bottom`.
        rise: The height of the tallest, in pixels at full size.
        width: The usual width of one, in pixels at full size; windows follow it.
        lit: How many of the windows have light, 0 to 1.
    """
    period, unit = canvas.period, canvas.unit
    rise *= canvas.relief
    top = max(0, int(foot - rise * 1.3) // 2 * 2)
    rows = bottom - top
    shape = Shape(
        top=top,
        alpha=np.zeros((rows, period), np.uint8),
        shade=np.zeros((rows, period), np.uint8),
        accent=np.zeros((rows, period), np.uint8),
    )
    shape.alpha[foot - top :] = OPAQUE
    shape.shade[foot - top :] = 40
    # Downtown: towers are tallest around one place and lower away from it.
    centre = rng.uniform(0.3, 0.55) * canvas.width
    x = 0.0
    while x < period:
        wide = max(5.0, rng.uniform(0.6, 1.6) * width * unit)
        away = abs((x - centre + period / 2) % period - period / 2) / (0.36 * period)
        high = rise * (0.26 + 0.74 * np.exp(-(away**2) * 1.6)) * (0.35 + 0.65 * rng.random() ** 1.3)
        if rng.random() < 0.12:
            high *= 1.22
        right = min(period, round(x + wide))
        if right - round(x) >= 4:
            _tower(shape, rng, round(x), right, max(6, round(high)), foot, width * unit, lit)
        x += wide + rng.choice([0.0, 0.0, 0.15]) * width * unit
    return shape


def _tower(
    shape: Shape,
    rng: np.random.Generator,
    left: int,
    right: int,
    high: int,
    foot: int,
    width: float,
    lit: float,
) -> None:
    """Build one tower, perhaps with a narrower top and a mast."""
    assert shape.accent is not None
    base = int(rng.integers(70, 170))
    _block(shape, rng, left, right, foot - high, foot, base, width, lit)
    wide = right - left
    if high > 2.0 * wide and wide >= 12 and rng.random() < 0.55:
        inset = max(2, round(wide * rng.uniform(0.14, 0.26)))
        extra = round(high * rng.uniform(0.06, 0.16))
        roof = foot - high - extra
        _block(shape, rng, left + inset, right - inset, roof, foot - high, base, width, lit)
        if rng.random() < 0.6:
            mast = max(1, round(width * 0.045))
            middle = (left + right) // 2
            rows = slice(max(0, roof - round(high * 0.13) - shape.top), max(0, roof - shape.top))
            shape.alpha[rows, middle : middle + mast] = OPAQUE
            shape.shade[rows, middle : middle + mast] = 60


def _block(
    shape: Shape,
    rng: np.random.Generator,
    left: int,
    right: int,
    roof: int,
    foot: int,
    base: int,
    width: float,
    lit: float,
) -> None:
    assert shape.accent is not None
    rows = slice(max(0, roof - shape.top), foot - shape.top)
    high, wide = rows.stop - rows.start, right - left
    if high < 3 or wide < 3:
        return
    shape.alpha[rows, left:right] = OPAQUE
    # One side catches the light; the facade brightens upwards, where the street is far.
    facade = np.linspace(base + 34, base - 24, high)[:, None].repeat(wide, axis=1)
    facade[:, int(wide * rng.uniform(0.6, 0.85)) :] -= 34
    facade[:1] += 30
    shape.shade[rows, left:right] = np.clip(facade, 0, 255).astype(np.uint8)

    pane_x, pane_y = max(1, round(width * 0.055)), max(1, round(width * 0.075))
    step_x, step_y = pane_x + max(1, round(width * 0.05)), pane_y + max(1, round(width * 0.065))
    columns, floors = (wide - 2) // step_x, (high - 2) // step_y
    if columns < 1 or floors < 1:
        shape.accent[rows, left:right] = 0
        return
    # Whole floors are often lit or dark together.
    busy = rng.random((floors, 1)) * 0.6 + rng.random((floors, columns)) * 0.7
    light = np.where(busy > 1.25 - lit, rng.uniform(110, 255, (floors, columns)), 16.0)
    cell = np.zeros((step_y, step_x))
    cell[step_y - pane_y :, step_x - pane_x :] = 1.0
    panes = np.kron(light, cell)
    field = np.zeros((high, wide), np.uint8)
    margin = (wide - columns * step_x) // 2
    field[1 : 1 + len(panes), margin : margin + panes.shape[1]] = panes.astype(np.uint8)
    shape.accent[rows, left:right] = field
