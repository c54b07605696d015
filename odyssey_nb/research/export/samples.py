"""Clips on their way into a data set."""

from __future__ import annotations

from typing import TYPE_CHECKING

from odyssey_nb.errors import UsageError
from odyssey_nb.media.clip import Clip
from odyssey_nb.media.export import recoded
from odyssey_nb.media.reading import happenings

if TYPE_CHECKING:
    from collections.abc import Iterable


def gather(clips: Clip | Iterable[Clip]) -> list[Clip]:
    """Return the clips, each with pictures.

    Raises:
        UsageError: There are none, one is empty, or something else is among them.
    """
    found = [clips] if isinstance(clips, Clip) else list(clips)
    for number, each in enumerate(found):
        if not isinstance(each, Clip) or not len(each):
            raise UsageError(
                f"clips[{number}] is {'empty' if isinstance(each, Clip) else 'no clip'}",
                hint="Give clips with pictures: [each.clip() for each in ody.recordings()].",
            )
    if not found:
        raise UsageError("there are no clips", hint="Give stream.last(5), or a list of clips.")
    return found


def whole(clip: Clip) -> Clip:
    """Return `clip` as it was streamed if a keyframe is in front, else encoded once more."""
    if clip._size is None and not clip._lead:
        return clip
    return Clip(recoded(clip), happenings(clip.events), prompt=clip.prompts[0])


def told(clip: Clip) -> dict[str, object]:
    """Return what belongs to the pictures, as JSON has it: prompts by time, events, times."""
    return {
        "times": list(clip.times),
        "segments": [
            {"prompt": prompt, "time": segment.times[0], "pictures": len(segment)}
            for prompt, segment in zip(clip.prompts, clip.segments, strict=True)
            if len(segment)
        ],
        "events": clip.events,
    }
