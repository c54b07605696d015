"""What a landscape does with an image: it stays, and light, weather and camera act on it."""

from __future__ import annotations

from itertools import pairwise
from statistics import median

import numpy as np
import pytest

from odyssey_nb.service.worlds.base import Planes, planes_of
from odyssey_nb.service.worlds.landscape import Landscape
from tests.contact_sheet import planes, rgb

SIZES = pytest.mark.parametrize("size", [(320, 176), (176, 320)])
PROMPTS = (
    "sunset", "a thunderstorm at night", "dense fog", "a blizzard", "golden dawn", "purple dusk",
    "green night", "torrential rain", "a red noon",
)  # fmt: skip


def chart(size: tuple[int, int] = (320, 176)) -> np.ndarray:
    """Return an image with every hue and brightness: red to the right, green to the bottom."""
    width, height = size
    down, across = np.mgrid[0:height, 0:width]
    image = np.stack([across / (width - 1), down / (height - 1), 1 - across / (width - 1)], axis=2)
    return np.round(image * 255).astype(np.uint8)


def world(prompt: str, image: np.ndarray) -> Landscape:
    """Return a landscape over `image`."""
    height, width = image.shape[:2]
    return Landscape(width=width, height=height, prompt=prompt, seed=3, image=image)


def painted(landscape: Landscape, time: float, size: tuple[int, int] = (320, 176)) -> Planes:
    """Return a fresh picture at `time`."""
    picture = planes(*size)
    landscape.paint(picture, step=round(time * 20), time=time)
    return picture


def settled(prompt: str, image: np.ndarray) -> Planes:
    """Return what `image` looks like once the prompt has taken hold."""
    height, width = image.shape[:2]
    landscape = world(prompt, image)
    for time in (0.0, 1.0):
        painted(landscape, time, (width, height))
    return painted(landscape, 2.0, (width, height))


def difference(one: Planes, other: Planes) -> float:
    """Return the mean absolute difference of two pictures' luma."""
    return float(np.abs(one.y.astype(int) - other.y).mean())


@SIZES
@pytest.mark.parametrize("prompt", ["a storm at night", "wug"])
def test_it_begins_as_it_was_given(size: tuple[int, int], prompt: str) -> None:
    """The first picture is the image, a little closer, before any weather and in its colours."""
    image = chart(size)
    shown = np.asarray(rgb(painted(world(prompt, image), 0.0, size))).astype(int)
    assert np.abs(shown - image).mean() < 8
    assert np.abs(shown - image).max() < 40


@SIZES
@pytest.mark.parametrize("prompt", PROMPTS)
def test_every_sample_is_legal(size: tuple[int, int], prompt: str) -> None:
    """No light drives the strongest colours out of the range, where they would wrap around."""
    noise = np.random.default_rng(5).choice(np.array([0, 255], np.uint8), (size[1], size[0], 3))
    for image in (chart(size), noise):
        picture = settled(prompt, image)
        assert picture.y.min() >= 15
        assert picture.y.max() <= 235
        for plane in (picture.u, picture.v):
            assert plane.min() >= 14
            assert plane.max() <= 241


def test_hours_and_weather_act_on_it() -> None:
    """Night darkens, fog takes contrast, snow and rain fall, dawn warms; bright stays bright."""
    plain = settled("a picture", chart())
    assert settled("night", chart()).y.mean() < 0.7 * plain.y.mean()
    assert settled("dense fog", chart()).y.std() < 0.6 * plain.y.std()
    assert settled("golden dawn", chart()).u.mean() < plain.u.mean() - 4
    for prompt in ("heavy rain", "heavy snow"):
        landscape = world(prompt, chart())
        pictures = [painted(landscape, time) for time in (0.0, 1.0, 2.0, 2.05)]
        moved = np.abs(pictures[-1].y.astype(int) - pictures[-2].y)
        assert np.quantile(moved, 0.995) > 12, prompt


def test_dark_images_are_not_darkened_again() -> None:
    """An image of the night keeps most of its light when the prompt says night."""
    image = (chart() * 0.2).astype(np.uint8)
    before, after = planes_of(image).y.mean() - 16, settled("night", image).y.mean() - 16
    assert after > 0.6 * before


def test_the_camera_moves_smoothly() -> None:
    """The view drifts all the time, and never jumps."""
    landscape = world("a picture", chart())
    pictures = [painted(landscape, step / 20) for step in range(120)]
    steps = [difference(one, other) for one, other in pairwise(pictures)]
    assert difference(pictures[0], pictures[-1]) > 1.0
    assert max(steps) < 4 * max(0.1, median(steps))


@pytest.mark.parametrize("prompt", ["night", "dense fog", "a city", "purple"])
def test_steering_glides_and_the_image_stays(prompt: str) -> None:
    """A prompt takes hold without a jump, and no place that it names replaces the image."""
    landscape = world("a picture", chart())
    for step in range(30):
        painted(landscape, step / 20)
    landscape.steer(prompt)
    pictures = [painted(landscape, step / 20) for step in range(30, 60)]
    steps = [difference(one, other) for one, other in pairwise(pictures)]
    assert max(steps) < max(2.0, 0.3 * difference(pictures[0], pictures[-1]))
    reds = pictures[-1].v.astype(int)
    assert reds[:, -20:].mean() > reds[:, :20].mean() + 3  # red is still to the right
