"""Clips as files: MP4 as it was streamed, GIF and WebP that play by themselves, folders of PNG."""

from __future__ import annotations

import json
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from odyssey_nb.errors import UsageError
from odyssey_nb.media.h264 import BITRATE, CLOCK_RATE, Encoder
from odyssey_nb.media.pixels import Pixels, image
from odyssey_nb.media.video import VideoWriter
from odyssey_nb.wire.link import Picture
from odyssey_nb.wire.stream import LANDSCAPE, PICTURES_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import av
    from PIL import Image

    from odyssey_nb.media.clip import Clip


def save(clip: Clip, path: Path) -> Path:
    """Write `clip` in the format that the suffix of `path` names: `Clip.save`."""
    write = _FORMATS.get(path.suffix.lower())
    if write is None:
        raise UsageError(
            f"a clip is saved as .mp4, .gif, .webp or a folder, not {path.suffix!r}",
            hint='Write clip.save("clip.mp4").',
        )
    if len(clip) == 0:
        raise UsageError("the clip is empty", hint="Wait until pictures have come.")
    write(clip, path)
    return path


def mp4(clip: Clip) -> bytes:
    """Return the MP4 of `clip`."""
    with tempfile.TemporaryDirectory(prefix="odyssey-") as folder:
        return save(clip, Path(folder, "clip.mp4")).read_bytes()


def told(clip: Clip) -> dict[str, Any]:
    """Return what belongs to the pictures, as JSON has it."""
    return {"began": clip.times[0], "prompt": clip.prompts[0], "events": clip.events}


def recoded(clip: Clip) -> list[Picture]:
    """Return the pictures of `clip`, encoded anew in its size."""
    return encode(zip(clip.decoded(), clip.times, strict=True), size=clip.size)


def encode(
    frames: Iterable[tuple[av.VideoFrame, float]], *, size: tuple[int, int] | None = None
) -> list[Picture]:
    """Return decoded pictures with their times, in seconds, encoded as streams are.

    Args:
        frames: The pictures and when each is shown, growing.
        size: Width and height to scale them to; None keeps those of the first.
    """
    encoder: Encoder | None = None
    pixels, made = Pixels(), list[Picture]()
    for number, (frame, time) in enumerate(frames):
        size = size or (frame.width // 2 * 2, frame.height // 2 * 2)
        if encoder is None:
            encoder = encoder_of(*size)
        for plane, part in zip(
            encoder.planes, split(pixels.array(frame, "yuv", size=size), *size), strict=True
        ):
            plane[:] = part
        key = number % PICTURES_PER_SECOND == 0
        data = encoder.encode(round(time * CLOCK_RATE), key=key)
        made.append(picture(number, time, data, key=key))
    return made


def encoder_of(width: int, height: int) -> Encoder:
    """Return an encoder whose pictures of this size look as good as streamed ones."""
    area = width * height / (LANDSCAPE[0] * LANDSCAPE[1])
    bitrate = max(200_000, int(BITRATE * area**0.75))
    return Encoder(width, height, rate=PICTURES_PER_SECOND, bitrate=bitrate)


def picture(number: int, time: float, data: bytes, *, key: bool) -> Picture:
    """Return a picture of no stream, the `number`th from 0."""
    return Picture(
        connection="", stream=0, seq=number + 1, follows=0 if key else number, time=time,
        received=time, data=data,
    )  # fmt: skip


def split(rows: Any, width: int, height: int) -> tuple[Any, Any, Any]:  # noqa: ANN401 - an array
    """Return Y, U and V of a picture in I420."""
    half = height * width // 4
    chroma = rows[height:].reshape(-1)
    small = height // 2, width // 2
    return rows[:height], chroma[:half].reshape(small), chroma[half:].reshape(small)


def _save_mp4(clip: Clip, path: Path) -> None:
    pictures, began = clip.encoded(), clip.times[0]
    notes = {"comment": json.dumps(told(clip))}
    with VideoWriter.open(path, pictures[0].data, notes=notes) as video:
        for each in pictures:
            # Those before 0 are for the decoder: the file's edit list hides them from viewers.
            video.write(each.data, round((each.time - began) * CLOCK_RATE), key=each.key)


def _save_animation(clip: Clip, path: Path) -> None:
    """Write what PIL animates: each picture for as long as it was shown."""
    images: list[Image.Image] = [image(each) for each in clip]
    gaps = [round(1000 * (later - time)) for time, later in pairwise(clip.times)]
    usual = gaps[-1] if gaps else 1000 // PICTURES_PER_SECOND
    more: dict[str, Any] = {"quality": 80, "method": 2} if path.suffix.lower() == ".webp" else {}
    images[0].save(
        path, save_all=True, append_images=images[1:], duration=[*gaps, usual], loop=0, **more
    )


def _save_folder(clip: Clip, path: Path) -> None:
    path.mkdir(parents=True, exist_ok=True)
    for old in path.glob("[0-9][0-9][0-9][0-9][0-9].png"):
        old.unlink()  # of a longer clip that was here before
    for number, each in enumerate(clip):
        image(each).save(path / f"{number:05}.png", compress_level=1)
    notes = told(clip) | {"times": clip.times}
    (path / "clip.json").write_text(json.dumps(notes, indent=1), encoding="utf-8")


_FORMATS: dict[str, Callable[[Clip, Path], None]] = {
    ".mp4": _save_mp4,
    ".gif": _save_animation,
    ".webp": _save_animation,
    "": _save_folder,
}
