"""A clip: its pictures as arrays, and as a file that holds them as they were streamed."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from odyssey_nb.errors import UsageError
from odyssey_nb.media.clip import Clip
from odyssey_nb.media.h264 import Decoder
from odyssey_nb.wire.link import Picture
from tests.media.colours import BEGAN, COLOURS, COUNT, HEIGHT, RATE, WIDTH, coloured


@pytest.fixture(scope="module")
def pictures() -> list[Picture]:
    """Pictures of one colour each, in turn; every tenth a keyframe, one of them late."""
    return coloured()


def annex_b(data: bytes) -> list[bytes]:
    """Return the units of an access unit with start codes."""
    return [each.rstrip(b"\x00") for each in data.split(b"\x00\x00\x01")[1:]]


def with_lengths(data: bytes) -> Iterator[bytes]:
    """Yield the units of an access unit in which each has its length in front, as in an MP4."""
    while data:
        (length,) = struct.unpack_from(">I", data)
        yield data[4 : 4 + length].rstrip(b"\x00")
        data = data[4 + length :]


def test_frames(pictures):
    """The frames are all pictures in order, as RGB bytes."""
    frames = Clip(pictures).frames
    assert frames.shape == (COUNT, HEIGHT, WIDTH, 3)
    assert frames.dtype == np.uint8
    for step, frame in enumerate(frames):
        assert frame.mean(axis=(0, 1)) == pytest.approx(COLOURS[step % 3][1], abs=6)


def test_frames_that_have_no_room(pictures):
    """A clip of hours would cost the kernel its life; it is refused before it is decoded."""
    with pytest.raises(UsageError, match=r"GB, and .* GB are free") as caught:
        _ = Clip(pictures * 2_000_000).frames
    assert "chunks" in caught.value.hint


def test_times(pictures):
    """Times are those of the stream; the duration is from the first to the last."""
    clip = Clip(pictures)
    assert len(clip) == COUNT
    assert clip.times == tuple(each.time for each in pictures)
    assert clip.duration == pytest.approx((COUNT - 1) / RATE)
    assert repr(clip) == "<Clip of 25 pictures, 1.2 s>"


def test_empty_clip(tmp_path):
    """A clip of nothing has no frames and no time, and cannot be saved."""
    clip = Clip([])
    assert (len(clip), clip.times, clip.duration) == (0, (), 0.0)
    assert clip.frames.shape == (0, 0, 0, 3)
    assert clip.frames.dtype == np.uint8
    assert (clip.prompts, clip.segments, clip.events) == ((), [], [])
    with pytest.raises(UsageError, match="empty"):
        clip.save(tmp_path / "clip.mp4")
    with pytest.raises(UsageError, match="nothing"):
        clip.at(0)
    assert not (tmp_path / "clip.mp4").exists()


@pytest.mark.parametrize("name", ["clip.avi", "clip.mp4.txt"])
def test_no_such_format(pictures, tmp_path, name):
    """A name with another suffix is refused before anything is written."""
    with pytest.raises(UsageError, match=r"\.mp4, \.gif, \.webp or a folder"):
        Clip(pictures).save(tmp_path / name)
    assert not (tmp_path / name).exists()


def test_clip_does_not_change(pictures):
    """A clip keeps what it was made of, whatever becomes of the list."""
    given = list(pictures)
    clip = Clip(given)
    given.clear()
    assert len(clip) == COUNT


@pytest.fixture
def saved(pictures, tmp_path) -> Path:
    """The clip as a file."""
    path = Clip(pictures).save(str(tmp_path / "clip.MP4"))
    assert path == tmp_path / "clip.MP4"
    return path


def test_saved_without_encoding_again(saved, pictures):
    """The file has the same access units, to the byte, the same keyframes and the same times."""
    with av.open(str(saved)) as file:
        stream = file.streams.video[0]
        packets = [packet for packet in file.demux(stream) if packet.size]
        assert len(file.streams) == 1
        assert file.duration / av.time_base == pytest.approx(COUNT / RATE, abs=0.001)
        assert stream.time_base == Fraction(1, 90_000)
        for packet, picture in zip(packets, pictures, strict=True):
            assert list(with_lengths(bytes(packet))) == annex_b(picture.data)
            assert packet.is_keyframe is picture.key
            assert packet.pts == packet.dts == round((picture.time - BEGAN) * 90_000)


def test_saved_header_is_the_streams(saved, pictures):
    """Players that take the parameter sets from the header find those of the pictures there."""
    with av.open(str(saved)) as file:
        context = file.streams.video[0].codec_context
        header = bytes(context.extradata)
        assert (context.width, context.height) == (WIDTH, HEIGHT)
    sps, pps = annex_b(pictures[0].data)[:2]
    assert (sps[0] & 0x1F, pps[0] & 0x1F) == (7, 8)
    assert header[1:4] == sps[1:4]  # profile, constraints and level
    assert sps in header
    assert pps in header


def test_saved_can_be_watched(saved, pictures):
    """The file decodes to what the clip's frames show."""
    with av.open(str(saved)) as file:
        frames = [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
    assert np.array_equal(np.stack(frames), Clip(pictures).frames)


def test_single_picture(pictures, tmp_path):
    """One keyframe makes a clip and a file."""
    clip = Clip(pictures[:1])
    assert clip.frames.shape[0] == 1
    with av.open(str(clip.save(tmp_path / "one.mp4"))) as file:
        (frame,) = file.decode(video=0)
    expected = Decoder().decode(pictures[0].data)
    assert np.array_equal(frame.to_ndarray(), expected.to_ndarray())


def test_save_overwrites(pictures, tmp_path):
    """Running the cell again replaces the file."""
    path = tmp_path / "clip.mp4"
    Clip(pictures).save(path)
    whole = path.stat().st_size
    Clip(pictures[:10]).save(path)
    assert path.stat().st_size < whole
