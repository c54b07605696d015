"""The light of an hour and its weather: the colours of sky, air, sun and shadow."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, pi, sin
from typing import TYPE_CHECKING, Final

import numpy as np

from odyssey_nb.service.worlds.landscape.hours import colours_at

if TYPE_CHECKING:
    from odyssey_nb.service.worlds.landscape.mood import Mood
    from odyssey_nb.service.worlds.landscape.noise import Floats

_STOPS: Final = (0.0, 0.42, 0.78, 1.0)  # where the sky's four colours lie, from zenith to horizon
_LUMA: Final = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True, slots=True)
class Light:
    """How a mood lights the landscape. Colours are RGB, 0 to 1; places are parts of the picture."""

    mood: Mood
    sky: Floats  # (4, 3), zenith to horizon
    haze: Floats  # what distance fades into
    ambient: Floats
    key: Floats
    glow: Floats  # what sun or moon add to the sky around them
    disc: Floats  # the sun or moon itself
    disc_x: float
    disc_height: float  # above the horizon, in picture heights; negative when set
    is_moon: bool
    shine: float  # how clearly the disc shows
    night: float
    grey: float  # how overcast it is
    cover: float  # snow on the ground
    air: float  # how fast distance hides things

    def sky_rows(self, rows: int, horizon: int) -> Floats:
        """Return the sky's colour (rows, 3) from row 0 down; it ends with the horizon's."""
        place = np.minimum(np.arange(rows) / max(1, horizon - 1), 1.0)
        column = np.stack(
            [np.interp(place, _STOPS, self.sky[:, axis]) for axis in range(3)], axis=1
        )
        # A running mean rounds the corners of the linear pieces, which the eye sees as bands.
        reach = max(1, horizon // 8)
        padded = np.concatenate([column[:1].repeat(reach, 0), column, column[-1:].repeat(reach, 0)])
        total = np.cumsum(np.concatenate([np.zeros((1, 3)), padded]), axis=0)
        smooth: Floats = ((total[2 * reach :] - total[: -2 * reach]) / (2 * reach))[:rows].astype(
            np.float32
        )
        return smooth

    def hidden(self, distance: float) -> float:
        """Return how far the air hides what is at `distance` (0 here, 1 at the horizon)."""
        return 1.0 - exp(-distance * self.air)


def light_of(mood: Mood) -> Light:
    """Return the light of `mood`."""
    colours = colours_at(mood.hour) * _filter(mood)
    night = _night(mood.hour)

    grey = max(0.0, min(1.0, (mood.cloud - 0.45) / 0.5))
    dim = (
        1.0
        - 0.14 * grey
        + 0.16 * mood.snow * (1.0 - night)
        - (0.30 - 0.12 * night) * mood.storm
        - 0.16 * mood.rain * (1.0 - night)
    )
    sky = colours[:4]
    # Cloud light is the whole sky's light mixed: bright at the horizon, a little blue.
    average = sky.mean(axis=0)
    flat = _grey(average, 0.35) * np.array([0.96, 1.0, 1.05], np.float32)
    lid = flat * np.linspace(0.85, 1.18, 4, dtype=np.float32)[:, None]
    sky = (sky + (lid - sky) * (0.88 * grey)) * dim

    fog = min(1.0, mood.fog + 0.22 * mood.rain + 0.3 * mood.snow)
    mist = _grey(0.4 * sky[2] + 0.6 * sky[3], 0.45)
    thick = np.array([0.72, 0.84, 0.94, 0.97], np.float32)[:, None] * min(1.0, fog * 1.05)
    sky = sky + (mist - sky) * thick

    cover = min(1.0, max(mood.winter * 0.85, 1.3 * mood.snow))
    shaded = 1.0 - 0.85 * grey
    set_ = _clamp((_height(mood.hour)[0] + 0.03) / 0.06)
    height, across, is_moon = _disc(mood.hour)
    return Light(
        mood=mood,
        sky=np.clip(sky, 0.0, 1.0),
        haze=np.clip(mist + (sky[3] - mist) * (0.9 - 0.6 * fog), 0.0, 1.0),
        # Snow on the ground throws the light of the sky back up.
        ambient=colours[4] * (1.0 - 0.12 * grey) * dim * (1.0 + 0.28 * cover * (1.0 - night)),
        key=colours[5] * shaded * (1.0 - 0.6 * fog) + 0.1 * grey * colours[4],
        glow=colours[6] * (0.15 + 0.85 * shaded) * (1.0 - 0.6 * fog) * (1.0 - 0.5 * mood.storm),
        disc=_disc_colour(height, is_moon=is_moon),
        disc_x=across + 0.09 * mood.quirk_sun,
        disc_height=height,
        is_moon=is_moon,
        shine=(1.0 - grey) * (1.0 - 0.85 * fog) * (1.0 if is_moon else set_),
        night=night,
        grey=grey,
        cover=cover,
        air=1.15
        - 0.4 * night
        + 7.5 * mood.fog * mood.fog
        + 2.2 * mood.fog
        + 0.9 * mood.rain
        + 1.3 * mood.snow,
    )


def _disc_colour(height: float, *, is_moon: bool) -> Floats:
    """Return the colour of the moon, or of a sun that reddens towards the horizon."""
    if is_moon:
        return np.array([0.93, 0.95, 1.0], np.float32)
    low, high = np.array([1.0, 0.95, 0.70], np.float32), np.array([1.0, 0.985, 0.93], np.float32)
    colour: Floats = low + (high - low) * np.float32(_clamp(height / 0.22))
    return colour


def _clamp(value: float) -> float:
    return max(0.0, min(1.0, value))


def _grey(colour: Floats, saturation: float) -> Floats:
    luma = np.float32(colour @ _LUMA)
    greyed: Floats = luma + (colour - luma) * np.float32(saturation)
    return greyed


def _filter(mood: Mood) -> Floats:
    """Return the coloured glass (3,) that tint and quirk put before the light."""
    u = 0.40 * mood.tint_u + 0.16 * mood.quirk_u
    v = 0.40 * mood.tint_v + 0.16 * mood.quirk_v
    glass = np.array([1.0 + v, 1.0 - 0.3 * u - 0.55 * v, 1.0 + u], np.float32)
    exposed: Floats = glass * np.float32(1.0 + 0.07 * mood.quirk_exposure)
    return exposed


def _night(hour: float) -> float:
    """Return how far the hour is night: 1 from about 21 to 4, 0 by day."""
    from_midnight = min(hour, 24.0 - hour)
    return _clamp((5.3 - from_midnight) / 2.4)


def _height(hour: float) -> tuple[float, float]:
    """Return the height of the sun over the horizon (picture heights), and its place across."""
    part = (hour - 5.5) / 13.9
    return 0.47 * sin(pi * part), 0.26 + 0.48 * part


def _disc(hour: float) -> tuple[float, float, bool]:
    """Return height and place of the sun, or of the moon at night, and whether it is the moon."""
    height, across = _height(hour)
    if 5.0 <= hour <= 20.6:
        return height, across, False
    part = ((hour - 20.4) % 24.0) / 8.8
    return 0.42 * sin(pi * _clamp(part)) - 0.04, 0.18 + 0.5 * part, True
