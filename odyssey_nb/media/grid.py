"""Clips side by side as one clip: one playhead, one file."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from odyssey_nb.errors import UsageError
from odyssey_nb.media.clip import PROMPTS, Clip
from odyssey_nb.media.export import encoder_of, picture, split
from odyssey_nb.media.h264 import CLOCK_RATE
from odyssey_nb.media.pixels import Pixels
from odyssey_nb.wire.link import Happening
from odyssey_nb.wire.stream import PICTURES_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import av
    from numpy.typing import NDArray

    from odyssey_nb.wire.link import Picture

WIDTH = 1280  # of the whole, in pixels
CAPTION = 28  # height of the words over each tile
GAP = 4
BACKGROUND = (16, 128, 128)  # black, as Y, U and V


@dataclass(frozen=True)
class _Tile:
    """Where a clip stands in the whole."""

    clip: Clip
    label: str
    x: int
    y: int
    size: tuple[int, int]

    def frames(self) -> Iterator[tuple[av.VideoFrame, float]]:
        """Yield its pictures with the times at which the next ones take their places."""
        began = self.clip.times[0]
        ends = [*(time - began for time in self.clip.times[1:]), math.inf]
        return zip(self.clip.decoded(), ends, strict=True)


def grid(clips: Sequence[Clip], labels: Sequence[str], columns: int, width: int = WIDTH) -> Clip:
    """Return the clips side by side, each from its own beginning; a shorter one waits at its end.

    Args:
        clips: What is shown; none may be empty.
        labels: What is written over each.
        columns: How many stand beside each other.
        width: Of the whole, in pixels; as high as it must be.
    """
    from tqdm.auto import tqdm

    tiles, size = _arrange(clips, labels, columns, width)
    encoder, pixels = encoder_of(*size), Pixels()
    for plane, level in zip(encoder.planes, BACKGROUND, strict=True):
        plane[:] = level
    for tile in tiles:
        _write(encoder.planes, tile)
    playing = [(tile, frames := tile.frames(), *next(frames)) for tile in tiles]
    for tile, _, frame, _ in playing:
        _paint(encoder.planes, tile, pixels, frame)
    count = 1 + round(max(clip.duration for clip in clips) * PICTURES_PER_SECOND)
    made: list[Picture] = []
    # The bar appears only where there is something to wait for.
    for number in tqdm(range(count), desc="grid", unit=" pictures", leave=False, delay=1):
        time = number / PICTURES_PER_SECOND
        for n, (tile, frames, frame, ends) in enumerate(playing):
            changed = False
            while ends <= time + 1e-6:
                frame, ends = next(frames)
                changed = True
            if changed:
                playing[n] = tile, frames, frame, ends
                _paint(encoder.planes, tile, pixels, frame)
        key = number % PICTURES_PER_SECOND == 0
        data = encoder.encode(round(time * CLOCK_RATE), key=key)
        made.append(picture(number, time, data, key=key))
    return Clip(made, _happenings(tiles))


def _arrange(
    clips: Sequence[Clip], labels: Sequence[str], columns: int, width: int
) -> tuple[list[_Tile], tuple[int, int]]:
    """Return where each clip stands, and the size of the whole."""
    rows = -(-len(clips) // columns)
    wide = (width - GAP * (columns - 1)) // columns // 2 * 2
    high = max(round(wide * clip.size[1] / clip.size[0] / 2) * 2 for clip in clips)
    caption = CAPTION if any(labels) else 0
    tiles = []
    for number, (clip, label) in enumerate(zip(clips, labels, strict=True)):
        row, column = divmod(number, columns)
        scale = min(wide / clip.size[0], high / clip.size[1])
        size = tuple(max(2, round(each * scale / 2) * 2) for each in clip.size)
        x = column * (wide + GAP) + (wide - size[0]) // 4 * 2
        y = row * (high + caption + GAP) + caption + (high - size[1]) // 4 * 2
        tiles.append(_Tile(clip, label, x, y, (size[0], size[1])))
    whole = columns * (wide + GAP) - GAP, rows * (high + caption + GAP) - GAP
    if whole[0] * whole[1] > 2560 * 1440:
        raise UsageError(
            f"the grid would have {whole[0]} × {whole[1]} pixels",
            hint="Show fewer clips, in more columns, or make it narrower: width=960.",
        )
    return tiles, (whole[0] // 2 * 2, whole[1] // 2 * 2)


def _paint(
    planes: Sequence[NDArray[np.uint8]], tile: _Tile, pixels: Pixels, frame: av.VideoFrame
) -> None:
    """Put a picture where the tile is."""
    rows = pixels.array(frame, "yuv", size=tile.size)
    _place(planes, split(rows, *tile.size), tile.x, tile.y)


def _place(planes: Sequence[NDArray[np.uint8]], parts: Sequence[Any], x: int, y: int) -> None:
    for plane, part, by in zip(planes, parts, (1, 2, 2), strict=True):
        height, width = part.shape
        plane[y // by : y // by + height, x // by : x // by + width] = part


def _write(planes: Sequence[NDArray[np.uint8]], tile: _Tile) -> None:
    """Write the tile's label over it; one that is too long is cut."""
    from PIL import Image, ImageDraw, ImageFont

    if not tile.label:
        return
    font = ImageFont.load_default(16)
    words = tile.label
    while words and font.getlength(words) > tile.size[0] - 12:
        words = words[:-2].rstrip("…") + "…" if len(words) > 2 else ""
    drawn = Image.new("L", (tile.size[0], CAPTION), BACKGROUND[0])
    ImageDraw.Draw(drawn).text((6, 5), words, fill=235, font=font)
    gray = np.full((CAPTION // 2, tile.size[0] // 2), 128, np.uint8)
    _place(planes, (np.asarray(drawn), gray, gray), tile.x, tile.y - CAPTION)


def _happenings(tiles: Sequence[_Tile]) -> list[Happening]:
    """Return what happened in any of them, as marks; the prompt of one is not that of all."""
    found = [
        Happening(
            stream=0,
            time=each["time"] - tile.clip.times[0],
            kind="mark",
            text=f"{tile.label}: {each.get('applied_prompt') or each.get('text') or each['type']}",
        )
        for tile in tiles
        for each in tile.clip.events
        if each["type"] in PROMPTS | {"mark"}
    ]
    return sorted(found, key=lambda each: each.time)
