"""Figures over time: latency and its parts, the pace, a metric of each picture, and likeness."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from odyssey_nb.errors import UsageError
from odyssey_nb.media.clip import Clip
from odyssey_nb.research import metrics
from odyssey_nb.research.plots.axes import axes, ink, mark_prompts, spread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from odyssey_nb.research.metrics import Coherence, Pacing, Response, Series


def latency(parts: Response | Mapping[str, Sequence[float]], *, ax: Axes | None = None) -> Axes:
    """Draw how soon prompts show: each interaction a dot, each part a row with mean and interval.

    >>> plots.latency(metrics.respond(stream, ["it snows", "the sun shines"], repeats=4))

    Args:
        parts: What `metrics.respond` or `metrics.responsiveness` found; or seconds by name.
        ax: Where to draw; the x axis is in milliseconds.

    Raises:
        UsageError: Nothing showed.
    """
    given = parts if isinstance(parts, Mapping) else parts.parts
    rows = {name: 1000 * np.asarray(values, np.float64) for name, values in given.items()}
    rows = {name: values for name, values in rows.items() if len(values)}
    if not rows:
        raise UsageError("no prompt showed", hint="Take a longer window, or a plainer prompt.")
    ax = axes(ax, size=(7.0, 0.9 + 0.55 * len(rows)))
    for row, (name, values) in enumerate(rows.items()):
        found = metrics.Estimate.of(values.tolist())
        ax.plot(values, row + spread(values, 0.36), "o", color=f"C{row}", alpha=0.55, label=name)
        reach = None if len(values) == 1 else [[found.mean - found.low], [found.high - found.mean]]
        ax.errorbar([found.mean], [row], xerr=reach, fmt="D", color=f"C{row}", capsize=5, zorder=4)
        ax.annotate(
            f"{found.mean:.0f} ms", (found.mean, row), xytext=(0, 9), textcoords="offset points",
            ha="center", color=ink(ax), fontsize="small",
        )  # fmt: skip
    ax.set_yticks(range(len(rows)), labels=list(rows))
    ax.set_ylim(len(rows) - 0.4, -0.6)
    if all(values.min() >= 0 for values in rows.values()):
        ax.set_xlim(left=0)
    ax.set_xlabel("milliseconds; mean, 95 % interval")
    return ax


def pacing(clip: Clip | Pacing | Sequence[float], *, ax: Axes | None = None) -> Axes:
    """Draw the time between pictures, how much it varies, what froze, and the prompts.

    >>> plots.pacing(stream.last(30))

    Args:
        clip: A clip; or what `metrics.pacing` found, or times in seconds, which have no prompts.
        ax: Where to draw; the x axis is in seconds, the y axis in milliseconds.

    Raises:
        UsageError: There are fewer than two pictures.
    """
    found = clip if isinstance(clip, metrics.Pacing) else metrics.pacing(clip)
    ax = axes(ax)
    times, gaps = found.times[1:], 1000 * np.diff(found.times)
    usual, jitter = 1000 / found.fps, 1000 * found.jitter
    ax.plot(times, gaps, ".", color="C0", markersize=4)
    ax.axhline(usual, color="C0", linewidth=1, label=f"{found.fps:.1f} pictures per second")
    ax.axhspan(
        usual - jitter, usual + jitter, color="C0", alpha=0.2, linewidth=0,
        label=f"jitter {jitter:.1f} ms",
    )  # fmt: skip
    frozen = f"{len(found.freezes)} freeze{'s' * (len(found.freezes) != 1)}"
    for number, (begin, length) in enumerate(found.freezes):
        label = None if number else frozen
        ax.axvspan(begin, begin + length, color="C3", alpha=0.3, linewidth=0, label=label)
    # A freeze is as wide as it is long; were it also as high, nothing else could be read.
    flowing = gaps[~np.isin(found.times[:-1], [begin for begin, _ in found.freezes])]
    ax.set_xlim(found.times[0], found.times[-1])
    ax.set_ylim(0, max(2.2 * usual, 1.3 * float(flowing.max(initial=0))))
    ax.set_xlabel("time (s)")
    ax.set_ylabel("between pictures (ms)")
    _legend(ax)
    if isinstance(clip, Clip):
        mark_prompts(ax, clip)
    return ax


def series(found: Series, clip: Clip | None = None, *, ax: Axes | None = None) -> Axes:
    """Draw a figure of each picture over time, with the prompts of its clip.

    >>> plots.series(metrics.motion(clip), clip)

    Args:
        found: What a metric gave; its name and unit label the y axis.
        clip: Whose prompts and marks are drawn.
        ax: Where to draw; several go into one.
    """
    if not len(found):
        raise UsageError(f"{found.name} has no values", hint="Take a longer clip.")
    ax = axes(ax)
    ax.plot(found.times, found.values, linewidth=1.2, label=found.name)
    ax.set_xlabel("time (s)")
    ax.set_ylabel(f"{found.name} ({found.unit})")
    if clip is not None and len(clip):
        ax.set_xlim(clip.times[0], max(clip.times[-1], clip.times[0] + 0.05))
        mark_prompts(ax, clip)
    return ax


def coherence(found: Coherence, *, label: str = "", ax: Axes | None = None) -> Axes:
    """Draw how alike pictures are against how far apart they are.

    >>> ax = plots.coherence(metrics.coherence(calm), label="calm")
    >>> plots.coherence(metrics.coherence(stormy), label="stormy", ax=ax)

    Args:
        found: What `metrics.coherence` gave.
        label: What it is called, where several are drawn.
        ax: Where to draw; the x axis is in seconds.
    """
    ax = axes(ax)
    means = np.array([each.mean for each in found.likeness])
    # A single stretch has no interval: its bar would go from one end of the figure to the other.
    ends = [(each.mean - each.low, each.high - each.mean) for each in found.likeness]
    reach = np.nan_to_num(np.array(ends).T, posinf=0.0)
    ax.errorbar(found.lags, means, yerr=reach, marker="o", capsize=3, label=label or None)
    ax.set_xscale("log")
    ax.set_xticks(found.lags, labels=[f"{lag:g}" for lag in found.lags])
    ax.set_xticks([], minor=True)
    ax.set_xlabel("apart (s)")
    ax.set_ylabel("likeness (cosine)")
    if label:
        _legend(ax)
    return ax


def _legend(ax: Axes) -> None:
    ax.legend(frameon=False, labelcolor=ink(ax), fontsize="small", ncols=3, loc="upper right")
