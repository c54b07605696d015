"""What a landscape shows: the scene its prompts have asked for so far."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Place(StrEnum):
    """Where we are; changing it crossfades to other terrain."""

    MEADOW = "meadow"
    FOREST = "forest"
    DESERT = "desert"
    SEA = "sea"
    MOUNTAINS = "mountains"
    CITY = "city"
    LAKE = "lake"


class Season(StrEnum):
    """The time of year, which dresses trees and ground."""

    SPRING = "spring"
    SUMMER = "summer"
    AUTUMN = "autumn"
    WINTER = "winter"


Tint = tuple[float, float]  # a pull on blue-yellow (u) and red-green (v), each -1 to 1
Quirk = tuple[float, float, float, float]  # what unknown words do; each -1 to 1


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything a prompt can set. Weather amounts run from 0 (none) to 1 (extreme)."""

    place: Place = Place.MEADOW
    hour: float = 11.0  # of the day, 0 to 24
    cloud: float = 0.3
    rain: float = 0.0
    snow: float = 0.0
    fog: float = 0.0
    storm: float = 0.0
    wind: float = 0.15
    season: Season = Season.SUMMER
    tint: Tint = (0.0, 0.0)
    quirk: Quirk = (0.0, 0.0, 0.0, 0.0)
