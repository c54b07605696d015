"""Banks of fog that drift between the strips of scenery."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from odyssey_nb.service.worlds.landscape.blend import OPAQUE, yuv
from odyssey_nb.service.worlds.landscape.noise import noise, ramp
from odyssey_nb.service.worlds.landscape.scroll import Scroll, both

if TYPE_CHECKING:
    from odyssey_nb.service.worlds.landscape.blend import Brush, Bytes, Words
    from odyssey_nb.service.worlds.landscape.canvas import Canvas
    from odyssey_nb.service.worlds.landscape.light import Light


class Mist(Scroll):
    """A bank of fog, shown as far as the mood is foggy."""

    def __init__(
        self,
        canvas: Canvas,
        brush: Brush,
        rng: np.random.Generator,
        *,
        middle: float,
        tall: float,
        speed: float,
    ) -> None:
        """Make a bank round the part `middle` of the height, `tall` parts of it from end to end."""
        top = canvas.row(middle - tall / 2)
        bottom = min(canvas.height, canvas.row(middle + tall / 2))
        super().__init__(canvas, brush, top=top, opaque=bottom, bottom=bottom, speed=speed)
        rows = bottom - top
        wisps = noise(
            rng, rows, canvas.period, roughness=2.4, largest=480 * canvas.unit, stretch=5.0
        )
        bell = np.sin(np.linspace(0.0, 3.14, rows, dtype=np.float32))[:, None]
        alpha = (
            ramp((wisps * 0.55 + bell * 1.9).astype(np.float32), 0.35, 2.6)
            * bell**0.7
            * (0.86 * OPAQUE)
        )
        self._alpha = both(alpha.astype(np.uint8), canvas.width)
        self._strength: Words = np.zeros((1, 1), np.uint16)
        self._colour = [128, 128, 128]

    def _take_on(self, light: Light) -> bool:
        mood = light.mood
        shown = min(1.0, 1.5 * mood.fog + 0.3 * mood.rain + 0.25 * mood.snow)
        self._strength = np.array([[round(OPAQUE * shown)]], np.uint16)
        near = np.clip(light.ambient * 0.55 + 0.4 * light.key + 0.05, 0.0, 1.0)
        colour = yuv((light.haze + (near - light.haze) * 0.25).astype(np.float32))
        self._colour = [round(float(part)) for part in colour]
        return shown > 0.02

    def _mixed(self, plane: int, rows: slice, window: slice) -> tuple[Words, Bytes]:
        alpha = self._brush.faded(self._alpha[min(plane, 1)][rows, window], self._strength)
        return self._brush.flat(self._colour[plane], alpha.shape), alpha
