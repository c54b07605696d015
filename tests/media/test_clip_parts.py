"""A clip in parts, in other sizes and forms, and as files that other libraries read."""

from __future__ import annotations

import json
import sys

import av
import numpy as np
import pytest
import xarray as xr
from PIL import Image

import odyssey_nb as ody
from odyssey_nb.errors import UsageError
from odyssey_nb.media.clip import Clip
from odyssey_nb.media.filmstrip import LARGEST, page, strip
from odyssey_nb.media.reading import read
from odyssey_nb.wire.link import Happening
from tests.media.colours import BEGAN, COLOURS, COUNT, RATE, coloured


def happening(step: int, kind: str, text: str) -> Happening:
    """Something that happened while picture `step` was shown."""
    return Happening(stream=2, time=round(BEGAN + step / RATE, 3), kind=kind, text=text)


@pytest.fixture(scope="module")
def clip() -> Clip:
    """A clip from the middle of a stream: one prompt from before it, two within, and a mark."""
    return Clip(
        coloured(),
        [
            Happening(stream=2, time=1.0, kind="start", text="a quiet sea"),
            happening(8, "interact", "heavy snow"),
            happening(11, "mark", "odd!"),
            happening(15, "interact", "night falls"),
        ],
    )


def shown(frames: np.ndarray) -> list[int]:
    """Which of `COLOURS` each picture has."""
    levels = np.array([rgb for _, rgb in COLOURS])
    means = np.asarray(frames).mean(axis=(1, 2))
    return [int(np.abs(levels - mean).sum(axis=1).argmin()) for mean in means]


TURN = [step % len(COLOURS) for step in range(COUNT)]


def test_segments(clip):
    """A clip is cut where a prompt was applied, and knows the one before it."""
    assert clip.prompts == ("a quiet sea", "heavy snow", "night falls")
    assert [len(each) for each in clip.segments] == [8, 7, 10]
    assert shown(np.concatenate([each.frames for each in clip.segments])) == TURN
    snow = clip["SNOW"]
    assert snow.prompts == ("heavy snow",)
    assert [each["type"] for each in snow.events] == ["interact", "mark"]
    assert [each["type"] for each in clip.events] == ["interact", "mark", "interact"]
    with pytest.raises(UsageError, match="no prompt of this clip has 'rain'") as caught:
        clip["rain"]
    assert "heavy snow" in caught.value.hint


def test_cut_by_times(clip):
    """Times are those of the stream, negative ones count from the end, and cuts are exact."""
    part = clip[BEGAN + 3 / RATE : BEGAN + 12 / RATE]
    assert shown(part.frames) == TURN[3:12]
    assert part.times == clip.times[3:12]
    assert part.prompts == ("a quiet sea", "heavy snow")
    assert shown(part[-0.2:].frames) == TURN[7:12]
    assert shown(clip[: BEGAN + 0.1].frames) == TURN[:2]
    assert len(clip[100.0:]) == 0
    assert shown([clip.at(BEGAN + 0.42), clip.at(-0.03), part.at(clip.events[0]["time"])]) == [
        TURN[8], TURN[23], TURN[8],
    ]  # fmt: skip
    with pytest.raises(UsageError, match=r"the clip has 3\.5 to 4\.7 s, not 0 s"):
        clip.at(0)
    for nonsense in (clip.__getitem__, lambda n: clip[0:1:n]):
        with pytest.raises(UsageError, match="cut by times"):
            nonsense(1)


def test_pieces_and_sizes(clip):
    """Chunks are all pictures, some at a time; another size is even and keeps the shape."""
    chunks = list(clip.chunks(10))
    assert [len(each) for each in chunks] == [10, 10, 5]
    assert np.array_equal(np.concatenate(chunks), clip.frames)
    small = clip.resize(33)
    assert small.frames.shape == (COUNT, 24, 32, 3)
    assert clip.resize(height=48).size == (64, 48)
    assert shown(small[BEGAN + 0.5 :].frames) == TURN[10:]
    assert np.asarray(small).shape == small.frames.shape
    assert sum(1 for _ in small) == COUNT
    for wrong in (lambda: next(clip.chunks(0)), clip.resize):
        with pytest.raises(UsageError):
            wrong()


def test_xarray(clip):
    """Each picture has its time, segment and prompt as coordinates."""
    data = clip.to_xarray()
    assert isinstance(data, xr.DataArray)
    assert data.dims == ("time", "y", "x", "channel")
    assert data.dtype == np.uint8
    assert np.array_equal(data.values, clip.frames)
    snow = data.where(data.prompt == "heavy snow", drop=True)
    assert snow.time.values.tolist() == list(clip.times[8:15])
    assert data.groupby("segment").mean(...).sizes == {"segment": 3}


@pytest.mark.parametrize("name", ["torch", "xarray"])
def test_what_is_missing_is_named(clip, monkeypatch, name):
    """Without the library the error is one line with what to install."""
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UsageError, match=f"needs {name}") as caught:
        getattr(clip, f"to_{name}")()
    assert f"odyssey-nb[{name}]" in caught.value.hint


def test_a_cut_is_saved_without_encoding_again(clip, tmp_path):
    """Players show exactly the cut; the pictures that only decode it are hidden by an edit list."""
    part = clip[BEGAN + 3 / RATE : BEGAN + 12 / RATE]
    path = part.save(tmp_path / "part.mp4")
    with av.open(str(path)) as file:
        frames = [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
        rate = file.streams.video[0].time_base
    assert np.array_equal(np.stack(frames), part.frames)
    with av.open(str(path)) as file:
        assert [float(frame.pts * rate) for frame in file.decode(video=0)] == pytest.approx(
            [time - part.times[0] for time in part.times], abs=1e-4
        )
        assert file.streams.video[0].frames == 12, "three of them hidden"
    again = ody.clip(path)
    assert again.times == pytest.approx(part.times, abs=1e-4)
    assert (again.prompts, again.events) == (part.prompts, part.events)
    assert np.array_equal(again.frames, part.frames)
    assert shown(again[-0.2:].frames) == TURN[7:12]


def test_a_resized_clip_is_encoded(clip, tmp_path):
    """The file has the new size, and looks like the clip."""
    path = clip.resize(64)[BEGAN + 0.15 :].save(tmp_path / "small.mp4")
    with av.open(str(path)) as file:
        frames = np.stack([frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)])
    assert frames.shape == (COUNT - 3, 48, 64, 3)
    assert shown(frames) == TURN[3:]


@pytest.mark.parametrize("suffix", ["gif", "webp"])
def test_animations(clip, tmp_path, suffix):
    """Pillow reads the same pictures with the same times, and they repeat."""
    path = clip.resize(64).save(tmp_path / f"clip.{suffix}")
    with Image.open(path) as file:
        assert (file.size, file.n_frames, file.info["loop"]) == ((64, 48), COUNT, 0)
        frames, waits = [], []
        for number in range(file.n_frames):
            file.seek(number)
            frames.append(np.asarray(file.convert("RGB")))
            waits.append(file.info["duration"])
    assert shown(frames) == TURN
    assert sum(waits) == pytest.approx(1000 * COUNT / RATE, abs=30)


def test_a_folder(clip, tmp_path):
    """Pictures lose nothing, and what happened is beside them; saving again leaves no old ones."""
    clip.save(tmp_path / "out")
    part = clip["snow"]
    folder = part.save(tmp_path / "out")
    files = sorted(folder.glob("*.png"))
    assert [each.name for each in files] == [f"{n:05}.png" for n in range(len(part))]
    assert np.array_equal(np.stack([np.asarray(Image.open(each)) for each in files]), part.frames)
    notes = json.loads((folder / "clip.json").read_text())
    assert tuple(notes["times"]) == part.times
    assert notes["events"] == part.events


def test_a_strangers_video(clip, tmp_path):
    """Pictures that come in another order than they are shown are encoded once more."""
    path = tmp_path / "stranger.mp4"
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=RATE, options={"bf": "2", "g": "12"})
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        for picture in clip:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        file.mux(stream.encode(None))
    again = read(path.read_bytes(), [{"time": 0.5, "type": "interact", "applied_prompt": "snow"}])
    assert shown(again.frames) == TURN
    assert again.times == pytest.approx([n / RATE for n in range(COUNT)], abs=1e-3)
    assert again.prompts == ("", "snow")


def test_what_is_no_video(tmp_path):
    """A file that is none, or is not there, is told in one line."""
    (tmp_path / "notes.mp4").write_text("no video")
    for name in ("notes.mp4", "missing.mp4"):
        with pytest.raises(UsageError, match=f"no video can be read from .*{name}"):
            ody.clip(tmp_path / name)


def test_a_grid_has_one_playhead(clip, tmp_path):
    """Clips stand side by side from their beginnings; the shorter one waits at its end."""
    short = clip[BEGAN + 3 / RATE : BEGAN + 12 / RATE]
    grid = ody.grid({"whole": clip, "short": short}, width=260)
    assert grid.size == (260, 124)
    path = grid.save(tmp_path / "grid.mp4")
    with av.open(str(path)) as file:
        frames = np.stack([frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)])
    left, right = (shown(frames[:, 40:, at : at + 108]) for at in (10, 142))
    late = 7  # comes 13 ms late, so the one before it is still there
    assert left == [*TURN[:late], TURN[late - 1], *TURN[late + 1 :]]
    assert right[9:] == [TURN[11]] * (COUNT - 9)
    assert frames[:, 4:24, 6:60].max() > 180, "a caption"
    assert [each["text"] for each in grid.events if "odd" in each["text"]] == [
        "short: odd!", "whole: odd!",
    ]  # fmt: skip
    assert grid.prompts == ("",)
    assert ody.grid([clip, clip, clip], labels=["", "", ""], columns=3, width=392).size == (392, 96)
    for wrong in ([], [clip, Clip([])]):
        with pytest.raises(UsageError, match="clips with pictures"):
            ody.grid(wrong)
    with pytest.raises(UsageError, match="1 labels for 2"):
        ody.grid([clip, clip], labels=["a"])
    with pytest.raises(UsageError, match="pixels"):
        ody.grid([clip] * 100, columns=10, width=9000)


def test_what_a_saved_notebook_keeps(clip):
    """A filmstrip with prompts and marks as words, small, and safe with any prompt."""
    film = strip(clip)
    html = page(Clip(coloured(), [happening(3, "interact", "<script>")]))
    assert film[:2] == b"\xff\xd8"
    assert len(film) <= LARGEST
    assert "data:image/jpeg" in html
    assert "&lt;script&gt;" in html
    assert "<script" not in html
    assert "⚑" in page(clip)
    assert "0 pictures" in Clip([])._repr_html_()
