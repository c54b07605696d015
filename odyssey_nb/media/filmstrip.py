"""What a saved notebook keeps of a clip: a strip of pictures, with prompts and marks under it."""

from __future__ import annotations

import base64
import io
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from odyssey_nb.media.clip import Clip

PICTURES = 8
HEIGHT = 88  # pixels
LARGEST = 70_000  # bytes; a third more once they are in a page
_COLOURS = ("#4c78a8", "#f58518", "#54a24b", "#b279a2", "#e45756", "#72b7b2")


def strip(clip: Clip) -> bytes:
    """Return a JPEG of pictures side by side, from the first to the last, at equal gaps."""
    from PIL import Image

    width, height = clip.size
    if not width:
        return b""
    small = clip.resize(height=HEIGHT)
    count = max(1, min(PICTURES, len(clip), PICTURES * 2 * height // width))
    gaps = max(1, count - 1)
    times = [clip.times[(len(clip) - 1) * n // gaps] for n in range(count)]
    tiles = [Image.fromarray(small.at(time)) for time in times]
    film = Image.new("RGB", (sum(each.width + 2 for each in tiles) - 2, HEIGHT))
    at = 0
    for each in tiles:
        film.paste(each, (at, 0))
        at += each.width + 2
    for quality in (80, 60, 40, 20):
        out = io.BytesIO()
        film.save(out, "JPEG", quality=quality, optimize=True)
        if out.tell() <= LARGEST:
            break
    return out.getvalue()


def page(clip: Clip, film: bytes | None = None) -> str:
    """Return HTML that needs neither kernel nor network."""
    film = strip(clip) if film is None else film
    if not film:
        return f"<code>{escape(repr(clip))}</code>"
    source = base64.b64encode(film).decode()
    words = f"{len(clip)} pictures, {clip.duration:.1f} s"
    return (
        f'<figure style="margin:0;max-width:1000px"><img src="data:image/jpeg;base64,{source}" '
        f'alt="a clip of {words}" style="width:100%;border-radius:8px;display:block">'
        f"{_segments(clip)}"
        f'<figcaption style="font-size:12px;opacity:.7">{words}</figcaption></figure>'
    )


def _segments(clip: Clip) -> str:
    """Say what was applied when, and what was marked: a bar under the strip."""
    whole = clip.duration or 1.0
    began = clip.times[0]
    parts = "".join(
        f'<div title="{escape(prompt)}" style="flex:{max(0.001, segment.duration / whole):.4f} 1 0;'
        f"min-width:0;overflow:hidden;white-space:nowrap;text-overflow:ellipsis;padding:1px 6px;"
        f'border-left:3px solid {_COLOURS[n % len(_COLOURS)]}">{escape(prompt) or "&nbsp;"}</div>'
        for n, (segment, prompt) in enumerate(zip(clip.segments, clip.prompts, strict=True))
    )
    marks = "".join(
        f'<span title="{escape(each["text"])}" style="position:absolute;top:-9px;line-height:1;'
        f'left:{100 * (each["time"] - began) / whole:.1f}%">⚑</span>'
        for each in clip.events
        if each["type"] == "mark"
    )
    return (
        '<div style="position:relative;font-size:12px"><div style="display:flex;margin-top:8px">'
        f"{parts}</div>{marks}</div>"
    )
