"""What encoding costs and keeps, alone: our encoder, and aiortc's as it comes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from time import process_time

import av
import numpy as np
from aiortc.codecs.h264 import H264Encoder
from numpy.typing import NDArray

from odyssey_nb.media.h264 import BITRATE, CLOCK_RATE, Decoder, Encoder
from odyssey_nb.service.worlds.base import PICTURES_PER_SECOND, Planes, find_world
from odyssey_nb.wire.stream import LANDSCAPE

START = b"\x00\x00\x00\x01"

Picture = tuple[NDArray[np.uint8], ...]  # Y, U, V


@dataclass(frozen=True)
class Encoded:
    """Pictures in a row, and what they cost."""

    units: list[bytes]
    milliseconds: float  # of CPU per picture, of all threads

    @property
    def bitrate(self) -> float:
        """In bit/s."""
        return 8 * sum(map(len, self.units)) / len(self.units) * PICTURES_PER_SECOND

    def psnr(self, pictures: list[Picture]) -> float:
        """Return the luma's PSNR against what was encoded, in dB."""
        decoder, wrong = Decoder(), []
        for unit, (luma, *_) in zip(self.units, pictures, strict=True):
            frame = decoder.decode(unit)
            assert frame is not None
            shown = frame.to_ndarray(format="yuv420p")[: luma.shape[0]]
            wrong.append(np.mean((shown.astype(np.float32) - luma) ** 2))
        return float(10 * np.log10(255**2 / np.mean(wrong)))


def painted(
    world: str, prompt: str, count: int, size: tuple[int, int] = LANDSCAPE
) -> list[Picture]:
    """Return the first pictures of a world."""
    width, height = size
    painter = find_world(world)(width=width, height=height, prompt=prompt, seed=1, image=None)
    canvas = Encoder(width, height, rate=PICTURES_PER_SECOND).planes
    made = []
    for step in range(count):
        painter.paint(Planes(*canvas), step=step, time=step / PICTURES_PER_SECOND)
        made.append(tuple(plane.copy() for plane in canvas))
    return made


def ours(pictures: list[Picture], bitrate: int = BITRATE) -> Encoded:
    """Encode as a streamer does, with a keyframe every second."""
    height, width = pictures[0][0].shape
    encoder = Encoder(width, height, rate=PICTURES_PER_SECOND, bitrate=bitrate)

    def encode(picture: Picture, step: int) -> Callable[[], bytes]:
        for plane, painted in zip(encoder.planes, picture, strict=True):
            plane[:] = painted
        key = step % PICTURES_PER_SECOND == 0
        return lambda: encoder.encode(_timestamp(step), key=key)

    return _encoded(pictures, encode)


def cost_alone(world: str, prompt: str, size: tuple[int, int] = LANDSCAPE) -> float:
    """Return what our encoder takes for a picture of a world, in milliseconds of CPU."""
    return ours(painted(world, prompt, 3 * PICTURES_PER_SECOND, size)).milliseconds


def theirs(pictures: list[Picture], bitrate: int) -> Encoded:
    """Encode as aiortc does when a track hands it pictures."""
    encoder = H264Encoder()
    encoder.target_bitrate = bitrate

    def encode(picture: Picture, step: int) -> Callable[[], bytes]:
        rows = np.concatenate([plane.ravel() for plane in picture]).reshape(-1, picture[0].shape[1])
        frame = av.VideoFrame.from_ndarray(rows, format="yuv420p")
        frame.pts, frame.time_base = _timestamp(step), Fraction(1, CLOCK_RATE)
        return lambda: b"".join(START + unit for unit in encoder._encode_frame(frame, False))

    return _encoded(pictures, encode)


def at_the_bitrate_of(other: Encoded, pictures: list[Picture]) -> Encoded:
    """Encode as we do for as many bits as `other` took, within 2 % if that can be had."""
    bitrate, best = other.bitrate, None
    for _ in range(4):
        made = ours(pictures, round(bitrate))
        off = abs(made.bitrate - other.bitrate)
        if best is None or off < abs(best.bitrate - other.bitrate):
            best = made
        if off < 0.02 * other.bitrate:
            break
        bitrate *= other.bitrate / made.bitrate
    assert best is not None
    return best


def _timestamp(step: int) -> int:
    return step * CLOCK_RATE // PICTURES_PER_SECOND


def _encoded(
    pictures: list[Picture], prepare: Callable[[Picture, int], Callable[[], bytes]]
) -> Encoded:
    units, spent = [], 0.0
    for step, picture in enumerate(pictures):
        encode = prepare(picture, step)
        began = process_time()
        units.append(encode())
        spent += process_time() - began
    return Encoded(units, 1000 * spent / len(pictures))
