"""What the service adds to prompts, and what it leaves alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odyssey_nb.service.expansion import KEEPS, RICH, expand, expand_update, tidy
from odyssey_nb.service.worlds.landscape.prompt import understand
from odyssey_nb.service.worlds.landscape.scene import Place, Scene
from tests.contact_sheet import PROMPTS

MOST_ADDED = 200  # characters
BOTH = pytest.mark.parametrize("function", [expand, expand_update])
SCENES = (Scene(), Scene(place=Place.FOREST, hour=6.2, rain=0.6, fog=0.6, wind=0.5))


@pytest.mark.parametrize(
    ("prompt", "expanded"),
    [
        (
            " a red\n house ",
            "a red house. Photorealistic and finely detailed, a wide shot from eye level,"
            " natural light.",
        ),
        (
            "a misty forest at dawn",
            "a misty forest at dawn. Photorealistic and finely detailed, a wide shot from eye"
            " level.",
        ),
        ("an anime city at night!", "an anime city at night! A wide shot from eye level."),
        ("close-up watercolor of a lamp, backlit", "close-up watercolor of a lamp, backlit"),
        (
            "a cat, drawn at noon. Negative prompt: text, blur",
            "a cat, drawn at noon. A wide shot from eye level. Negative prompt: text, blur",
        ),
    ],
)
def test_what_is_missing_is_added(prompt: str, expanded: str) -> None:
    """Style, camera and light are said once, by the author or by us; never both."""
    assert expand(prompt) == expanded


def test_steering_keeps_the_scene() -> None:
    """A prompt that steers is told to leave everything else alone."""
    assert expand_update("it  is snowing") == f"it is snowing. {KEEPS}"


@BOTH
def test_rich_prompts_are_left_alone(function) -> None:
    """Whoever describes everything gets what they describe."""
    prompt = " ".join(f"word{number}" for number in range(RICH))
    assert function(prompt) == prompt


@BOTH
@given(prompt=st.text() | st.sampled_from(PROMPTS))
def test_nothing_is_lost_or_said_twice(function, prompt: str) -> None:
    """Every word stays in its order, little is added, and expanding again adds nothing."""
    expanded = function(prompt)
    assert expanded == tidy(expanded)
    rest = iter(expanded.split())
    assert all(
        any(word in (other, f"{other}", other.rstrip(".")) for other in rest)
        for word in tidy(prompt).split()
    )
    assert len(expanded) <= len(prompt) + MOST_ADDED
    assert function(expanded) == expanded


@pytest.mark.parametrize("prompt", PROMPTS)
def test_landscapes_understand_the_same(prompt: str) -> None:
    """What is added means nothing to the landscape: neither its scene nor its quirk changes."""
    for scene in SCENES:
        assert understand(expand(prompt), scene) == understand(prompt, scene)
        assert understand(expand_update(prompt), scene) == understand(prompt, scene)
