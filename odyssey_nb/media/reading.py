"""Clips of video files: ours as they are, others once more encoded."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av

from odyssey_nb.media import video
from odyssey_nb.media.clip import Clip
from odyssey_nb.media.export import encode, picture
from odyssey_nb.wire.link import Happening

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def read(source: str | Path | bytes, events: Iterable[Mapping[str, Any]] | None = None) -> Clip:
    """Return the clip of a video.

    Pictures that come in the order in which they are shown stay as they were encoded. Those of
    other files are encoded once more, as streams are.

    Args:
        source: A file, or what is in it.
        events: What happened, as recordings tell it; left out, what `Clip.save` has noted.

    Raises:
        UsageError: There is no such file, or it holds no video.
    """
    name = "these bytes" if isinstance(source, bytes) else str(source)

    def file() -> str | io.BytesIO:
        return io.BytesIO(source) if isinstance(source, bytes) else str(source)

    found = video.read(file(), name)
    notes: dict[str, Any] = found.notes if events is None else {"events": events}
    if not found.plain:
        with av.open(file(), "r") as opened:
            frames = opened.decode(video=0)
            pictures = encode((frame, frame.time or 0.0) for frame in frames)
        return Clip(pictures, happenings(notes.get("events", ())))
    began = float(notes.get("began", 0.0))
    pictures = [
        picture(number, began + time, data, key=key)
        for number, (data, time, key) in enumerate(found.units)
    ]
    lead = sum(time < 0 for _, time, _ in found.units)
    return Clip(
        pictures, happenings(notes.get("events", ())), lead=lead, prompt=notes.get("prompt", "")
    )


def happenings(events: Iterable[Mapping[str, Any]]) -> list[Happening]:
    """Return events of recordings and clips as what happened to a stream."""
    return [
        Happening(
            stream=0,
            time=float(each.get("time", 0)),
            kind=str(each.get("type", "")),
            text=str(each.get("applied_prompt") or each.get("text") or each.get("reason") or ""),
            at=float(each.get("acknowledged", 0)),
            sent=float(each.get("sent", 0)),
        )
        for each in events
    ]
