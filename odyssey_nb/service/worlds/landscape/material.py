"""What scenery is made of, and how light, season, snow and distance colour it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from odyssey_nb.service.worlds.landscape.blend import tones

if TYPE_CHECKING:
    from odyssey_nb.service.worlds.landscape.blend import Tone
    from odyssey_nb.service.worlds.landscape.light import Light
    from odyssey_nb.service.worlds.landscape.noise import Floats

RGB = tuple[float, float, float]
Colours = tuple[RGB, RGB]
_SNOW: Final = np.array([0.93, 0.95, 1.0], np.float32)
_EXPOSURE: Final = 0.95
_LEAST, _MOST = 0.01, 0.98  # keeps colours off the ends of the range, where rounding would leave it


@dataclass(frozen=True, slots=True)
class Material:
    """A surface in two colours: its base, and its accent where a strip says so."""

    colours: Colours  # of the base, and of the accent
    distance: float  # 0 here, 1 at the horizon
    spring: Colours | None = None
    autumn: Colours | None = None
    snow: float = 1.0  # how white fallen snow makes what faces the sky
    shadow_snow: float = 0.75  # and how white what does not
    shine: RGB | None = None  # the accent's own light at night
    contrast: float = 1.0
    pool: float = 0.25  # how much mist lies at the strip's foot

    def __call__(self, light: Light, top: int, bottom: int) -> list[Tone]:
        """Return the tones of rows `top` to `bottom` of a strip of this material."""
        mood = light.mood
        base, accent = (np.array(colour, np.float32) for colour in self.colours)
        for amount, pair in ((mood.spring, self.spring), (mood.autumn, self.autumn)):
            if pair is not None and amount > 0.0:
                base = base + (np.array(pair[0], np.float32) - base) * np.float32(amount)
                accent = accent + (np.array(pair[1], np.float32) - accent) * np.float32(amount)

        above = np.float32(min(1.0, light.cover) * self.snow)
        aside = above * np.float32(self.shadow_snow)
        lit = self._lit(light, base + (_SNOW - base) * above, 1.0)
        dark = self._lit(light, base + (_SNOW - base) * aside, 0.0)
        more = self._lit(light, accent + (_SNOW - accent) * (above + aside) * 0.5, 0.5) - self._lit(
            light, base + (_SNOW - base) * (above + aside) * 0.5, 0.5
        )
        if self.shine is not None:
            glow = np.array(self.shine, np.float32)
            more = more + (glow - more) * np.float32(max(light.night, 0.55 * light.grey))
        lit = np.clip(lit, _LEAST, _MOST)
        dark = np.clip(dark, _LEAST, _MOST)
        more = np.clip(more, _LEAST - np.minimum(lit, dark), _MOST - np.maximum(lit, dark))
        haze, thick = self._air(light, bottom - top)
        return tones(dark, lit, more, haze, thick)

    def _lit(self, light: Light, colour: Floats, facing: float) -> Floats:
        """Return `colour` as it looks where it faces the light (1) or not (0)."""
        # By night the eye sees less colour.
        colour = colour + (colour.mean() - colour) * np.float32(0.45 * light.night)
        turned = 0.5 + (facing - 0.5) * self.contrast
        shone: Floats = colour * (light.ambient * (0.34 + 0.66 * turned) + light.key * turned)
        return shone * np.float32(_EXPOSURE)

    def _air(self, light: Light, rows: int) -> tuple[Floats, Floats]:
        """Return the colour of the air before each row, and how far it hides it."""
        part = np.linspace(0.0, 1.0, max(1, rows), dtype=np.float32)[:, None]
        fog = light.mood.fog
        pool = min(0.92, self.pool * (0.5 + 1.4 * fog) + 0.35 * fog * min(1.0, 4 * self.distance))
        clear = (1.0 - light.hidden(self.distance)) * (1.0 - pool * part**1.4)
        haze = np.repeat(light.haze[None, :], max(1, rows), axis=0)
        return np.clip(haze, _LEAST, _MOST), (1.0 - clear).astype(np.float32)
