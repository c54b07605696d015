"""Scenery that stands on the ground, as a strip: ridges, trees, skylines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from odyssey_nb.service.worlds.landscape.scroll import Scroll, both

if TYPE_CHECKING:
    from odyssey_nb.service.worlds.landscape.blend import Brush, Bytes, Tone, Words
    from odyssey_nb.service.worlds.landscape.canvas import Canvas
    from odyssey_nb.service.worlds.landscape.light import Light
    from odyssey_nb.service.worlds.landscape.material import Material
    from odyssey_nb.service.worlds.landscape.shapes import Shape


class Strip(Scroll):
    """A shape made of a material."""

    def __init__(
        self, canvas: Canvas, brush: Brush, shape: Shape, material: Material, *, speed: float
    ) -> None:
        """Make a strip from `shape`; `speed` is in pixels a second at full size."""
        bottom = shape.top + len(shape.shade)
        opaque = min(shape.opaque, bottom)
        super().__init__(canvas, brush, top=shape.top, opaque=opaque, bottom=bottom, speed=speed)
        self._material = material
        self._alpha = both(shape.alpha, canvas.width)
        self._shade = both(shape.shade, canvas.width)
        self._accent = None if shape.accent is None else both(shape.accent, canvas.width)
        self._tones: list[Tone] = []

    def _take_on(self, light: Light) -> bool:
        self._tones = self._material(light, self.top, self.bottom)
        return True

    def _mixed(self, plane: int, rows: slice, window: slice) -> tuple[Words, Bytes]:
        half = min(plane, 1)
        accent = None if self._accent is None else self._accent[half][rows, window]
        mine = self._brush.tone(self._tones[plane], rows, self._shade[half][rows, window], accent)
        return mine, self._alpha[half][rows, window]
