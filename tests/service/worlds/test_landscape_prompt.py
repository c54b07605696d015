"""What a landscape makes of words."""

from __future__ import annotations

from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odyssey_nb.service.expansion import tidy
from odyssey_nb.service.worlds.landscape.prompt import understand
from odyssey_nb.service.worlds.landscape.scene import Place, Scene, Season
from odyssey_nb.service.worlds.landscape.vocabulary import WORDS

AMOUNTS = ("cloud", "rain", "snow", "fog", "storm", "wind")
WET = Scene(place=Place.FOREST, hour=6.2, rain=0.6, fog=0.6, wind=0.5)  # a scene to change
PHRASES = st.lists(st.sampled_from([*sorted(WORDS), ",", ".", "wug", "Übung", "北"]), max_size=14)


def changes(prompt: str, scene: Scene = WET) -> dict[str, object]:
    """Return the features of `scene` that `prompt` changes, with their new values."""
    before = asdict(scene)
    return {k: v for k, v in asdict(understand(prompt, scene)).items() if v != before[k]}


@given(st.text() | PHRASES.map(" ".join), PHRASES.map(" ".join))
def test_any_text_is_a_prompt(first: str, second: str) -> None:
    """No text raises, and every scene stays within its ranges."""
    scene = understand(second, understand(first, Scene()))
    assert 0.0 <= scene.hour < 24.0
    assert all(0.0 <= getattr(scene, name) <= 1.0 for name in AMOUNTS)
    assert all(-1.0 <= value <= 1.0 for value in (*scene.tint, *scene.quirk))


@given(st.text() | PHRASES.map(" ".join))
def test_reading_is_repeatable(prompt: str) -> None:
    """The same words after the same scene mean the same, whatever the white space between them."""
    assert understand(prompt, WET) == understand(tidy(prompt), WET)


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("snow begins to fall", {"snow": 0.6, "rain": 0.0}),
        ("It gets dark.", {"hour": 23.5}),
        ("the sun rises", {}),
        ("the sun goes down", {"hour": 18.8}),
        ("the rain stops", {"rain": 0.0}),
        ("it stops raining", {"rain": 0.0}),
        ("it is not raining", {"rain": 0.0}),
        ("no fog", {"fog": 0.0}),
        ("the fog lifts", {"fog": 0.0}),
        ("the fog clears", {"fog": 0.0}),
        ("no rain or fog", {"rain": 0.0, "fog": 0.0}),
        ("rain and wind die down", {"rain": 0.0, "wind": 0.0}),
        ("no rain and heavy snow", {"rain": 0.0, "snow": 0.9}),
        ("the rain turns into snow", {"rain": 0.0, "snow": 0.6}),
        ("the sky clears", {"cloud": 0.0, "rain": 0.0, "fog": 0.0}),
        ("rain with snow", {"snow": 0.6}),
        ("light rain", {"rain": 0.3}),
        ("it rains heavily", {"rain": 0.9}),
        ("light rain, dense fog", {"rain": 0.3, "fog": 0.9}),
        ("very light rain", {"rain": 0.15}),
        ("extremely heavy rain", {"rain": 1.0}),
        ("dark clouds gather", {"cloud": 0.9}),
        ("a thunderstorm", {"storm": 0.8, "rain": 0.8}),
        ("not a forest", {"place": Place.MEADOW}),
        ("no city", {}),
        ("autumn", {"season": Season.AUTUMN}),
        ("leaves in the fall", {"season": Season.AUTUMN}),
        ("the mountains at midnight", {"place": Place.MOUNTAINS, "hour": 23.5}),
    ],
)
def test_a_phrase_changes_only_what_it_speaks_about(
    prompt: str, expected: dict[str, object]
) -> None:
    """Times, weather, places, amounts and negations are understood, and all else is kept."""
    found = changes(prompt)
    found.pop("quirk", None)
    assert found == expected


def test_more_and_less_start_from_what_there_is() -> None:
    """Comparatives move the amount there was, up or down."""
    assert understand("the rain gets heavier", WET).rain > WET.rain
    assert understand("less fog", WET).fog < WET.fog


def test_a_new_scene_replaces_the_old_one() -> None:
    """A prompt that names everything depends on nothing before it."""
    prompt = "a clear, calm summer night at sea without snow, storm, rain or fog"
    assert understand(prompt, WET) == understand(prompt, Scene())


def test_unknown_words_mean_something_of_their_own() -> None:
    """Words nobody taught us change the scene: differently for each, and always the same way."""
    wug, blicket = understand("wug", WET), understand("blicket", WET)
    assert WET != wug != blicket != WET
    assert wug == understand("WUG", blicket)


def test_colours_tint_until_they_are_taken_back() -> None:
    """A colour stays over the following prompts and goes away when it is negated."""
    red = understand("a red desert", Scene())
    assert red.tint != (0.0, 0.0)
    assert understand("rain", red).tint == red.tint
    assert understand("no red", red).tint == (0.0, 0.0)
