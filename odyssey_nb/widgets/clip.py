"""A clip in a cell: its filmstrip, what happened in it, and its video once that is asked for."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets as t

from odyssey_nb.media import export
from odyssey_nb.widgets.base import answer_command, answer_while_busy, module, styles

if TYPE_CHECKING:
    from odyssey_nb.media.clip import Clip

PART_BYTES = 1 << 20  # of a video in one message; a page asks for the next when it has this one


class ClipView(anywidget.AnyWidget):
    """Shows a clip's filmstrip, and plays it.

    Strip and video travel as binary messages when a view asks for them. Neither is ever state, so
    neither is saved.
    """

    _esm = module("_shared.js", "film.js", "clip.js")
    _css = styles("theme.css", "clip.css")

    title = t.Unicode("", help="How many pictures it has, of which size, and how long it is.").tag(
        sync=True
    )
    duration = t.Float(0.0, help="Seconds from the first picture to the last.").tag(sync=True)
    ratio = t.Float(1.0, help="Width of a picture, divided by its height.").tag(sync=True)
    segments: t.List[dict[str, Any]] = t.List(
        help="Each segment's prompt, and the seconds from the clip's beginning to its own."
    ).tag(sync=True)
    marks: t.List[dict[str, Any]] = t.List(
        help="Each mark's text, and the seconds from the clip's beginning to it."
    ).tag(sync=True)

    def __init__(self, clip: Clip, film: bytes) -> None:
        self._clip, self._film = clip, film
        began = clip.times[0]
        width, height = clip.size
        super().__init__(
            title=f"{len(clip)} pictures · {width} × {height} · {clip.duration:.1f} s",
            duration=clip.duration,
            ratio=width / height,
            segments=[
                {"time": segment.times[0] - began, "text": prompt}
                for segment, prompt in zip(clip.segments, clip.prompts, strict=True)
            ],
            marks=[
                {"time": each["time"] - began, "text": each["text"]}
                for each in clip.events
                if each["type"] == "mark"
            ],
        )
        answer_while_busy(self)
        self.on_msg(self._on_message)

    @cached_property
    def _video(self) -> bytes:
        return export.mp4(self._clip)

    def _on_message(self, _widget: object, content: dict[str, Any], _buffers: list[bytes]) -> None:
        """Take a view's message; it may come on the main thread, so nothing here waits."""
        if content.get("type") in {"film", "part"}:
            answer_command(self, content, lambda: self._do(content))

    def _do(self, content: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
        if content["type"] == "film":
            return {}, [self._film]
        start = int(content.get("start") or 0)
        return {"size": len(self._video)}, [self._video[start : start + PART_BYTES]]
