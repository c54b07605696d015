"""A world whose chances are known: dice that are thrown again and again.

What measures the chances of a world can be tried on it. Its prompts say how many dice there are ("a
die", "twelve dice", at most 12), and whether they are loaded; other words change only the seed.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from odyssey_nb.service.worlds.base import Planes

    Mask = NDArray[np.floating]

THROW_SECONDS: Final = 1.0  # from one throw to the next
TUMBLE_SECONDS: Final = 0.55  # of these; then the dice lie still
MOST: Final = 12
FAIR: Final = (1 / 6,) * 6
LOADED: Final = (0.12,) * 5 + (0.4,)  # a six comes more than twice as often as it should

_WORDS: Final = "one two three four five six seven eight nine ten eleven twelve"
_NUMBERS: Final = tuple(_WORDS.split())
_COUNT = re.compile(rf"\b(\d+|{'|'.join(_NUMBERS)}) (?:\w+ )?dice\b")
_ANGLES: Final = 12  # of a half turn, in which a die may lie
_SIDE: Final = 0.56  # of the shorter side of its part of the table
_FELT: Final = (84.0, 118.0, 104.0)  # Y, U, V
_IVORY: Final = (218.0, 122.0, 131.0)
_PIP: Final = 20.0
_PIPS: Final = {  # on a face from -1 to 1
    1: ((0, 0),),
    2: ((-1, -1), (1, 1)),
    3: ((-1, -1), (0, 0), (1, 1)),
    4: ((-1, -1), (-1, 1), (1, -1), (1, 1)),
    5: ((-1, -1), (-1, 1), (0, 0), (1, -1), (1, 1)),
    6: ((-1, -1), (-1, 0), (-1, 1), (1, -1), (1, 0), (1, 1)),
}


class Dice:
    """Dice on a table. The same seed and prompts give the same throws."""

    def __init__(
        self,
        *,
        width: int,
        height: int,
        prompt: str,
        seed: int,
        image: NDArray[np.uint8] | None = None,
    ) -> None:
        del image
        self._size = width, height
        self._seed = seed
        self._table = _table(width, height)
        self._shown = tuple(each.copy() for each in self._table)
        self._throw = -1  # which one lies on the table
        self._still = False
        self.steer(prompt)

    def steer(self, prompt: str) -> None:
        """Take other dice from the next throw on."""
        self._count, self._odds = understand(prompt)

    def paint(self, planes: Planes, *, step: int, time: float) -> None:
        """Paint the dice as they are `time` seconds after the first throw."""
        throw = int(time / THROW_SECONDS + 1e-6)
        since = time - throw * THROW_SECONDS
        if throw != self._throw:
            self._throw, self._still = throw, False
            self._lie = self._thrown(throw)
        if not self._still:
            for shown, table in zip(self._shown, self._table, strict=True):
                shown[:] = table
            left = max(0.0, 1 - since / TUMBLE_SECONDS)
            chance = np.random.default_rng((self._seed, throw, step))
            for each in self._lie:
                self._put(each.tumbling(left, chance) if left else each)
            self._still = not left
        for plane, shown in zip((planes.y, planes.u, planes.v), self._shown, strict=True):
            plane[:] = shown

    def _thrown(self, throw: int) -> list[_Die]:
        """Return how the dice lie after a throw."""
        chance = np.random.default_rng((self._seed, throw))
        faces = chance.choice(6, size=self._count, p=self._odds) + 1
        columns, rows = grid(self._count, *self._size)
        wide, high = self._size[0] // columns, self._size[1] // rows
        side = int(min(wide, high) * _SIDE) // 2 * 2
        room = min(wide, high) * (1 - _SIDE * math.sqrt(2)) / 2
        return [
            _Die(
                face=int(face),
                angle=int(chance.integers(_ANGLES)),
                side=side,
                x=(number % columns + 0.5) * wide + chance.uniform(-room, room) / 2,
                y=(number // columns + 0.5) * high + chance.uniform(-room, room) / 2,
                room=room,
            )
            for number, face in enumerate(faces)
        ]

    def _put(self, die: _Die) -> None:
        keep, light, body = sprite(die.face, die.angle, die.side)
        half = keep.shape[0] // 4 * 2
        left, top = int(die.x) // 2 * 2 - half, int(die.y) // 2 * 2 - half
        y, u, v = self._shown
        _blend(y, left, top, keep, light)
        for plane, colour in zip((u, v), _IVORY[1:], strict=True):
            _blend(plane, left // 2, top // 2, 1 - body, body * colour)


@dataclass(frozen=True, slots=True)
class _Die:
    """One of them: its middle in pixels, and how far it may be off where it will lie."""

    face: int
    angle: int
    side: int
    x: float
    y: float
    room: float

    def tumbling(self, left: float, chance: np.random.Generator) -> _Die:
        """Return it on its way, of which so much (1 to 0) is left."""
        aside, above = chance.uniform(-0.7, 0.7, size=2) * self.room * left
        face, angle = int(chance.integers(1, 7)), int(chance.integers(_ANGLES))
        return _Die(face, angle, self.side, self.x + aside, self.y + above, self.room)


def understand(prompt: str) -> tuple[int, tuple[float, ...]]:
    """Return how many dice a prompt speaks of, and the chances of their faces."""
    words = prompt.casefold()
    found = _COUNT.search(words)
    count = 6 if "dice" in words else 1
    if found:
        count = int(found[1]) if found[1].isdigit() else _NUMBERS.index(found[1]) + 1
    return min(MOST, max(1, count)), LOADED if re.search(r"\b(loaded|biased)\b", words) else FAIR


def grid(count: int, width: int, height: int) -> tuple[int, int]:
    """Return in how many columns and rows so many dice lie."""
    shapes = [(columns, -(-count // columns)) for columns in range(1, count + 1)]
    return max(shapes, key=lambda each: (min(width / each[0], height / each[1]), -each[0]))


@lru_cache(maxsize=6 * _ANGLES * 2)
def sprite(face: int, angle: int, side: int) -> tuple[Mask, Mask, Mask]:
    """Paint a die of `side` pixels.

    Returns:
        How much is kept of the luma behind it, what it adds, and at half the size how much of the
        colour behind it is hidden. The first two are square, with room for corners and shadow.
    """
    whole = int(side * 1.5) // 4 * 4
    axis = (np.arange(whole, dtype=np.float32) + 0.5 - whole / 2) / side * 2  # the die is -1 to 1
    x, y = np.meshgrid(axis, axis)
    turn = math.pi * angle / _ANGLES
    along, across = x * math.cos(turn) + y * math.sin(turn), y * math.cos(turn) - x * math.sin(turn)
    soft = 2.5 / side  # an edge is a little more than a pixel wide
    body = _inside(_box(along, across), soft)
    shadow = _inside(_box(along - 0.1, across - 0.1), 0.22) * 0.3
    pips = np.zeros_like(body)
    for column, row in _PIPS[face]:
        pips = np.maximum(
            pips, _inside(np.hypot(along - 0.52 * column, across - 0.52 * row) - 0.19, soft)
        )
    round_off = np.clip(1 + 0.9 * (_box(along, across) + 0.06), 0.0, 1.25)
    ivory = _IVORY[0] - 26 * np.clip(round_off - 0.55, 0, 1) - 5 * (x + y)
    light = body * (ivory * (1 - pips) + _PIP * pips)
    half = body.reshape(whole // 2, 2, whole // 2, 2).mean(axis=(1, 3))
    return (1 - body) * (1 - shadow), light, half


def _box(along: Mask, across: Mask) -> Mask:
    """Return how far points are outside a square with round corners; inside it is negative."""
    corner = 0.3
    out_x, out_y = np.abs(along) - (1 - corner), np.abs(across) - (1 - corner)
    outside = np.hypot(np.maximum(out_x, 0), np.maximum(out_y, 0))
    made: Mask = outside + np.minimum(np.maximum(out_x, out_y), 0) - corner
    return made


def _inside(distance: Mask, soft: float) -> Mask:
    made: Mask = np.clip(0.5 - distance / soft, 0.0, 1.0).astype(np.float32)
    return made


def _blend(plane: NDArray[np.uint8], left: int, top: int, keep: Mask, add: Mask) -> None:
    high, wide = keep.shape
    behind = plane[max(0, top) : top + high, max(0, left) : left + wide]
    rows = slice(max(0, -top), max(0, -top) + behind.shape[0])
    columns = slice(max(0, -left), max(0, -left) + behind.shape[1])
    behind[:] = (behind * keep[rows, columns] + add[rows, columns]).astype(np.uint8)


def _table(width: int, height: int) -> tuple[NDArray[np.uint8], ...]:
    """Paint the felt, darker towards the edges."""
    x, y = np.linspace(-1, 1, width), np.linspace(-1, 1, height)[:, None]
    grain = np.random.default_rng(0).normal(0, 1.6, (height, width))
    felt = np.clip(_FELT[0] * (1.06 - 0.14 * (x**2 + y**2)) + grain, 60, 235)
    half = (height // 2, width // 2)
    return (
        felt.astype(np.uint8),
        np.full(half, _FELT[1], np.uint8),
        np.full(half, _FELT[2], np.uint8),
    )
