"""The world whose pictures can be read back."""

from __future__ import annotations

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from odyssey_nb.media.h264 import Decoder, Encoder
from odyssey_nb.service.worlds.base import PICTURES_PER_SECOND, Planes, find_world
from odyssey_nb.service.worlds.test_pattern import TestPattern, prompt_hash, read
from odyssey_nb.wire.stream import LANDSCAPE, PORTRAIT

SIZES = pytest.mark.parametrize("size", [LANDSCAPE, PORTRAIT], ids=["landscape", "portrait"])
STEPS = [0, 1, 2, 31, 32, 12345, 2**31, 2**32 - 1]


def paint(world: TestPattern, planes: Planes, step: int) -> None:
    """Paint over planes that are full of something else."""
    for plane in (planes.y, planes.u, planes.v):
        plane[:] = 77
    world.paint(planes, step=step, time=step / PICTURES_PER_SECOND)


def rgb(planes: Planes) -> np.ndarray:
    """Return the picture as a viewer gets it without any encoder in between."""
    packed = np.concatenate([planes.y.ravel(), planes.u.ravel(), planes.v.ravel()])
    height, width = planes.y.shape
    frame = av.VideoFrame.from_ndarray(packed.reshape(height * 3 // 2, width), format="yuv420p")
    return frame.to_ndarray(format="rgb24")


def planes_of(size: tuple[int, int]) -> Planes:
    """Return planes of `size` (width, height)."""
    width, height = size
    half = (height // 2, width // 2)
    return Planes(
        np.zeros((height, width), np.uint8), np.zeros(half, np.uint8), np.zeros(half, np.uint8)
    )


@SIZES
@settings(max_examples=20, deadline=None)
@given(step=st.sampled_from(STEPS) | st.integers(0, 2**32 - 1), prompt=st.text(max_size=40))
def test_read_inverts_paint(size: tuple[int, int], step: int, prompt: str) -> None:
    """Every picture number and prompt can be read from the pixels, in both orientations."""
    world = TestPattern(width=size[0], height=size[1], prompt=prompt, seed=0)
    planes = planes_of(size)
    paint(world, planes, step)
    assert read(rgb(planes)) == (step, prompt_hash(prompt))


@SIZES
def test_read_after_the_encoder(size: tuple[int, int]) -> None:
    """Numbers and prompts survive encoding and decoding, across prompts and keyframes."""
    encoder, decoder = Encoder(*size, rate=PICTURES_PER_SECOND), Decoder()
    world = TestPattern(width=size[0], height=size[1], prompt="the first", seed=0)
    prompt = "the first"
    for step in range(12):
        if step == 6:
            prompt = "the second"
            world.steer(prompt)
        paint(world, Planes(*encoder.planes), step)
        frame = decoder.decode(encoder.encode(step * 4500, key=step % 5 == 0))
        assert frame is not None
        assert (frame.width, frame.height) == size
        assert read(frame.to_ndarray(format="rgb24")) == (step, prompt_hash(prompt))


@SIZES
@pytest.mark.parametrize("scale", [2, 4])
def test_read_after_scaling(size: tuple[int, int], scale: int) -> None:
    """A smaller picture, as a browser shows it, can be read too."""
    world = TestPattern(width=size[0], height=size[1], prompt="small", seed=0)
    planes = planes_of(size)
    paint(world, planes, 4711)
    assert read(rgb(planes)[::scale, ::scale]) == (4711, prompt_hash("small"))


@SIZES
def test_every_pixel_is_painted(size: tuple[int, int]) -> None:
    """Nothing of what the planes held before shines through, and values are limited range."""
    world = TestPattern(width=size[0], height=size[1], prompt="all of it", seed=0)
    one, two = planes_of(size), planes_of(size)
    paint(world, one, 5)
    for plane in (two.y, two.u, two.v):
        plane[:] = 200
    world.paint(two, step=5, time=0.25)
    for before, after in zip((one.y, one.u, one.v), (two.y, two.u, two.v), strict=True):
        assert np.array_equal(before, after)
        assert before.min() >= 16
        assert before.max() <= 240


def test_is_installed() -> None:
    """The world is found by its name."""
    assert find_world("test_pattern") is TestPattern
