"""What streams leave behind."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from odyssey_nb.api.asking import check_limit, target_of
from odyssey_nb.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from odyssey_nb.kernel.recordings import RecordingList
    from odyssey_nb.media.clip import Clip


def recordings(
    limit: int = 20,
    *,
    local: bool | None = None,
    url: str | None = None,
    api_key: str | None = None,
) -> RecordingList:
    """Return what the account's streams have left behind, newest first.

    >>> newest = recordings()[0]
    >>> newest.save("snow.mp4")
    >>> newest.events()

    Args:
        limit: How many, 1 to 100.
        local: See `connect`; what is left open is where the default connection goes or went.
        url: See `connect`.
        api_key: See `connect`.

    Raises:
        AuthError: The key was refused.
        ConnectError: The service does not answer.
    """
    from odyssey_nb.kernel.recordings import Recording, RecordingList, ask

    check_limit(limit)
    target = target_of(local, url, api_key)
    page = ask(target, lambda control: control.recordings(limit=limit))
    return RecordingList([Recording(target, each) for each in page.recordings], page.total, target)


def clip(path: str | Path) -> Clip:
    """Read a clip back from an MP4, with its times, prompts and events where `Clip.save` wrote it.

    >>> clip("snow.mp4")["snow"].frames.shape

    Raises:
        UsageError: There is no such file, or it holds no video.
    """
    from odyssey_nb.media.reading import read

    return read(path)


def grid(
    clips: Mapping[str, Clip] | Sequence[Clip],
    *,
    labels: Sequence[str] | None = None,
    columns: int | None = None,
    width: int = 1280,
) -> Clip:
    """Return clips side by side as one clip: one playhead, one file; each from its own beginning.

    >>> grid({"calm": calm, "stormy": stormy}).save("both.mp4")
    >>> grid(simulate([one, two]).clips, columns=1)

    Args:
        clips: Two or more; of a mapping the keys are written over them.
        labels: What is written over each; left out, its first prompt.
        columns: How many stand beside each other; left out, as many as rows.
        width: Of the whole, in pixels.

    Raises:
        UsageError: There are none, one is empty, or the whole would be too large.
    """
    from odyssey_nb.media.grid import grid

    if isinstance(clips, Mapping):
        shown, labels = list(clips.values()), labels or list(clips)
    else:
        shown = list(clips)
    if not shown or not all(len(each) for each in shown):
        raise UsageError("a grid is made of clips with pictures", hint="Write ody.grid([a, b]).")
    words = labels or [each.prompts[0] for each in shown]
    if len(words) != len(shown):
        raise UsageError(f"{len(words)} labels for {len(shown)} clips", hint="Name each, or none.")
    most = len(shown)
    return grid(shown, words, max(1, min(most, columns or math.ceil(math.sqrt(most)))), width)
