"""The encoder and decoder: one access unit per picture, keyframes on demand, colours as painted."""

from __future__ import annotations

import io

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from odyssey_nb.media.h264 import Decoder, Encoder, is_keyframe, unit_types

WIDTH, HEIGHT, RATE = 128, 96, 20
STEP = 90_000 // RATE
SLICE, IDR, SEI, SPS, PPS = 1, 5, 6, 7, 8


def paint(encoder: Encoder, seed: int) -> list[np.ndarray]:
    """Paint smooth gradients that differ from seed to seed, and return copies of the planes."""
    for number, plane in enumerate(encoder.planes):
        rows, columns = np.indices(plane.shape)
        plane[:] = 40 + (rows + 2 * columns + 31 * seed * (number + 1)) % 160 // 2
    return [plane.copy() for plane in encoder.planes]


def encode(flags: list[bool]) -> list[bytes]:
    """Encode a moving picture for every flag; a true one is to be a keyframe."""
    encoder = Encoder(WIDTH, HEIGHT, rate=RATE)
    units = []
    for step, key in enumerate(flags):
        paint(encoder, step)
        units.append(encoder.encode(step * STEP, key=key))
    assert encoder.encodes == len(flags)
    return units


def planes(frame: av.VideoFrame) -> list[np.ndarray]:
    """Return the three planes of a decoded picture."""
    picture = frame.to_ndarray(format="yuv420p")
    chroma = picture[frame.height :].reshape(2, frame.height // 2, frame.width // 2)
    return [picture[: frame.height], chroma[0], chroma[1]]


def patterns(length: int) -> st.SearchStrategy[list[bool]]:
    """Return a strategy for which pictures are keyframes; the first always is."""
    return st.lists(st.booleans(), max_size=length).map(lambda flags: [True, *flags])


@settings(max_examples=15, deadline=None)
@given(flags=patterns(8))
def test_one_access_unit_per_picture(flags):
    """Each picture leaves at once as one slice, with parameter sets in front if a keyframe."""
    for unit, key in zip(encode(flags), flags, strict=True):
        kinds = [kind for kind in unit_types(unit) if kind != SEI]
        assert kinds == ([SPS, PPS, IDR] if key else [SLICE])
        assert is_keyframe(unit) is key
        assert unit.startswith((b"\x00\x00\x01", b"\x00\x00\x00\x01"))


@settings(max_examples=10, deadline=None)
@given(flags=patterns(8))
def test_is_keyframe_agrees_with_ffmpeg(flags):
    """FFmpeg's parser cuts the same access units and flags the same ones as keyframes."""
    units = encode(flags)
    with av.open(io.BytesIO(b"".join(units)), format="h264") as file:
        packets = [packet for packet in file.demux(video=0) if packet.size]
        assert [bytes(packet) for packet in packets] == units
        assert [packet.is_keyframe for packet in packets] == [is_keyframe(unit) for unit in units]
    assert [is_keyframe(unit) for unit in units] == flags


def test_bitrate_changes_while_it_encodes():
    """Noise gets the bitrate of the moment, down and up again, and the same parameter sets."""
    encoder, decoder, noise = Encoder(320, 240, rate=RATE), Decoder(), np.random.default_rng(1)
    keyframes = []
    for second, bitrate in enumerate([3_000_000] * 3 + [600_000] * 4 + [3_000_000] * 4):
        encoder.bitrate = bitrate
        made = []
        for step in range(RATE):
            for plane in encoder.planes:
                plane[:] = noise.integers(16, 235, plane.shape)
            made.append(encoder.encode((second * RATE + step) * STEP, key=step == 0))
            assert decoder.decode(made[-1]) is not None
        keyframes.append(made[0])
        if second in {2, 5, 6, 9, 10}:  # before, it may spend what it has saved up
            assert sum(map(len, made)) * 8 == pytest.approx(bitrate, rel=0.25)
    assert len({parameter_sets(each) for each in keyframes}) == 1


def parameter_sets(unit: bytes) -> tuple[bytes, ...]:
    """Return the parameter sets of an access unit."""
    found = (each.rstrip(b"\x00") for each in unit.split(b"\x00\x00\x01")[1:])
    return tuple(each for each in found if each[0] & 0x1F in {SPS, PPS})


def test_keyframes_come_only_when_asked():
    """Neither time nor a change of scene makes a keyframe that nobody asked for."""
    encoder = Encoder(WIDTH, HEIGHT, rate=RATE)
    keys = []
    for step in range(300):
        encoder.planes[0][:] = 235 if step // 40 % 2 else 16
        keys.append(is_keyframe(encoder.encode(step * STEP, key=step == 0)))
    assert keys == [True] + [False] * 299


@pytest.mark.parametrize(
    ("data", "kinds", "key"),
    [
        (b"", [], False),
        (b"\x00\x00\x01", [], False),
        (b"\x00\x00\x01\x67\x42\x00\x00\x01\x68\x00\x00\x01\x65\x88", [7, 8, 5], True),
        (b"\x00\x00\x00\x01\x67\x42\x00\x00\x00\x01\x65", [7, 5], True),
        (b"\x00\x00\x01\x09\xf0\x00\x00\x01\x27\x00\x00\x01\x25", [9, 7, 5], True),
        (b"\x00\x00\x01\x65\x88", [5], False),
        (b"\x00\x00\x01\x67\x42\x00\x00\x01\x41\x9a", [7, 1], False),
        (b"\x00\x00\x01\x41\x9a\x00\x00\x01\x67\x00\x00\x01\x65", [1, 7, 5], False),
        (b"\x67\x42\x65\x88", [], False),
    ],
)  # fmt: skip
def test_units_of_a_stream(data, kinds, key):
    """Units are found behind start codes of either length; an IDR slice alone is no beginning."""
    assert list(unit_types(data)) == kinds
    assert is_keyframe(data) is key


@given(data=st.binary(max_size=60))
def test_noise_has_no_units_beyond_its_end(data):
    """Any bytes can be looked through, and the types found are those of five bits."""
    assert all(0 <= kind < 32 for kind in unit_types(data))
    assert not is_keyframe(data) or {SPS, IDR} <= set(unit_types(data))


def test_decoded_is_what_was_painted():
    """Each access unit decodes at once, to what was painted within a few levels."""
    encoder, decoder = Encoder(WIDTH, HEIGHT, rate=RATE), Decoder()
    for step in range(20):
        painted = paint(encoder, step)
        frame = decoder.decode(encoder.encode(step * STEP, key=step % 10 == 0))
        assert (frame.width, frame.height) == (WIDTH, HEIGHT)
        for ours, theirs in zip(painted, planes(frame), strict=True):
            difference = np.abs(ours.astype(int) - theirs)
            assert difference.mean() < 3
            assert np.percentile(difference, 99) < 16


def test_decoding_starts_at_any_keyframe():
    """Who begins at a later keyframe sees exactly what those see who were there from the start."""
    units = encode([step % 4 == 0 for step in range(12)])
    first, second = Decoder(), Decoder()
    from_start = [planes(first.decode(unit)) for unit in units]
    from_second = [planes(second.decode(unit)) for unit in units[4:]]
    for ours, theirs in zip(from_start[4:], from_second, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize(
    ("yuv", "rgb"),
    [
        ((16, 128, 128), (0, 0, 0)),
        ((235, 128, 128), (255, 255, 255)),
        ((126, 128, 128), (128, 128, 128)),
        ((81, 90, 240), (254, 0, 0)),
        ((145, 54, 34), (0, 255, 1)),
        ((41, 240, 110), (0, 0, 255)),
    ],
)
def test_colours_are_bt601(yuv, rgb):
    """Painted as BT.601 in limited range, tagged as such, and shown in the colour meant."""
    encoder = Encoder(WIDTH, HEIGHT, rate=RATE)
    for plane, level in zip(encoder.planes, yuv, strict=True):
        plane[:] = level
    frame = Decoder().decode(encoder.encode(0, key=True))
    assert frame.colorspace == 6  # SMPTE 170M, which is BT.601
    assert frame.color_range == 1  # limited
    shown = frame.to_ndarray(format="rgb24").reshape(-1, 3).mean(axis=0)
    assert shown == pytest.approx(rgb, abs=5)


def test_profile_is_one_that_every_peer_takes():
    """Constrained baseline at level 3.1: what SDP and browsers call 42e01f, and aiortc accepts."""
    encoder = Encoder(1280, 704, rate=RATE)
    unit = encoder.encode(0, key=True)
    at = unit.index(b"\x67") + 1
    profile, constraints, level = unit[at : at + 3]
    assert profile == 0x42
    assert constraints & 0x40  # constraint_set1: nothing of the full baseline is used
    assert level == 0x1F


def test_noise_stays_within_the_bitrate():
    """However hard a picture becomes, its next second is no more than rate and buffer allow."""
    bitrate = 400_000
    encoder = Encoder(WIDTH, HEIGHT, rate=RATE, bitrate=bitrate)
    random = np.random.default_rng(1)
    bits = []
    for step in range(4 * RATE):
        for plane in encoder.planes:
            plane[:] = random.integers(16, 236, plane.shape) if step >= 3 * RATE else 100
        bits.append(8 * len(encoder.encode(step * STEP, key=step == 0)))
    assert sum(bits[3 * RATE :]) <= 2 * bitrate


@pytest.mark.parametrize(("width", "height"), [(1280, 704), (704, 1280), (130, 98)])
def test_planes_are_the_picture(width, height):
    """The planes have the picture's shape, whatever the encoder's rows are padded to."""
    encoder = Encoder(width, height, rate=RATE)
    shapes = [plane.shape for plane in encoder.planes]
    assert shapes == [(height, width), *[(height // 2, width // 2)] * 2]
    assert all(plane.dtype == np.uint8 and plane.flags.writeable for plane in encoder.planes)
    encoder.planes[0][:] = 16
    encoder.planes[0][:, -2:] = 235
    for plane in encoder.planes[1:]:
        plane[:] = 128
    luma = planes(Decoder().decode(encoder.encode(0, key=True)))[0]
    assert luma[:, -1].mean() > 200
    assert luma[:, :-16].mean() < 30
