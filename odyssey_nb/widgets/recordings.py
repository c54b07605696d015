"""The gallery: an account's recordings in a cell, to play, download and delete."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anywidget
import traitlets as t

from odyssey_nb.errors import NotFoundError
from odyssey_nb.kernel.recordings import MOST_SHOWN
from odyssey_nb.widgets.base import answer_command, answer_while_busy, module, styles

if TYPE_CHECKING:
    from odyssey_nb.kernel.recordings import Recording, RecordingList

PART_BYTES = 1 << 20  # of a video in one message; a page asks for the next when it has this one


class Gallery(anywidget.AnyWidget):
    """Shows thumbnails, and plays the recording that is chosen.

    The kernel fetches what a view asks for: signed URLs stay with it, and pictures and videos
    travel as binary messages. Neither is ever state, so neither is saved.
    """

    _esm = module("_shared.js", "film.js", "gallery.js")
    _css = styles("theme.css", "gallery.css")

    cards: t.List[dict[str, Any]] = t.List(
        help="What is shown: id, title, and number in the list, of each."
    ).tag(sync=True)
    more = t.Int(0, help="How many recordings there are that are not shown.").tag(sync=True)

    def __init__(self, recordings: RecordingList, thumbnails: list[bytes]) -> None:
        shown = list(enumerate(recordings[:MOST_SHOWN]))
        self._recordings = {each.stream_id: each for _, each in shown}
        self._thumbnails = dict(zip(self._recordings, thumbnails, strict=True))
        cards = [
            {"stream": each.stream_id, "title": each.title, "number": number}
            for number, each in shown
        ]
        super().__init__(cards=cards, more=recordings.total - len(cards))
        answer_while_busy(self)
        self.on_msg(self._on_message)

    def _on_message(self, _widget: object, content: dict[str, Any], _buffers: list[bytes]) -> None:
        """Take a view's message; it may come on the main thread, so nothing here waits."""
        if content.get("type") in {"thumbnail", "events", "part", "delete"}:
            answer_command(self, content, lambda: self._do(content))

    def _do(self, content: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
        stream_id = str(content.get("stream"))
        recording = self._find(stream_id)
        match content["type"]:
            case "thumbnail":
                return {}, [self._thumbnails[stream_id]]
            case "events":
                return {"events": recording.events()}, []
            case "part":
                data, size = recording.part(int(content.get("start") or 0), PART_BYTES)
                return {"size": size}, [data]
            case _:
                recording.delete()
                self._recordings.pop(stream_id, None)
                self.cards = [each for each in self.cards if each["stream"] != stream_id]
                return {}, []

    def _find(self, stream_id: str) -> Recording:
        if stream_id not in self._recordings:
            raise NotFoundError("this recording was deleted")
        return self._recordings[stream_id]
