"""A clip as a strip of pictures over time."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from odyssey_nb.errors import UsageError
from odyssey_nb.research.plots.axes import axes, mark_prompts

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from odyssey_nb.media.clip import Clip

TILE = 240  # pixels high
MOST = 24  # pictures


def filmstrip(clip: Clip, n: int = 6, *, ax: Axes | None = None) -> Axes:
    """Draw `n` pictures of a clip side by side, each in the middle of the time that it stands for.

    >>> plots.filmstrip(clip, 8)

    Args:
        clip: With pictures.
        n: How many, 1 to 24; of a short clip as many as it has.
        ax: Where to draw; the x axis is in seconds.

    Raises:
        UsageError: The clip is empty, or `n` is out of range.
    """
    if not 1 <= n <= MOST:
        raise UsageError(f"a strip has 1 to {MOST} pictures, not {n}", hint="Write n=6.")
    if not len(clip):
        raise UsageError("the clip is empty", hint="Wait until pictures have come.")
    n = min(n, len(clip))
    begin, whole = clip.times[0], max(clip.duration, 1 / 20)
    edges = begin + whole * np.arange(n + 1) / n
    small = clip.resize(height=TILE)
    width, height = small.size
    ax = axes(ax, size=(9.0, 9.0 / n * height / width + 0.75))
    for left, right in pairwise(edges.tolist()):
        picture = small.at(min((left + right) / 2, clip.times[-1]))
        ax.imshow(picture, extent=(left, right, 0, 1), interpolation="antialiased", zorder=1)
    ax.set_aspect(height / width * whole / n)
    ax.set_xlim(edges[0], edges[-1])
    ax.set_ylim(0, 1)
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
    ax.set_xlabel("time (s)")
    mark_prompts(ax, clip)
    return ax
