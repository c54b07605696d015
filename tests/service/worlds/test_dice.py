"""The world whose chances are known."""

from __future__ import annotations

import numpy as np
import pytest

from odyssey_nb.research import metrics
from odyssey_nb.service.worlds.base import PICTURES_PER_SECOND, Planes, find_world
from odyssey_nb.service.worlds.dice import FAIR, LOADED, Dice, grid, understand
from odyssey_nb.wire.stream import LANDSCAPE, PORTRAIT

STILL = 0.8  # seconds after a throw when dice lie


def table(world: Dice, time: float, size: tuple[int, int] = LANDSCAPE) -> Planes:
    """Return the picture at `time`, painted over planes that are full of something else."""
    width, height = size
    half = height // 2, width // 2
    planes = Planes(*(np.full(shape, 77, np.uint8) for shape in ((height, width), half, half)))
    world.paint(planes, step=round(time * PICTURES_PER_SECOND), time=time)
    return planes


def thrown(prompt: str, throws: int, seed: int = 0, size: tuple[int, int] = LANDSCAPE) -> list[int]:
    """Read the faces of all throws from the pixels, by how much of each die is pips."""
    world = Dice(width=size[0], height=size[1], prompt=prompt, seed=seed)
    count = understand(prompt)[0]
    columns, rows = grid(count, *size)
    dark = []
    for number in range(throws):
        picture = table(world, number + STILL, size).y < 40
        bands = np.array_split(picture, rows)
        dark += [
            int(each.sum())
            for number, each in enumerate(
                part for band in bands for part in np.array_split(band, columns, axis=1)
            )
            if number < count
        ]
    return [round(6 * each / max(dark)) for each in dark]


@pytest.mark.parametrize("size", [LANDSCAPE, PORTRAIT], ids=["landscape", "portrait"])
def test_the_chances_are_as_declared(size: tuple[int, int]) -> None:
    """Read from the pixels, fair dice are fair, and loaded ones are loaded as they say."""
    for prompt, odds, other in (("dice", FAIR, LOADED), ("loaded dice", LOADED, FAIR)):
        faces = thrown(f"twelve {prompt} on a green table", 100, size=size)
        counts = {face: faces.count(face) for face in range(1, 7)}
        assert sum(counts.values()) == 1200, "every face can be read"
        assert metrics.calibration(counts, dict(enumerate(odds, 1))).fair
        assert not metrics.calibration(counts, dict(enumerate(other, 1))).fair


def test_the_same_seed_throws_the_same() -> None:
    """However many pictures were painted before; another seed throws differently."""
    assert thrown("six dice", 20) == thrown("six dice", 20)
    assert thrown("six dice", 20) != thrown("six dice", 20, seed=1)
    width, height = LANDSCAPE
    often, once = (Dice(width=width, height=height, prompt="six dice", seed=3) for _ in range(2))
    for step in range(28):
        seen = table(often, step / PICTURES_PER_SECOND)
    assert np.array_equal(seen.y, table(once, 27 / PICTURES_PER_SECOND).y)


def test_dice_lie_still_and_then_tumble() -> None:
    """A throw comes to rest, and every pixel is written within limits."""
    width, height = LANDSCAPE
    world = Dice(width=width, height=height, prompt="a loaded die", seed=0)
    early, late, later, again = (table(world, time) for time in (0.2, 0.7, 0.9, 1.1))
    assert not np.array_equal(early.y, late.y)
    assert np.array_equal(late.y, later.y)
    assert not np.array_equal(later.y, again.y)
    assert 16 <= early.y.min() < early.y.max() <= 235


def test_a_prompt_says_how_many_and_whether_they_are_loaded() -> None:
    """By number or word, and steering counts from the next throw on."""
    assert understand("a die is thrown") == (1, FAIR)
    assert understand("3 biased dice") == (3, LOADED)
    assert understand("Twelve fair dice roll") == (12, FAIR)
    assert understand("99 dice") == (12, FAIR)
    width, height = LANDSCAPE
    world = Dice(width=width, height=height, prompt="a die", seed=0)
    before = table(world, STILL)
    world.steer("nine dice")
    assert np.array_equal(before.y, table(world, STILL).y)
    left = slice(width // 4)
    assert before.y[:, left].max() < 190 < table(world, 1 + STILL).y[:, left].max()


def test_is_installed() -> None:
    """The world is found by its name."""
    assert find_world("dice") is Dice
