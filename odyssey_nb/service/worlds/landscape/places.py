"""The places a landscape can show, each built back to front from strips of scenery."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from odyssey_nb.service.worlds.landscape.boats import boat
from odyssey_nb.service.worlds.landscape.city import skyline
from odyssey_nb.service.worlds.landscape.material import Material
from odyssey_nb.service.worlds.landscape.mist import Mist
from odyssey_nb.service.worlds.landscape.scene import Place
from odyssey_nb.service.worlds.landscape.shapes import Shape
from odyssey_nb.service.worlds.landscape.strip import Strip
from odyssey_nb.service.worlds.landscape.terrain import dunes, hills, mountains
from odyssey_nb.service.worlds.landscape.trees import broadleaf, conifer, plant, scattered
from odyssey_nb.service.worlds.landscape.water import Water

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from odyssey_nb.service.worlds.landscape.blend import Brush
    from odyssey_nb.service.worlds.landscape.canvas import Canvas, Part
    from odyssey_nb.service.worlds.landscape.material import RGB, Colours
    from odyssey_nb.service.worlds.landscape.shapes import Sprite

STEPS: Final = 8  # at most so many parts make a place; building one is one step

_GRASS: Final[Colours] = ((0.24, 0.40, 0.12), (0.44, 0.50, 0.18))
_GRASS_SPRING: Final[Colours] = ((0.36, 0.60, 0.17), (0.76, 0.66, 0.46))
_GRASS_AUTUMN: Final[Colours] = ((0.50, 0.38, 0.13), (0.68, 0.46, 0.17))
_WOODS: Final[Colours] = ((0.10, 0.25, 0.14), (0.27, 0.42, 0.13))
_WOODS_SPRING: Final[Colours] = ((0.14, 0.34, 0.15), (0.56, 0.70, 0.26))
_WOODS_AUTUMN: Final[Colours] = ((0.24, 0.24, 0.10), (0.90, 0.42, 0.08))
_ROCK: Final[Colours] = ((0.36, 0.36, 0.40), (0.95, 0.97, 1.0))
_SAND: Final[Colours] = ((0.90, 0.56, 0.30), (0.97, 0.66, 0.38))
_MESA: Final[Colours] = ((0.66, 0.38, 0.27), (0.75, 0.48, 0.34))
_SAIL: Final[RGB] = (0.97, 0.94, 0.88)
_HULL: Final[RGB] = (0.30, 0.16, 0.12)
_FACADE: Final[Colours] = ((0.36, 0.38, 0.44), (0.62, 0.72, 0.82))
_WINDOWS: Final[RGB] = (1.0, 0.74, 0.34)


def build(place: Place, canvas: Canvas, brush: Brush, seed: int) -> Iterator[Part]:
    """Yield the parts of `place` from back to front; each takes tens of milliseconds to make."""
    rng = np.random.default_rng((seed, list(Place).index(place)))
    return _BUILDERS[place](_Site(canvas, brush, rng))


def settle(parts: list[Part]) -> None:
    """Let no part paint what nearer ones hide; `parts` are from back to front."""
    hidden: int | None = None
    for part in reversed(parts):
        if isinstance(part, Strip | Water):
            if hidden is not None:
                part.hide_below(hidden)
            if part.opaque < part.bottom:
                hidden = part.opaque if hidden is None else min(hidden, part.opaque)


class _Site:
    """Where a place is built: short names for what every builder does."""

    def __init__(self, canvas: Canvas, brush: Brush, rng: np.random.Generator) -> None:
        self.canvas = canvas
        self.brush = brush
        self.rng = rng

    def strip(self, shape: Shape, material: Material, speed: float) -> Strip:
        return Strip(self.canvas, self.brush, shape, material, speed=speed)

    def mist(self, middle: float, tall: float, *, speed: float) -> Mist:
        return Mist(self.canvas, self.brush, self.rng, middle=middle, tall=tall, speed=speed)

    def conifers(self, height: float, count: int = 5) -> list[Sprite]:
        tall = height * self.canvas.relief
        return [
            conifer(self.rng, max(4, int(tall * self.rng.uniform(0.6, 1.1)))) for _ in range(count)
        ]

    def broadleaves(self, height: float, count: int = 5) -> list[Sprite]:
        tall = height * self.canvas.relief
        return [
            broadleaf(self.rng, max(4, int(tall * self.rng.uniform(0.6, 1.1))))
            for _ in range(count)
        ]

    def planted(
        self,
        shape: Shape,
        kinds: list[Sprite],
        count: int,
        *,
        sink: float,
        spread: float = 0.0,
        clumping: float = 0.0,
    ) -> Shape:
        """Stand `count` trees per picture width on `shape`, which is returned."""
        canvas = self.canvas
        number = max(1, round(count * canvas.period / canvas.width * self.crowd))
        places = scattered(self.rng, canvas.period, number, clumping=clumping)
        unit = canvas.unit
        plant(shape, self.rng, kinds, places=places, sink=sink * unit, spread=spread * unit)
        return shape

    @property
    def crowd(self) -> float:
        """How many things fit side by side, compared with a full-size picture that lies."""
        return self.canvas.width / 1280 / self.canvas.relief

    def headroom(self, shape: Shape, rows: float) -> Shape:
        """Add empty rows above `shape`, for trees to stand in."""
        more = min(shape.top, int(rows * self.canvas.relief) // 2 * 2)
        pad = ((more, 0), (0, 0))
        shape.top -= more
        shape.alpha, shape.shade = np.pad(shape.alpha, pad), np.pad(shape.shade, pad)
        if shape.accent is not None:
            shape.accent = np.pad(shape.accent, pad)
        return shape


def _grass(distance: float) -> Material:
    return Material(_GRASS, distance, spring=_GRASS_SPRING, autumn=_GRASS_AUTUMN)


def _woods(distance: float) -> Material:
    return Material(
        _WOODS, distance, spring=_WOODS_SPRING, autumn=_WOODS_AUTUMN, snow=0.9, shadow_snow=0.25
    )


def _meadow(site: _Site) -> Iterator[Part]:
    canvas, rng, row = site.canvas, site.rng, site.canvas.row
    far = mountains(
        canvas, rng, foot=row(0.60), bottom=row(0.70), rise=105, snow_line=2.0, width=620
    )
    yield site.strip(far, Material(((0.30, 0.36, 0.40), (0.5, 0.5, 0.5)), 0.85), 2.0)
    shape = hills(canvas, rng, foot=row(0.60), bottom=row(0.76), rise=46)
    shape = site.planted(
        site.headroom(shape, 16), site.broadleaves(20), 70, sink=3, spread=10, clumping=0.8
    )
    yield site.strip(shape, _grass(0.48), 4.0)
    yield site.mist(0.66, 0.20, speed=9)
    shape = hills(canvas, rng, foot=row(0.67), bottom=row(0.88), rise=50)
    shape = site.planted(
        site.headroom(shape, 44), site.broadleaves(52), 30, sink=5, spread=16, clumping=0.75
    )
    yield site.strip(shape, _leafy_grass(0.24), 8.0)
    yield site.mist(0.78, 0.20, speed=15)
    shape = hills(canvas, rng, foot=row(0.78), bottom=canvas.height, rise=46)
    shape = site.planted(site.headroom(shape, 190), site.broadleaves(205), 2, sink=26, spread=20)
    yield site.strip(shape, _leafy_grass(0.06), 16.0)


def _leafy_grass(distance: float) -> Material:
    return Material(
        ((0.25, 0.41, 0.12), (0.36, 0.48, 0.15)),
        distance,
        spring=((0.34, 0.57, 0.17), (0.95, 0.62, 0.70)),
        autumn=((0.50, 0.37, 0.12), (0.80, 0.42, 0.11)),
        shadow_snow=0.55,
    )


def _forest(site: _Site) -> Iterator[Part]:
    canvas, rng, row = site.canvas, site.rng, site.canvas.row
    shape = hills(canvas, rng, foot=row(0.55), bottom=row(0.72), rise=95, width=900)
    shape = site.planted(
        site.headroom(shape, 26),
        site.conifers(26) + site.broadleaves(17, 3),
        190,
        sink=6,
        spread=34,
    )
    yield site.strip(shape, _woods(0.72), 2.5)
    yield site.mist(0.56, 0.24, speed=8)
    shape = hills(canvas, rng, foot=row(0.63), bottom=row(0.82), rise=75)
    shape = site.planted(
        site.headroom(shape, 64),
        site.conifers(66, 4) + site.broadleaves(44, 4),
        105,
        sink=8,
        spread=42,
    )
    yield site.strip(shape, _woods(0.36), 5.0)
    yield site.mist(0.68, 0.24, speed=13)
    shape = hills(canvas, rng, foot=row(0.74), bottom=canvas.height, rise=55)
    kinds = site.conifers(150, 3) + site.broadleaves(105, 3)
    shape = site.planted(site.headroom(shape, 150), kinds, 46, sink=12, spread=46)
    yield site.strip(shape, _woods(0.16), 9.0)
    yield site.mist(0.83, 0.22, speed=18)
    shape = hills(canvas, rng, foot=row(0.88), bottom=canvas.height, rise=30)
    kinds = site.conifers(380, 3) + site.broadleaves(270, 2)
    shape = site.planted(site.headroom(shape, 420), kinds, 4, sink=40, spread=60)
    yield site.strip(shape, _woods(0.03), 18.0)


def _desert(site: _Site) -> Iterator[Part]:
    canvas, rng, row = site.canvas, site.rng, site.canvas.row
    far = mountains(
        canvas, rng, foot=row(0.60), bottom=row(0.70), rise=70, snow_line=2.0, width=560
    )
    yield site.strip(far, Material(_MESA, 0.75, snow=0.7), 2.0)
    shape = dunes(canvas, rng, foot=row(0.60), bottom=row(0.78), rise=52, crests=9)
    yield site.strip(shape, Material(_SAND, 0.42, contrast=1.25), 4.0)
    yield site.mist(0.66, 0.18, speed=10)
    shape = dunes(canvas, rng, foot=row(0.68), bottom=row(0.92), rise=86, crests=5)
    yield site.strip(shape, Material(_SAND, 0.20, contrast=1.3), 8.0)
    yield site.mist(0.78, 0.2, speed=16)
    shape = dunes(canvas, rng, foot=row(0.83), bottom=canvas.height, rise=105, crests=3)
    yield site.strip(shape, Material(_SAND, 0.05, contrast=1.3), 16.0)


def _sea(site: _Site) -> Iterator[Part]:
    canvas, rng, row = site.canvas, site.rng, site.canvas.row
    shore = row(0.60)
    shape = mountains(canvas, rng, foot=shore - 2, bottom=shore, rise=96, width=700, snow_line=2.0)
    yield site.strip(_sunk(shape, 30 * canvas.relief), _islands(), 2.5)
    yield site.mist(0.575, 0.14, speed=9)
    yield Water(canvas, site.brush, rng, top=shore, calm=0.0)
    yield site.strip(_boats(site, row(0.625)), Material((_SAIL, _HULL), 0.30, pool=0.0), -3.0)
    yield site.mist(0.70, 0.24, speed=16)


def _boats(site: _Site, foot: int) -> Shape:
    """Return an empty strip but for a few sailing boats."""
    canvas = site.canvas
    tall = max(8, round(44 * canvas.relief))
    top = canvas.row(0.5)
    rows, period = foot - top, canvas.period
    shape = Shape(top, *(np.zeros((rows, period), np.uint8) for _ in range(3)))
    for place in scattered(site.rng, period, 3):
        size = round(tall * site.rng.uniform(0.55, 1.0))
        shape.stand(boat(size), int(place), foot - site.rng.uniform(0.0, 0.25) * tall)
    return shape


def _islands() -> Material:
    return Material(((0.36, 0.37, 0.30), (0.5, 0.5, 0.4)), 0.55, autumn=_GRASS_AUTUMN)


def _sunk(shape: Shape, rows: float) -> Shape:
    """Lower `shape` by `rows` so that only its heights stay in view."""
    by = round(rows)
    for array in (shape.alpha, shape.shade, shape.accent):
        if array is not None:
            array[by:] = array[:-by].copy()
            array[:by] = 0
    return shape


def _mountains(site: _Site) -> Iterator[Part]:
    canvas, rng, row = site.canvas, site.rng, site.canvas.row
    far = mountains(canvas, rng, foot=row(0.57), bottom=row(0.72), rise=255, snow_line=0.42)
    yield site.strip(far, Material(_ROCK, 0.56, contrast=1.25, pool=0.4), 2.0)
    yield site.mist(0.58, 0.20, speed=7)
    near = mountains(
        canvas, rng, foot=row(0.64), bottom=row(0.82), rise=165, snow_line=0.78, width=380
    )
    yield site.strip(near, Material(_ROCK, 0.30, contrast=1.2, pool=0.45), 4.5)
    yield site.mist(0.70, 0.22, speed=12)
    shape = hills(canvas, rng, foot=row(0.73), bottom=row(0.92), rise=60)
    shape = site.planted(site.headroom(shape, 44), site.conifers(46), 120, sink=7, spread=40)
    yield site.strip(shape, _woods(0.17), 8.0)
    yield site.mist(0.82, 0.18, speed=17)
    shape = hills(canvas, rng, foot=row(0.85), bottom=canvas.height, rise=40)
    shape = site.planted(
        site.headroom(shape, 150), site.conifers(165), 9, sink=16, spread=40, clumping=0.8
    )
    yield site.strip(shape, _leafy_grass(0.05), 16.0)


def _city(site: _Site) -> Iterator[Part]:
    canvas, rng, row = site.canvas, site.rng, site.canvas.row
    shore = row(0.72)
    for rise, width, distance, speed in (
        (300, 30, 0.60, 2.5),
        (235, 42, 0.34, 4.5),
        (105, 48, 0.13, 7.0),
    ):
        shape = skyline(canvas, rng, foot=shore - 2, bottom=shore, rise=rise, width=width, lit=0.62)
        yield site.strip(shape, _towers(distance), speed)
        if distance > 0.2:
            yield site.mist(0.66, 0.24, speed=9)
    yield Water(canvas, site.brush, rng, top=shore, calm=0.55)


def _towers(distance: float) -> Material:
    return Material(_FACADE, distance, snow=0.35, shine=_WINDOWS, pool=0.35)


def _lake(site: _Site) -> Iterator[Part]:
    canvas, rng, row = site.canvas, site.rng, site.canvas.row
    shore = row(0.66)
    far = mountains(canvas, rng, foot=row(0.60), bottom=shore, rise=215, snow_line=0.5)
    yield site.strip(far, Material(_ROCK, 0.50, contrast=1.2, pool=0.4), 2.0)
    yield site.mist(0.60, 0.14, speed=7)
    shape = hills(canvas, rng, foot=shore - 8, bottom=shore, rise=44)
    shape = site.planted(site.headroom(shape, 40), site.conifers(44), 130, sink=8, spread=16)
    yield site.strip(shape, _woods(0.26), 5.0)
    yield Water(canvas, site.brush, rng, top=shore, calm=0.8)
    yield site.mist(0.68, 0.16, speed=14)
    shape = hills(canvas, rng, foot=row(0.90), bottom=canvas.height, rise=44)
    shape = site.planted(
        site.headroom(shape, 180), site.conifers(200), 5, sink=14, spread=30, clumping=0.8
    )
    yield site.strip(shape, _leafy_grass(0.05), 15.0)


_BUILDERS: Final[dict[Place, Callable[[_Site], Iterator[Part]]]] = {
    Place.MEADOW: _meadow,
    Place.FOREST: _forest,
    Place.DESERT: _desert,
    Place.SEA: _sea,
    Place.MOUNTAINS: _mountains,
    Place.CITY: _city,
    Place.LAKE: _lake,
}
