"""Tar files as the webdataset library reads them, one sample after the other."""

from __future__ import annotations

import io
import json
import tarfile
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from odyssey_nb.errors import UsageError
from odyssey_nb.media.export import mp4
from odyssey_nb.research.export.samples import gather, told, whole

if TYPE_CHECKING:
    from collections.abc import Iterable

    from odyssey_nb.media.clip import Clip

SAMPLES = 1000  # in a shard


def webdataset(
    clips: Clip | Iterable[Clip],
    pattern: str | Path,
    *,
    segments: bool = False,
    per_shard: int = SAMPLES,
) -> list[Path]:
    """Write clips into tar files, and return them.

    Each sample has an ``.mp4``, its prompts as ``.txt``, one a line, and times, segments and events
    as ``.json``; times are those of the stream, on which the video begins at 0.

    >>> export.webdataset(clips, "forests-%06d.tar", segments=True)
    >>> webdataset.WebDataset("forests-000000.tar", shardshuffle=False)  # in their library

    Args:
        clips: One or several.
        pattern: The path of the shards, with a place for their number; older ones are replaced.
        segments: A sample is what was streamed under one prompt, not the whole clip. Most of them
            begin between two keyframes, and so are encoded once more.
        per_shard: How many samples are in one.

    Raises:
        UsageError: There are no clips, or the pattern has no place for a number.
    """
    from tqdm.auto import tqdm

    try:
        shards = [Path(str(pattern) % number) for number in (0, 1)]
    except (TypeError, ValueError):
        shards = []
    if len(set(shards)) < 2 or shards[0].suffix != ".tar" or per_shard < 1:
        raise UsageError(
            f"{str(pattern)!r} names no shards of {per_shard} samples",
            hint='Write "forests-%06d.tar", where the number of each shard goes.',
        )
    found = gather(clips)
    if segments:
        found = [each for clip in found for each in clip.segments if len(each)]
    shards[0].parent.mkdir(parents=True, exist_ok=True)
    made = list[Path]()
    with tqdm(found, desc="export", unit="clip", leave=False, disable=len(found) < 2) as bar:
        for first in range(0, len(found), per_shard):
            path = Path(str(pattern) % len(made))
            part = path.with_name(f".{path.name}.part")
            try:
                with tarfile.open(part, "w") as tar:
                    for number, clip in enumerate(found[first : first + per_shard], first):
                        _add(tar, f"{number:06}", clip)
                        bar.update()
                part.replace(path)
            finally:
                part.unlink(missing_ok=True)
            made.append(path)
    for number in count(len(made)):  # of a larger set of this name, which nobody can tell apart
        old = Path(str(pattern) % number)
        if not old.is_file():
            return made
        old.unlink()
    raise AssertionError


def _add(tar: tarfile.TarFile, key: str, clip: Clip) -> None:
    """Add a sample: files beside each other that share `key`."""
    parts = {
        "mp4": mp4(whole(clip)),
        "txt": "\n".join(clip.prompts).encode(),
        "json": json.dumps(told(clip)).encode(),
    }
    for suffix, data in parts.items():
        entry = tarfile.TarInfo(f"{key}.{suffix}")
        entry.size = len(data)
        tar.addfile(entry, io.BytesIO(data))
