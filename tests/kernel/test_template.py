"""Prompts with places in them: how they read, what may stand there, and how they change."""

from __future__ import annotations

import pytest

import odyssey_nb as ody
from odyssey_nb.errors import ScriptError, UsageError

FOG = ody.prompt(
    "a {place} with {fog} fog, wind {wind:.1f} {birds} {mood}",
    place=["forest", "sea"],
    fog=ody.scale(),
    wind=(0.0, 10.0),
    birds=True,
    mood=ody.mix("calm", "wild", start=1),
)


def test_a_prompt_reads() -> None:
    """It fills its places, tidies spaces, and stands as at first where nothing is given."""
    assert str(FOG) == "a forest with no fog, wind 0.0 birds wild"
    assert FOG(place="sea", fog=0.5, wind=2.25, birds=False, mood=0.5) == (
        "a sea with moderate fog, wind 2.2 half calm, half wild"
    )
    birds = ody.prompt("{dew}, a forest, {birds}, {deer}", dew=True, birds=True, deer=True)
    assert birds(birds=False) == "dew, a forest, deer"
    assert birds(dew=False, birds=False, deer=False) == "a forest"
    free = ody.prompt("a {x} forest, {{really}}")
    assert free(x="misty") == "a misty forest, {really}"
    assert ody.prompt("wind {wind:.1f}, {n} boats")(wind=3, n=0.5) == "wind 3.0, 0.5 boats"
    with pytest.raises(UsageError, match="x is given in words"):
        free()
    assert str(ody.prompt("{a}, {b}", a=ody.prompt("x")(), b=3)) == "x, 3"


@pytest.mark.parametrize(
    ("scale", "reads"),
    [
        (ody.scale(), "no|light|moderate|dense|extreme"),
        (ody.scale("calm", "stormy", low=0, high=12), "calm|calm|stormy|stormy|stormy"),
        (ody.scale(lambda x: f"{x:.0%}"), "0%|25%|50%|75%|100%"),
        (ody.mix("a", "b"), "a|mostly a, a little b|half a, half b|mostly b, a little a|b"),
    ],
)
def test_numbers_read_as_words(scale, reads) -> None:
    """Words share the range from the lowest to the highest; a function says its own."""
    width = scale.high - scale.low
    said = [scale.say(scale.check(scale.low + width * n / 4)) for n in range(5)]
    assert "|".join(said) == reads


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"fog": 2}, "fog is a number from 0 to 1, not 2"),
        ({"fog": True}, "fog is a number"),
        ({"place": "desert"}, "place is one of forest, sea, not 'desert'"),
        ({"birds": "yes"}, "birds is True or False"),
        ({"sun": 1}, "no {sun}"),
    ],
)
def test_what_cannot_stand_there(values, says) -> None:
    """A value that does not fit is told with what would."""
    with pytest.raises(UsageError, match=says):
        FOG(**values)


def test_what_the_page_is_told() -> None:
    """Where a number begins to read differently; too many different words are left to the page."""
    assert FOG.table("fog", "") == [
        (0, "no"), (100, "light"), (200, "moderate"), (300, "dense"), (400, "extreme"),
    ]  # fmt: skip
    assert len(FOG.table("wind", ".1f")) == 101
    assert ody.prompt("{x}", x=(0, 100_000)).table("x", "") == []
    with pytest.raises(ValueError, match="too small"):
        ody.scale(step=1e-9)
    with pytest.raises(ValueError, match="smaller"):
        ody.scale(low=1, high=0)


def test_keyframes_are_a_script() -> None:
    """Numbers go in straight lines, other values jump, and only new words are sent."""
    prompt = ody.prompt("{fog} fog at {time}", fog=ody.scale(), time=["dawn", "dusk"])
    keyframes = {0: {"fog": 0}, 4: {"fog": 1, "time": "dusk"}}
    script = prompt.script(keyframes, every=0.5, hold=2)
    assert list(script) == [
        (0, "start", "no fog at dusk"),
        (1, "interact", "light fog at dusk"),
        (2, "interact", "moderate fog at dusk"),
        (2.5, "interact", "dense fog at dusk"),
        (3.5, "interact", "extreme fog at dusk"),
        (6, "end", ""),
    ]
    jumping = prompt.script({0: {"time": "dawn"}, 1: {"time": "dusk"}, 2: {}})
    assert [words for _, _, words in jumping] == ["no fog at dawn", "no fog at dusk", ""]
    with pytest.raises(UsageError, match="has keyframes"):
        prompt.script({})
    with pytest.raises(ScriptError, match="the end comes after the start"):
        prompt.script({0: {"fog": 0}})
