"""What a sweep runs, without running it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import odyssey_nb as ody
from odyssey_nb.errors import EmptyPromptError, ImageError, OdysseyNBError, UsageError
from odyssey_nb.research.sweep import Sweep


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A notebook's directory, in which no sweep is."""
    monkeypatch.chdir(tmp_path)


def sweep(*args: Any, **options: Any) -> Sweep:
    """Plan a sweep of the local service."""
    return ody.sweep(*args, local=True, **options)


def prompts(planned: Sweep) -> list[str]:
    """What each run begins with."""
    return [run.prompt for run in planned]


def test_the_product_in_its_order(tmp_path: Path) -> None:
    """Names in the order in which they are given, repeats last; nothing is written yet."""
    planned = sweep(
        "a {weather} sea at {time}", {"time": ["dawn", "dusk"]}, weather=["calm", "wild"], repeats=2
    )
    assert len(planned) == 8
    assert prompts(planned)[:4:2] == ["a calm sea at dawn", "a wild sea at dawn"]
    assert planned[3].values == {"time": "dawn", "weather": "wild", "repeat": 2}
    assert planned[3].label == "dawn, wild, #2"
    assert planned[0].script.text == "0 start a calm sea at dawn\n5 end\n"
    assert planned.name == "a-weather-sea-at-time"
    assert planned.folder == tmp_path / "sweeps" / planned.name
    assert not planned.folder.exists()


def test_words_and_numbers() -> None:
    """A bool is a word or nothing, a format says a number, and a template puts it into words."""
    assert prompts(sweep("a sea, {birds}, at {wind:.1f} m/s", birds=[True, False], wind=[3])) == [
        "a sea, birds, at 3.0 m/s",
        "a sea, at 3.0 m/s",
    ]
    levels = sweep("level {n}", n=np.linspace(0, 1, 3))
    assert prompts(levels) == ["level 0", "level 0.5", "level 1"]
    assert [run.label for run in levels] == ["n 0", "n 0.5", "n 1"]
    fog = ody.prompt("{fog} fog in a {place}", fog=ody.scale(), place=["forest", "city"])
    assert prompts(sweep(fog, fog=[0, 0.5])) == ["no fog in a forest", "moderate fog in a forest"]
    assert prompts(sweep("a {place}", place="forest", repeats=1)) == ["a forest"]


def test_scripts_and_several_prompts() -> None:
    """Scripts have names in any of their prompts; a prompt is varied by the names that it has."""
    walk = "0 start a {place}\n1 interact {what} begins\n1.5 mark odd!\n2 end"
    planned = sweep(walk, place=["sea", "city"], what="rain")
    assert (
        planned[1].script.text == "0 start a city\n1 interact rain begins\n1.5 mark odd!\n2 end\n"
    )
    both = sweep({"plain": "a sea", "timed": "a sea at {time}"}, time=["dawn", "noon"])
    assert [run.label for run in both] == ["plain", "timed, dawn", "timed, noon"]
    assert prompts(sweep(["a sea", "a city"])) == ["a sea", "a city"]
    mixed = sweep([ody.script(walk.replace("{what}", "{rain}")), [(0, "start", "b"), (1, "end")]],
                  place=["sea"], rain=[True])  # fmt: skip
    assert [run.script.duration for run in mixed] == [2, 1]
    assert "1 interact rain begins" in mixed[0].script.text
    braces = [(0, "start", 'a sign that says "}"'), (1, "end")]
    assert prompts(sweep(braces)) == ['a sign that says "}"']


def test_lengths_ways_and_images(tmp_path: Path) -> None:
    """What is given several of is varied too; images are told apart by what is in them."""
    picture = Image.new("RGB", (64, 36), "navy")
    picture.save(tmp_path / "sea.png")
    planned = sweep(
        "a sea", images=["sea.png", None, picture], seconds=[1, 2],
        orientation=["landscape", "portrait"],
    )  # fmt: skip
    assert len(planned) == 12
    assert planned[0].label == "sea, 1 s, landscape"
    assert {run.values["image"] for run in planned} == {"sea", "no image", "image 3"}
    start = planned[1].full_script.entries[0].start
    assert start is not None
    assert start.image is not None
    assert start.image.startswith("data:image/jpeg;base64,")
    array = np.asarray(picture)
    assert len(sweep("a sea", images=[array, array.copy(), array // 2])) == 2, "equal ones are one"


def test_keys_are_the_content() -> None:
    """The same run has the same key in every kernel and sweep; whatever changes it has another."""
    (run,) = sweep("a sea at dawn", seconds=2)
    assert run.key == "e720ff773d58cae7"
    assert (
        run.key == sweep("a sea at {time}", time=["dawn", "noon"], seconds=2, name="other")[0].key
    )
    others = [
        sweep("a sea at noon", seconds=2),
        sweep("a sea at dawn", seconds=3),
        sweep("a sea at dawn", seconds=2, orientation="portrait"),
        sweep("a sea at dawn", seconds=2, bypass_expansion=True),
        sweep("a sea at dawn", seconds=2, images=np.zeros((4, 4, 3), np.uint8)),
        ody.sweep("a sea at dawn", seconds=2, url="http://127.0.0.1:1", api_key="ody_k"),
        sweep("a sea at dawn", seconds=2, repeats=2)[1:],
    ]
    assert len({run.key, *(each[0].key for each in others)}) == 8


def test_selections() -> None:
    """By values, by number and by slice; all of the same folder."""
    planned = sweep("a {weather} sea at {time}", weather=["calm", "wild"], time=["dawn", "noon"])
    assert [run.label for run in planned.select(weather="wild")] == ["wild, dawn", "wild, noon"]
    assert [run.label for run in planned[{"time": ["noon"], "weather": "calm"}]] == ["calm, noon"]
    assert len(planned[1:]) == 3
    assert planned[1:].folder == planned.folder
    with pytest.raises(UsageError, match="varies no wind"):
        planned.select(wind=3)
    with pytest.raises(UsageError, match="no run has"):
        planned.select(weather="odd")


@pytest.mark.parametrize(
    ("given", "kind", "says"),
    [
        ((("a {weather} sea",), {}), UsageError, "no values for weather"),
        ((("a sea",), {"weather": ["calm"]}), UsageError, "no prompt has a place for weather"),
        ((("a {x} sea",), {"x": []}), UsageError, "no values for x"),
        ((("a {x} sea",), {"x": [object()]}), UsageError, "no word and no number"),
        ((("a {x} sea",), {"x": ody.scale()}), UsageError, "say at which numbers"),
        ((("a {status} sea",), {"status": ["x"]}), UsageError, "sweeps call something else"),
        ((("a {} sea",), {}), UsageError, "not a name"),
        (((" ",), {}), EmptyPromptError, "empty"),
        ((([],), {}), UsageError, "a sweep has a prompt"),
        ((("a sea",), {"repeats": 0}), UsageError, "repeats=0"),
        ((("a {n}",), {"n": range(200), "repeats": 100}), UsageError, "20000 runs"),
        ((("a sea",), {"images": ["nowhere.png"]}), ImageError, "no image at 'nowhere.png'"),
        ((("a sea",), {"images": [3]}), UsageError, "int is no image"),
        ((("a sea",), {"name": "../x"}), UsageError, "names no folder"),
    ],
)  # fmt: skip
def test_mistakes(given: Any, kind: type[OdysseyNBError], says: str) -> None:
    """Each is told in one line before anything runs, with what to write."""
    args, options = given
    with pytest.raises(kind, match=says) as caught:
        sweep(*args, **options)
    assert caught.value.hint
