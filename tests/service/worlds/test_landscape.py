"""The landscape: that its pictures show what prompts say."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from odyssey_nb.service.worlds.base import Planes, find_world
from odyssey_nb.service.worlds.landscape import Landscape
from odyssey_nb.service.worlds.landscape.scene import Place

SMALL = (320, 176)
SEEDS = range(5)
SIZES = pytest.mark.parametrize("size", [SMALL, SMALL[::-1], (1280, 704), (704, 1280), (130, 98)])


def blank(width: int, height: int, value: int = 0) -> Planes:
    """Return planes full of `value`, which is no legal pixel when it is 0 or 255."""
    return Planes(
        y=np.full((height, width), value, np.uint8),
        u=np.full((height // 2, width // 2), value, np.uint8),
        v=np.full((height // 2, width // 2), value, np.uint8),
    )


def painted(world: Landscape, time: float, size: tuple[int, int] = SMALL, value: int = 0) -> Planes:
    """Return a fresh picture of `world` at `time`, on planes that held `value`."""
    picture = blank(*size, value)
    world.paint(picture, step=round(time * 20), time=time)
    return picture


def landscape(prompt: str, *, seed: int = 3, size: tuple[int, int] = SMALL) -> Landscape:
    """Return a new world, small unless told otherwise."""
    return Landscape(width=size[0], height=size[1], prompt=prompt, seed=seed)


def pixels(picture: Planes) -> np.ndarray:
    """Return all samples of `picture` in a row, as signed numbers."""
    planes = (picture.y, picture.u, picture.v)
    return np.concatenate([plane.ravel() for plane in planes]).astype(np.int16)


def difference(one: Planes, other: Planes) -> float:
    """Return the mean absolute difference of two pictures."""
    return float(np.abs(pixels(one) - pixels(other)).mean())


@cache
def measure(prompt: str, seed: int) -> dict[str, float]:
    """Describe the pictures of `prompt` in a few numbers."""
    world = landscape(prompt, seed=seed)
    before, now = painted(world, 1.0), painted(world, 1.05)
    y, u, v = (plane.astype(np.float64) for plane in (now.y, now.u, now.v))
    ground = slice(60, None)
    return {
        "light": y.mean(),
        "sky light": y[:50].mean(),
        "sky blue": u[:30].mean(),
        "ground blue": u[ground].mean(),
        "ground red": v[ground].mean(),
        "particles": float(np.quantile(np.abs(y - before.y), 0.99)),
        "detail": np.abs(np.diff(y[106:], axis=1)).mean(),
    }


@SIZES
@pytest.mark.parametrize("prompt", ["a storm over the city at night", "fog in a red desert"])
def test_every_pixel_is_written_and_legal(size: tuple[int, int], prompt: str) -> None:
    """Whatever the planes held before, afterwards all samples are legal and the same."""
    world = landscape(prompt, size=size)
    for time in (0.0, 0.05, 0.1, 3.6):
        one, other = painted(world, time, size, value=0), painted(world, time, size, value=255)
        assert np.array_equal(pixels(one), pixels(other))
        assert one.y.min() >= 16
        assert one.y.max() <= 235
        for plane in (one.u, one.v):
            assert plane.min() >= 16
            assert plane.max() <= 240


@pytest.mark.parametrize("place", Place)
@pytest.mark.parametrize("hour", ["noon", "night"])
def test_every_place_is_legal_at_every_hour(place: Place, hour: str) -> None:
    """No place leaves a hole or an illegal sample, in heavy winter weather or in none."""
    for weather in ("clear", "blizzard with dense fog, golden"):
        picture = painted(landscape(f"{place} at {hour}, {weather}"), 0.5)
        assert picture.y.min() >= 16
        assert picture.y.max() <= 235
        for plane in (picture.u, picture.v):
            assert plane.min() >= 16
            assert plane.max() <= 240


def test_padded_rows_are_painted_as_well() -> None:
    """Planes whose rows have padding between them get the same picture, and keep their padding."""
    picture = painted(landscape("heavy rain and snow"), 0.0)
    height, width = picture.y.shape
    room = blank(width + 64, height, 7)
    padded = Planes(y=room.y[:, :width], u=room.u[:, : width // 2], v=room.v[:, : width // 2])
    landscape("heavy rain and snow").paint(padded, step=0, time=0.0)
    assert difference(picture, padded) == 0.0
    assert (room.y[:, width:] == 7).all()


def test_the_same_seed_prompts_and_times_give_the_same_pictures() -> None:
    """Two runs agree in every sample, through glide and change of place; another seed differs."""

    def run(seed: int) -> list[Planes]:
        world, pictures = landscape("rain in the forest", seed=seed), []
        for step in range(30):
            if step == 5:
                world.steer("the city on a stormy night")
            pictures.append(painted(world, step / 20))
        return pictures

    first, second, other = run(1), run(1), run(2)
    assert all(difference(a, b) == 0.0 for a, b in zip(first, second, strict=True))
    assert all(difference(a, b) > 1.0 for a, b in zip(first, other, strict=True))


def test_pictures_always_move_a_little() -> None:
    """Even a calm, clear day drifts by."""
    world = landscape("a calm clear day")
    pictures = [painted(world, float(second)) for second in range(10)]
    assert all(0.1 < difference(a, b) < 12.0 for a, b in pairwise(pictures))


@pytest.mark.parametrize(
    ("feature", "more", "less"),
    [
        ("light", "day", "night"),
        ("sky light", "clear", "rain"),
        ("particles", "snow", "clear"),
        ("sky light", "fog", "clear"),
        ("ground red", "desert", "forest"),
        ("ground blue", "sea", "mountains"),
        ("ground blue", "city", "desert"),
        ("ground red", "dawn", "noon"),
        ("sky blue", "clear", "storm"),
        ("light", "light rain", "heavy rain"),
        ("particles", "heavy snow", "light snow"),
        ("ground red", "dusk", "night"),
        ("ground red", "autumn", "spring"),
        ("detail", "city", "forest"),
    ],
)
def test_words_show(feature: str, more: str, less: str) -> None:
    """For each pair of words, one feature tells all seeds' pictures of one from the other's."""
    assert min(measure(more, seed)[feature] for seed in SEEDS) > max(
        measure(less, seed)[feature] for seed in SEEDS
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_unknown_words_show(seed: int) -> None:
    """Words without a meaning change the picture, each in its own way."""
    plain, wug, blicket = (
        painted(landscape(f"{word} meadow", seed=seed), 0.0) for word in ("a", "wug", "blicket")
    )
    assert difference(plain, wug) > 1.0
    assert difference(plain, blicket) > 1.0
    assert difference(wug, blicket) > 1.0


@pytest.mark.parametrize(
    "prompt", ["night", "a blizzard", "dense fog", "red", "the sea", "a city at night", "wug"]
)
def test_changes_glide(prompt: str) -> None:
    """After a prompt no picture jumps, and after 1.2 seconds the new scene is there."""
    world, goal = landscape("a meadow at noon"), landscape(f"a meadow at noon. {prompt}")
    for step in range(10):
        painted(world, step / 20)
    world.steer(f"  {prompt}\n")
    pictures = [painted(world, step / 20) for step in range(10, 36)]
    steps = [difference(a, b) for a, b in pairwise(pictures)]
    whole = difference(pictures[0], pictures[-1])
    assert max(steps) < 0.3 * whole + 3.0
    assert max(steps[24:]) < 4.0  # only drift and weather are left
    reached = painted(goal, 1.7)
    assert abs(reached.y.mean() - pictures[25].y.mean()) < 1.5
    assert abs(reached.u.mean() - pictures[25].u.mean()) < 1.5


def test_a_prompt_keeps_what_it_does_not_speak_about() -> None:
    """Snow in a forest at dawn is the forest at dawn with snow, to the last sample."""
    steered, direct = landscape("a forest at dawn"), landscape("snow in a forest at dawn")
    steered.steer("snow begins to fall")
    painted(steered, 0.0)
    painted(direct, 0.0)
    one, other = painted(steered, 2.0), painted(direct, 2.0)
    # Clouds and flakes have drifted differently on the way; the light and the land are the same.
    assert difference(one, other) < 6.0
    assert difference(one, painted(landscape("snow in a desert at dawn"), 2.0)) > 10.0
    assert difference(one, painted(landscape("snow in a forest at night"), 2.0)) > 10.0


def test_negation_takes_weather_away() -> None:
    """Without what a prompt takes away, the scene is as if it had never been."""
    world, plain = landscape("a meadow in dense fog"), landscape("a meadow")
    world.steer("no fog")
    painted(world, 0.0)
    painted(plain, 0.0)
    assert difference(painted(world, 2.0), painted(plain, 2.0)) < 1.0


def test_prompts_may_follow_each_other_at_once() -> None:
    """Several prompts before a picture, or in the middle of a glide or move, all count."""
    world = landscape("a forest")
    painted(world, 0.0)
    for number, prompt in enumerate(("the sea", "the city", "a desert", "night")):
        world.steer(prompt)
        painted(world, 0.1 + number * 0.13)
    for step in range(60):
        painted(world, 0.6 + step / 20)
    goal = landscape("a desert at night")
    painted(goal, 0.0)
    assert difference(painted(world, 4.0), painted(goal, 4.0)) < 3.0


def test_the_landscape_is_found_by_name() -> None:
    """The package offers it to the service."""
    assert find_world("landscape") is Landscape
