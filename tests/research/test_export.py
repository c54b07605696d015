"""Data sets of clips, read back by libraries that are not ours."""

from __future__ import annotations

import gc
import json
import sys
import warnings
from pathlib import Path
from typing import Any

import av
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import webdataset as wds

from odyssey_nb.errors import UsageError
from odyssey_nb.media.clip import Clip
from odyssey_nb.media.export import picture
from odyssey_nb.research import export
from odyssey_nb.wire.link import Happening
from tests.media.colours import BEGAN, COUNT, HEIGHT, RATE, WIDTH, coloured

CAMERA = "observation.images.world"


def happening(step: int, kind: str, text: str) -> Happening:
    """Something that happened while picture `step` was shown."""
    return Happening(stream=2, time=round(BEGAN + step / RATE, 3), kind=kind, text=text)


@pytest.fixture
def clip() -> Clip:
    """A clip of two prompts and a mark, from its keyframe on."""
    said = [happening(0, "start", "a sea"), happening(8, "interact", "snow")]
    return Clip(coloured(), [*said, happening(9, "mark", "odd!")])


def seen(path: Path) -> tuple[np.ndarray, list[float]]:
    """Every picture that PyAV decodes of a video, and when it is shown."""
    with av.open(str(path)) as file:
        frames = [(each.to_ndarray(format="rgb24"), each.time) for each in file.decode(video=0)]
    return np.stack([each for each, _ in frames]), [time for _, time in frames]


def samples_of(*shards: Path) -> list[dict[str, Any]]:
    """What the webdataset library finds in `shards`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # it leaves its files to the collector
        found = list(wds.WebDataset(list(map(str, shards)), shardshuffle=False).decode())
        gc.collect()
    return found


def test_lerobot(clip: Clip, tmp_path: Path) -> None:
    """Rows, tasks, episodes and videos are where version 3 has them, and fit together."""
    part = clip[BEGAN + 0.1 :]  # between two keyframes, so its video is encoded once more
    root = export.lerobot([clip, part], tmp_path / "forests")
    info = json.loads((root / "meta/info.json").read_text())
    assert (info["codebase_version"], info["fps"], info["splits"]) == ("v3.0", 20, {"train": "0:2"})
    assert info["total_frames"] == COUNT + len(part)
    assert info["features"][CAMERA]["shape"] == [HEIGHT, WIDTH, 3]

    rows = pq.read_table(root / info["data_path"].format(chunk_index=0, file_index=0))
    assert pq.ParquetFile(root / "data/chunk-000/file-000.parquet").num_row_groups == 2
    assert set(rows.column_names) == set(info["features"]) - {CAMERA}
    for name in rows.column_names:
        stored = rows.schema.field(name).type
        assert str(stored).replace("float", "float32") == info["features"][name]["dtype"] or (
            str(stored) == info["features"][name]["dtype"]
        )
    column = {name: rows[name].to_numpy() for name in rows.column_names}
    assert column["index"].tolist() == list(range(info["total_frames"]))
    assert column["frame_index"].tolist() == [*range(COUNT), *range(len(part))]
    assert column["timestamp"] == pytest.approx(column["frame_index"] / 20, abs=1e-6)
    assert np.flatnonzero(column["action"]).tolist() == [8, COUNT + 6]

    tasks = pd.read_parquet(root / "meta/tasks.parquet")
    assert tasks.index.name == "task"
    assert tasks.iloc[column["task_index"][7]].name == "a sea"
    assert tasks.iloc[column["task_index"][8]].name == "snow"
    assert tasks.loc["snow"].task_index == 1

    episodes = pq.read_table(root / "meta/episodes/chunk-000/file-000.parquet").to_pylist()
    assert [each["episode_index"] for each in episodes] == [0, 1]
    assert [each["tasks"] for each in episodes] == [["a sea", "snow"]] * 2
    for each, source in zip(episodes, (clip, part), strict=True):
        begin, end = each["dataset_from_index"], each["dataset_to_index"]
        assert end - begin == each["length"] == len(source)
        assert set(column["episode_index"][begin:end]) == {each["episode_index"]}
        place = {name: each[f"videos/{CAMERA}/{name}"] for name in ("chunk_index", "file_index")}
        pictures, times = seen(root / info["video_path"].format(video_key=CAMERA, **place))
        assert times == pytest.approx(column["timestamp"][begin:end], abs=1e-4)
        assert each[f"videos/{CAMERA}/to_timestamp"] == pytest.approx(times[-1] + 1 / 20)
        assert np.abs(pictures.astype(int) - source.frames).mean() < (1e-9 if source is clip else 8)

    stats = json.loads((root / "meta/stats.json").read_text())
    assert set(stats) == set(info["features"])
    assert np.array(stats[CAMERA]["mean"]).shape == (3, 1, 1)
    together = np.concatenate([clip.frames, part.frames])
    assert np.ravel(stats[CAMERA]["mean"]) == pytest.approx(
        together.mean(axis=(0, 1, 2)) / 255, abs=0.01
    )
    assert np.ravel(stats[CAMERA]["std"]) == pytest.approx(
        (together / 255).std(axis=(0, 1, 2)), abs=0.01
    )
    assert stats["index"]["std"] == pytest.approx([np.std(column["index"])])
    notes = [json.loads(line) for line in (root / "meta/odyssey.jsonl").read_text().splitlines()]
    assert notes[0]["times"] == list(clip.times)
    assert [each["type"] for each in notes[1]["events"]] == ["interact", "mark"]

    export.lerobot(clip.resize(64), root)  # a cell that is run again
    assert json.loads((root / "meta/info.json").read_text())["total_episodes"] == 1
    assert len(list(root.rglob("*.mp4"))) == 1
    assert not list(tmp_path.glob(".*")), "nothing is left half made"


def test_lerobot_refuses_what_does_not_fit(
    clip: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clips of several sizes or rates, taken folders and missing libraries, in one line each."""
    slow = Clip([picture(n, n / 10, each.data, key=each.key) for n, each in enumerate(coloured())])
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "thesis.txt").touch()
    calls = [
        (lambda: export.lerobot([clip, clip.resize(64)], tmp_path / "a"), "128 x 96 and 64 x 48"),
        (lambda: export.lerobot([clip, slow], tmp_path / "a"), "10 and 20 pictures per second"),
        (lambda: export.lerobot(clip, tmp_path / "taken"), "something else in it"),
        (lambda: export.lerobot([], tmp_path / "a"), "there are no clips"),
        (lambda: export.lerobot([clip, Clip([])], tmp_path / "a"), r"clips\[1\] is empty"),
        (lambda: export.lerobot([clip, 3], tmp_path / "a"), r"clips\[1\] is no clip"),  # type: ignore[list-item]
    ]
    for call, says in calls:
        with pytest.raises(UsageError, match=says) as raised:
            call()
        assert raised.value.hint
    assert (tmp_path / "taken" / "thesis.txt").exists()
    assert not (tmp_path / "a").exists()
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(UsageError, match="needs pyarrow"):
        export.lerobot(clip, tmp_path / "a")


def test_webdataset(clip: Clip, tmp_path: Path) -> None:
    """The library finds each sample with its video, prompts and events, in numbered shards."""
    pattern = tmp_path / "x-%06d.tar"
    shards = export.webdataset([clip] * 5, pattern, per_shard=2)
    assert [each.name for each in shards] == [f"x-{number:06}.tar" for number in range(3)]
    samples = samples_of(*shards)
    assert [each["__key__"] for each in samples] == [f"{number:06}" for number in range(5)]
    assert samples[0]["txt"] == "a sea\nsnow"
    assert samples[0]["json"]["times"] == list(clip.times)
    assert [each["prompt"] for each in samples[0]["json"]["segments"]] == ["a sea", "snow"]
    (tmp_path / "one.mp4").write_bytes(samples[4]["mp4"])
    assert np.array_equal(seen(tmp_path / "one.mp4")[0], clip.frames)

    shards = export.webdataset(clip, str(pattern), segments=True)
    assert sorted(tmp_path.glob("*.tar")) == shards, "those of the larger set are gone"
    samples = samples_of(*shards)
    assert [each["txt"] for each in samples] == ["a sea", "snow"]
    (tmp_path / "snow.mp4").write_bytes(samples[1]["mp4"])
    pictures, times = seen(tmp_path / "snow.mp4")
    assert times[0] == 0
    assert np.abs(pictures.astype(int) - clip["snow"].frames).mean() < 8
    for wrong in ("x.tar", "x-%06d.zip", "x-%d-%d.tar", "x-%s"):
        with pytest.raises(UsageError, match="names no shards"):
            export.webdataset(clip, wrong)
