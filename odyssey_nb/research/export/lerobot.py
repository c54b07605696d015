"""LeRobot's data set layout, version 3.0: parquet for what happened, MP4 for what was seen."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from odyssey_nb.errors import UsageError
from odyssey_nb.media.clip import extra
from odyssey_nb.media.h264 import CLOCK_RATE
from odyssey_nb.media.video import VideoWriter
from odyssey_nb.research.export.samples import gather, told, whole

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import ModuleType

    from numpy.typing import NDArray

    from odyssey_nb.media.clip import Clip

CAMERA = "observation.images.world"
CHUNK = 1000  # files in a folder
DATA = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
VIDEO = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
EPISODES = "meta/episodes/chunk-000/file-000.parquet"
OURS = "meta/odyssey.jsonl"  # what the layout has no place for: events, and times as they were
SMALL = 160  # columns of the pictures of which statistics are made
NUMBERS = {  # a number of each picture, and how it is kept
    "action": "float32",
    "timestamp": "float32",
    "frame_index": "int64",
    "episode_index": "int64",
    "index": "int64",
    "task_index": "int64",
}


def lerobot(clips: Clip | Iterable[Clip], folder: str | Path) -> Path:
    """Write clips as a data set in LeRobot's v3.0 layout, and return its folder.

    Each clip is an episode. Its pictures are the video `observation.images.world`, the prompt that
    was applied is the task of each picture, and `action` is 1 where a prompt was applied and else
    0. The layout knows one rate and no gaps, so pictures are numbered at the rate that the clips
    have; when they were shown is in ``meta/odyssey.jsonl``, with all events.

    >>> export.lerobot(clips, "forests")
    >>> LeRobotDataset("me/forests", root="forests")  # in their library

    Args:
        clips: One or several, of one size and rate.
        folder: Is made; one that was written so is replaced, others are left alone.

    Raises:
        UsageError: pyarrow is not installed, the clips do not fit together, or `folder` is taken.
    """
    from tqdm.auto import tqdm

    parquet = extra("pyarrow.parquet", of="export")
    found, folder = gather(clips), Path(folder)
    fps = _rate(found)
    (width, height), *others = dict.fromkeys(each.size for each in found)
    if others:
        raise UsageError(
            f"the clips are {width} x {height} and {others[0][0]} x {others[0][1]} pixels",
            hint="Scale them alike: [each.resize(640, 352) for each in clips].",
        )
    taken = folder.exists() and (not folder.is_dir() or any(folder.iterdir()))
    if taken and not (folder / OURS).is_file():
        raise UsageError(
            f"{str(folder)!r} has something else in it", hint="Name a folder that is not there."
        )
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        writer = _Writer(part, parquet, fps)
        for each in tqdm(found, desc="export", unit="clip", leave=False, disable=len(found) < 2):
            writer.add(each)
        writer.close((width, height))
        shutil.rmtree(folder, ignore_errors=True)
        part.replace(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder


class _Writer:
    """Writes episode after episode; `close` writes what is known of all."""

    def __init__(self, folder: Path, parquet: ModuleType, fps: int) -> None:
        self._folder, self._parquet, self._fps = folder, parquet, fps
        self._tasks: dict[str, int] = {}
        self._rows: list[Any] = []
        self._episodes: list[dict[str, Any]] = []
        self._notes: list[str] = []
        self._pictures = 0

    def add(self, clip: Clip) -> None:
        """Add an episode."""
        import pyarrow as pa

        number, length = len(self._episodes), len(clip)
        place = {"chunk_index": number // CHUNK, "file_index": number % CHUNK}
        self._write_video(whole(clip), self._folder / VIDEO.format(video_key=CAMERA, **place))
        columns = self._columns(clip, number)
        self._rows.append(pa.table({name: pa.array(each) for name, each in columns.items()}))
        stats = {name: _numbers(each) for name, each in columns.items()} | {CAMERA: _colours(clip)}
        self._episodes.append(
            {
                "episode_index": number,
                "tasks": list(dict.fromkeys(clip.prompts)),
                "length": length,
                "data/chunk_index": 0,
                "data/file_index": 0,
                "dataset_from_index": self._pictures,
                "dataset_to_index": self._pictures + length,
                f"videos/{CAMERA}/chunk_index": place["chunk_index"],
                f"videos/{CAMERA}/file_index": place["file_index"],
                f"videos/{CAMERA}/from_timestamp": 0.0,
                f"videos/{CAMERA}/to_timestamp": length / self._fps,
                "meta/episodes/chunk_index": 0,
                "meta/episodes/file_index": 0,
            }
            | {
                f"stats/{name}/{kind}": v
                for name, each in stats.items()
                for kind, v in each.items()
            }
        )
        self._notes.append(json.dumps({"episode_index": number, **told(clip)}))
        self._pictures += length

    def _columns(self, clip: Clip, number: int) -> dict[str, NDArray[Any]]:
        frames = np.arange(len(clip))
        tasks = [
            self._tasks.setdefault(prompt, len(self._tasks))
            for prompt, segment in zip(clip.prompts, clip.segments, strict=True)
            for _ in range(len(segment))
        ]
        said = [each["time"] for each in clip.events if each["type"] == "interact"]
        shown = np.searchsorted(np.asarray(clip.times), np.asarray(said) + 0.001, side="right") - 1
        values = {
            "action": np.isin(frames, shown),
            "timestamp": frames / self._fps,
            "frame_index": frames,
            "episode_index": np.full(len(clip), number),
            "index": frames + self._pictures,
            "task_index": np.asarray(tasks),
        }
        return {name: values[name].astype(kind) for name, kind in NUMBERS.items()}

    def _write_video(self, clip: Clip, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        pictures = clip.encoded()
        with VideoWriter.open(path, pictures[0].data) as video:
            for number, each in enumerate(pictures):
                video.write(each.data, round(number * CLOCK_RATE / self._fps), key=each.key)

    def close(self, size: tuple[int, int]) -> None:
        """Write rows, tasks, episodes, statistics, and what is where."""
        import pyarrow as pa

        data = self._folder / DATA.format(chunk_index=0, file_index=0)
        data.parent.mkdir(parents=True)
        with self._parquet.ParquetWriter(data, self._rows[0].schema) as file:
            for rows in self._rows:  # an episode is a row group, as readers seek by them
                file.write_table(rows)
        episodes = self._folder / EPISODES
        episodes.parent.mkdir(parents=True)
        self._parquet.write_table(pa.Table.from_pylist(self._episodes), episodes)
        self._parquet.write_table(_tasks(list(self._tasks)), self._folder / "meta/tasks.parquet")
        for name, made in (("info", self._info(size)), ("stats", self._stats())):
            path = self._folder / f"meta/{name}.json"
            path.write_text(json.dumps(made, indent=4, ensure_ascii=False), encoding="utf-8")
        (self._folder / OURS).write_text("\n".join([*self._notes, ""]), encoding="utf-8")

    def _info(self, size: tuple[int, int]) -> dict[str, Any]:
        width, height = size
        video = {
            "video.height": height, "video.width": width, "video.codec": "h264",
            "video.pix_fmt": "yuv420p", "video.is_depth_map": False, "video.fps": self._fps,
            "video.channels": 3, "has_audio": False,
        }  # fmt: skip
        camera = {
            "dtype": "video", "shape": [height, width, 3],
            "names": ["height", "width", "channels"], "info": video,
        }  # fmt: skip
        names = {"action": ["prompt"]}
        return {
            "codebase_version": "v3.0",
            "robot_type": None,
            "total_episodes": len(self._episodes),
            "total_frames": self._pictures,
            "total_tasks": len(self._tasks),
            "chunks_size": CHUNK,
            "data_files_size_in_mb": 100,
            "video_files_size_in_mb": 200,
            "fps": self._fps,
            "splits": {"train": f"0:{len(self._episodes)}"},
            "data_path": DATA,
            "video_path": VIDEO,
            "features": {CAMERA: camera}
            | {
                name: {"dtype": kind, "shape": [1], "names": names.get(name)}
                for name, kind in NUMBERS.items()
            },
        }

    def _stats(self) -> dict[str, dict[str, Any]]:
        """Return the statistics of all episodes together."""
        made = {}
        for name in (CAMERA, *NUMBERS):
            each = {
                kind: np.array([episode[f"stats/{name}/{kind}"] for episode in self._episodes])
                for kind in ("min", "max", "mean", "std", "count")
            }
            share = (each["count"] / each["count"].sum()).reshape(
                -1, *[1] * (each["mean"].ndim - 1)
            )
            mean = (share * each["mean"]).sum(axis=0)
            spread = (share * (each["std"] ** 2 + (each["mean"] - mean) ** 2)).sum(axis=0)
            made[name] = {
                "min": each["min"].min(axis=0).tolist(),
                "max": each["max"].max(axis=0).tolist(),
                "mean": mean.tolist(),
                "std": np.sqrt(spread).tolist(),
                "count": [int(each["count"].sum())],
            }
        return made


def _numbers(values: NDArray[Any]) -> dict[str, list[Any]]:
    return {
        "min": [values.min().item()],
        "max": [values.max().item()],
        "mean": [float(values.mean())],
        "std": [float(values.std())],
        "count": [len(values)],
    }


def _colours(clip: Clip) -> dict[str, list[Any]]:
    """Return the statistics of red, green and blue, from 0 to 1, of all pictures made small."""
    small = clip.resize(min(SMALL, clip.size[0]))
    sums, squares = np.zeros(3), np.zeros(3)
    least, most, pixels = np.full(3, np.inf), np.zeros(3), 0
    for picture in small:
        values = picture.reshape(-1, 3) / 255
        sums, squares = sums + values.sum(axis=0), squares + (values**2).sum(axis=0)
        least, most = np.minimum(least, values.min(axis=0)), np.maximum(most, values.max(axis=0))
        pixels += len(values)
    mean = sums / pixels
    found = {
        "min": least, "max": most, "mean": mean,
        "std": np.sqrt(np.maximum(squares / pixels - mean**2, 0)),
    }  # fmt: skip
    made: dict[str, list[Any]]
    made = {kind: each.reshape(3, 1, 1).tolist() for kind, each in found.items()}
    return made | {"count": [len(clip)]}


def _tasks(prompts: list[str]) -> Any:  # noqa: ANN401 - a table of pyarrow
    """Return the tasks as pandas writes them: the prompt is the index, which readers look up."""
    import pyarrow as pa

    def column(name: str, kind: str, stored: str) -> dict[str, Any]:
        return {
            "name": name, "field_name": name, "pandas_type": kind, "numpy_type": stored,
            "metadata": None,
        }  # fmt: skip

    pandas = {
        "index_columns": ["task"],
        "column_indexes": [],
        "columns": [column("task_index", "int64", "int64"), column("task", "unicode", "object")],
        "creator": {"library": "pyarrow", "version": pa.__version__},
        "pandas_version": "2.2.0",
    }
    table = pa.table({"task_index": pa.array(range(len(prompts)), pa.int64()), "task": prompts})
    return table.replace_schema_metadata({"pandas": json.dumps(pandas)})


def _rate(clips: list[Clip]) -> int:
    """Return how many pictures per second the clips have, apart from gaps.

    Raises:
        UsageError: They have different rates, or a single picture each.
    """
    gaps = [float(np.median(np.diff(each.times))) for each in clips if len(each) > 1]
    rates = {round(1 / gap) for gap in gaps if gap > 0}
    if len(rates) != 1:
        told = " and ".join(map(str, sorted(rates))) or "unknown"
        raise UsageError(
            f"the clips have {told} pictures per second, and a data set has one rate",
            hint="Write a data set for each rate.",
        )
    return rates.pop()
