"""The measures all parts of a landscape share, and what a part is."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from odyssey_nb.service.worlds.base import Planes
    from odyssey_nb.service.worlds.landscape.light import Light


@dataclass(frozen=True, slots=True)
class Canvas:
    """The size of the picture and what follows from it; rows and lengths are in pixels."""

    width: int
    height: int

    @property
    def period(self) -> int:
        """The width after which scrolling scenery repeats: even, and kind to the FFT."""
        return -(-int(self.width * 1.45) // 64) * 64

    @property
    def horizon(self) -> int:
        """The row where the sky ends when nothing stands in its way."""
        return self.row(0.6)

    @property
    def unit(self) -> float:
        """The scale of things: 1 at 1280x704 and at 704x1280."""
        return sqrt(self.width * self.height / (1280 * 704))

    @property
    def relief(self) -> float:
        """The scale of heights, which gain when the picture stands upright."""
        return sqrt(self.unit * self.height / 704)

    def row(self, part: float) -> int:
        """Return the even row nearest to `part` (0 to 1) of the height."""
        return round(part * self.height / 2) * 2


class Part(Protocol):
    """Something that is painted over what lies behind it: the sky, a ridge, the rain."""

    def relight(self, light: Light) -> None:
        """Take on the colours of `light`; called before the first picture and when it changes."""

    def paint(self, planes: Planes, time: float) -> None:
        """Paint the part as it looks `time` seconds after the landscape began."""
