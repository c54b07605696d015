"""A scene as plain numbers, which can glide from one scene to the next."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final, Self

from odyssey_nb.service.worlds.landscape.scene import Season

if TYPE_CHECKING:
    from odyssey_nb.service.worlds.landscape.scene import Scene

GLIDE: Final = 1.0  # seconds from one mood to the next


@dataclass(frozen=True, slots=True)
class Mood:
    """Everything about a scene that eases, all but its place. Amounts run from 0 to 1."""

    hour: float
    cloud: float
    rain: float
    snow: float
    fog: float
    storm: float
    wind: float
    spring: float
    autumn: float
    winter: float
    tint_u: float
    tint_v: float
    quirk_u: float
    quirk_v: float
    quirk_sun: float
    quirk_exposure: float

    @classmethod
    def of(cls, scene: Scene) -> Self:
        """Return the mood of `scene`, with what its weather brings along."""
        return cls(
            hour=scene.hour,
            cloud=max(
                scene.cloud,
                min(1.0, 0.5 + 0.5 * scene.rain) if scene.rain else 0.0,
                min(0.85, 0.45 + 0.4 * scene.snow) if scene.snow else 0.0,
                scene.storm and 0.95,
            ),
            rain=scene.rain,
            snow=scene.snow,
            fog=scene.fog,
            storm=scene.storm,
            wind=max(scene.wind, 0.7 * scene.storm),
            spring=float(scene.season is Season.SPRING),
            autumn=float(scene.season is Season.AUTUMN),
            winter=float(scene.season is Season.WINTER),
            tint_u=scene.tint[0],
            tint_v=scene.tint[1],
            quirk_u=scene.quirk[0],
            quirk_v=scene.quirk[1],
            quirk_sun=scene.quirk[2],
            quirk_exposure=scene.quirk[3],
        )

    def towards(self, goal: Self, part: float) -> Self:
        """Return the mood `part` (0 to 1) of the way to `goal`; the clock takes the shorter way."""
        eased = part * part * (3.0 - 2.0 * part)
        values = {
            name: (here := getattr(self, name)) + (getattr(goal, name) - here) * eased
            for name in _NAMES
        }
        # The sun moves evenly: easing would rush it through dusk, halfway from day to night.
        turn = (goal.hour - self.hour + 12.0) % 24.0 - 12.0
        values["hour"] = (self.hour + turn * part) % 24.0
        return type(self)(**values) if part < 1.0 else goal


_NAMES: Final = tuple(field.name for field in fields(Mood))
