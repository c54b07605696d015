"""Reads a prompt: which of a scene's features it speaks about, and what it says of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Final

from odyssey_nb.service.worlds.landscape.scene import Place, Quirk, Scene, Season
from odyssey_nb.service.worlds.landscape.vocabulary import (
    LONGEST,
    WORDS,
    Amount,
    At,
    Change,
    Glue,
    Meaning,
    Weather,
)

_TOKEN: Final = re.compile(r"[^\W_]+(?:['’][^\W_]+)*|[.,;:!?]")
_WEATHER: Final = ("cloud", "rain", "snow", "fog", "storm", "wind")
_NOON: Final = 12.0


def understand(prompt: str, scene: Scene) -> Scene:
    """Return `scene` with the changes `prompt` asks for; any text is a prompt.

    What the prompt does not speak about stays as it is. Words nobody taught us set the scene's
    `quirk`, so they change the picture too, and always in the same way.
    """
    reading = _Reading(scene)
    meanings = list(_meanings(prompt, reading.unknown))
    clause: list[Meaning] = []
    for meaning in [*meanings, Glue.BREAK]:
        if meaning is Glue.BREAK:
            reading.read(clause)
            clause = []
        elif meaning is not Glue.FILLER:
            clause.append(meaning)
    return reading.result()


def _meanings(prompt: str, unknown: list[str]) -> Iterator[Meaning]:
    """Yield the meaning of each longest known phrase; words without one go to `unknown`."""
    tokens = _TOKEN.findall(prompt.casefold().replace("’", "'"))
    at = 0
    while at < len(tokens):
        for length in range(min(LONGEST, len(tokens) - at), 0, -1):
            meaning = WORDS.get(" ".join(tokens[at : at + length]))
            if meaning is not None:
                yield meaning
                at += length
                break
        else:
            if tokens[at] in ".,;:!?":
                yield Glue.BREAK
            else:
                unknown.append(tokens[at])
            at += 1


@dataclass(slots=True)
class _Reading:
    """What has been understood of a prompt so far."""

    before: Scene
    weather: dict[str, float] = field(default_factory=dict)
    place: Place | None = None
    season: Season | None = None
    hour: float | None = None
    vague_hour: float | None = None
    tints: list[tuple[float, float]] = field(default_factory=list)
    untinted: bool = False
    unknown: list[str] = field(default_factory=list)

    def read(self, clause: list[Meaning]) -> None:
        """Take in one clause: words that may modify each other."""
        for at, meaning in enumerate(clause):
            absent = _is_absent(clause, at)
            match meaning:
                case Weather(name, usual):
                    self._weather(name, usual, _said_amount(clause, at), absent=absent)
                case Glue.CLEAR:
                    if absent:
                        self.weather["cloud"] = 0.7
                    elif not any(isinstance(word, Weather) for word in clause[:at]):
                        self.weather |= dict.fromkeys(_WEATHER[:-1], 0.0)
                case At(hour, vague) if not absent:
                    if vague:
                        # "dark clouds" and "bright snow" speak of the weather, not of the hour.
                        if not any(isinstance(word, Weather) for word in clause[at + 1 : at + 2]):
                            self.vague_hour = hour
                    else:
                        self.hour = hour
                case At(hour):
                    self.hour = _NOON if abs((hour - self.before.hour + 12) % 24 - 12) < 4 else None
                case Place():
                    if not absent:
                        self.place = meaning
                    elif meaning is self.before.place:
                        self.place = Place.MEADOW
                case Season():
                    self.season = Season.SUMMER if absent else meaning
                case tuple():
                    self.untinted |= absent
                    if not absent:
                        self.tints.append(meaning[1])
                case _:
                    pass

    def _weather(
        self, name: str, usual: float, said: Amount | Change | None, *, absent: bool
    ) -> None:
        had: float = self.weather.get(name, getattr(self.before, name))
        match said:
            case _ if absent:
                amount = 0.0
            case Amount(value):
                amount = value
            case Change(by):
                amount = min(1.0, max(0.1, had + by)) if had else usual
            case None:
                amount = usual
        self.weather[name] = amount
        if absent and name == "rain":
            self.weather["storm"] = 0.0
        if absent and name == "storm":
            self.weather |= {"rain": 0.0, "wind": 0.15}
        if not absent and name == "storm":
            self.weather["rain"] = self.weather.get("rain") or max(self.before.rain, amount)

    def result(self) -> Scene:
        """Return the scene as it is to be, with the consequences nobody spells out."""
        scene, weather = self.before, self.weather
        # Rain and snow replace each other unless one prompt asks for both.
        for one, other in (("rain", "snow"), ("snow", "rain")):
            if weather.get(one, 0.0) > 0.0:
                weather.setdefault(other, 0.0)
        if weather.get("snow", 0.0) > 0.0:
            weather.setdefault("storm", 0.0)
        scene = replace(
            scene,
            cloud=weather.get("cloud", scene.cloud),
            rain=weather.get("rain", scene.rain),
            snow=weather.get("snow", scene.snow),
            fog=weather.get("fog", scene.fog),
            storm=weather.get("storm", scene.storm),
            wind=weather.get("wind", scene.wind),
        )
        if self.place is not None:
            scene = replace(scene, place=self.place)
        if self.season is not None:
            scene = replace(scene, season=self.season)
        hour = self.hour if self.hour is not None else self.vague_hour
        if hour is not None:
            scene = replace(scene, hour=hour)
        if self.tints:
            u, v = (sum(axis) / len(self.tints) for axis in zip(*self.tints, strict=True))
            scene = replace(scene, tint=(u, v))
        elif self.untinted:
            scene = replace(scene, tint=(0.0, 0.0))
        if self.unknown:
            scene = replace(scene, quirk=_quirk(self.unknown))
        return scene


_JOINS: Final = (Glue.AND, Glue.OR)


def _is_modifier(word: Meaning) -> bool:
    return isinstance(word, Amount | Change)


def _is_absent(clause: list[Meaning], at: int) -> bool:
    """Return whether the word at `at` is said to be absent, or to go away."""
    # Backwards: "no heavy rain", "stops raining", "no rain or snow"; "no rain and snow" is snow.
    for back in range(at - 1, -1, -1):
        word = clause[back]
        if word in (Glue.NO, Glue.END) and not (word is Glue.END and back and _ends(clause, back)):
            return True
        joined = word is Glue.OR or clause[back + 1] is Glue.OR
        if not (_is_modifier(word) or joined):
            break
    # Forwards: "the rain stops", "rain and wind die down", "rain turns into snow".
    for ahead in range(at + 1, len(clause)):
        word = clause[ahead]
        if word in (Glue.END, Glue.BECOME) or (word is Glue.CLEAR and ahead == at + 1):
            return isinstance(clause[at], Weather | tuple | Season)
        joined = word in _JOINS or clause[ahead - 1] in _JOINS
        if not (_is_modifier(word) or joined):
            break
    return False


def _ends(clause: list[Meaning], end: int) -> bool:
    """Return whether the ending word at `end` already belongs to weather right before it."""
    return isinstance(clause[end - 1], Weather)


def _said_amount(clause: list[Meaning], at: int) -> Amount | Change | None:
    """Return how much of the weather at `at` there is said to be: words before win over after."""
    before = clause[at - 1] if at else None
    after = clause[at + 1] if at + 1 < len(clause) else None
    if isinstance(before, Amount | Change) and not (at > 1 and _takes_adverb(clause, at - 1)):
        return before
    if isinstance(before, At) and before.vague and before.hour != _NOON:
        return Amount(0.9)
    if isinstance(after, Amount | Change) and _takes_adverb(clause, at + 1):
        return after
    return None


def _takes_adverb(clause: list[Meaning], at: int) -> bool:
    """Return whether the amount at `at` follows its weather ("it rains heavily") for good."""
    follows = clause[at + 1] if at + 1 < len(clause) else None
    return isinstance(clause[at - 1], Weather) and not isinstance(follows, Weather)


def _quirk(words: list[str]) -> Quirk:
    digest = blake2b(" ".join(words).encode("utf-8", "surrogatepass"), digest_size=4).digest()
    a, b, c, d = (byte / 127.5 - 1.0 for byte in digest)
    return a, b, c, d
