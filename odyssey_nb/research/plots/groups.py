"""Repeats: a metric by segment, and A against B."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from odyssey_nb.errors import UsageError
from odyssey_nb.media.clip import Clip
from odyssey_nb.research import metrics
from odyssey_nb.research.plots.axes import axes, ink, interval, plain, spread, wrapped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from matplotlib.axes import Axes

    from odyssey_nb.research.metrics import Series

WIDE = 0.3  # of a column, in which its dots lie


def segments(
    metric: Callable[[Clip], Series], clips: Clip | Iterable[Clip], *, ax: Axes | None = None
) -> Axes:
    """Draw a metric while each prompt was applied: each clip a dot, with mean and interval.

    The interval is Student's, over clips. A single clip has none: its pictures follow each other
    too closely to count as repeats, and are drawn as small dots.

    >>> plots.segments(metrics.motion, [each.clip() for each in simulation.recordings])

    Args:
        metric: Gives a value of each picture.
        clips: A clip, or independent repeats with the same prompts.
        ax: Where to draw; each prompt is a column.

    Raises:
        UsageError: There are no clips, or they have no prompts.
    """
    repeats = [clips] if isinstance(clips, Clip) else list(clips)
    found = [metric(each) for each in repeats]
    by_prompt: dict[str, list[float]] = {}
    for series, clip in zip(found, repeats, strict=True):
        for prompt, mean in series.by_segment(clip).items():
            by_prompt.setdefault(prompt, []).append(mean)
    if not by_prompt:
        raise UsageError("there is nothing to compare", hint="Give clips with pictures.")
    ax = axes(ax, size=(max(4.0, 1.2 + 1.3 * len(by_prompt)), 3.0))
    if len(repeats) == 1:
        _pictures(ax, found[0], repeats[0], list(by_prompt))
    for column, values in enumerate(by_prompt.values()):
        color = f"C{column}"
        if len(repeats) > 1:
            ax.plot(column + spread(values, WIDE), values, "o", color=color, alpha=0.5)
        interval(ax, column, metrics.Estimate.of(values), color=color)
    ax.set_xticks(range(len(by_prompt)), labels=wrapped(by_prompt))
    ax.set_xlim(-0.6, len(by_prompt) - 0.4)
    ax.set_ylabel(f"{found[0].name} ({found[0].unit})")
    over = f"mean and 95 % interval over {len(repeats)} clips"
    ax.set_xlabel(over if len(repeats) > 1 else "mean of one clip; dots are its pictures")
    return ax


def _pictures(ax: Axes, series: Series, clip: Clip, prompts: list[str]) -> None:
    """Draw every picture's value in the column of its prompt."""
    for prompt, segment in zip(clip.prompts, clip.segments, strict=True):
        values = series.values[np.isin(series.times, segment.times)]
        if len(values):
            column = prompts.index(prompt)
            ax.plot(column + spread(values, WIDE), values, ".", color=f"C{column}", alpha=0.25)


def difference(
    a: Sequence[float],
    b: Sequence[float],
    *,
    names: tuple[str, str] = ("A", "B"),
    label: str = "",
    level: float = 0.95,
    method: str = "welch",
    ax: Axes | None = None,
) -> Axes:
    """Draw two groups of repeats, and how far they are apart with its interval.

    As Gardner and Altman (1986) draw it: both groups on the left axis, and on the right their
    difference, with 0 at the mean of the first. In words and numbers it stands above.

    >>> plots.difference(calm, stormy, names=("calm", "stormy"), label="motion (grey levels)")

    Args:
        a: A figure of each repeat of the first group.
        b: Of the second.
        names: What the groups are called.
        label: What the figure is, with its unit.
        level: Of confidence; see `metrics.difference`.
        method: "welch" or "bootstrap".
        ax: Where to draw.

    Raises:
        UsageError: A group has fewer than two values.
    """
    found = metrics.difference(a, b, level=level, method=method)
    ax = axes(ax, size=(5.0, 3.2))
    means = []
    for column, values in enumerate((a, b)):
        color = f"C{column}"
        ax.plot(column + spread(values, WIDE), values, "o", color=color, alpha=0.5)
        estimate = metrics.Estimate.of(values, level=level)
        interval(ax, column, estimate, color=color)
        means.append(estimate.mean)
    for mean in means:
        ax.axhline(mean, color=ink(ax), linewidth=0.8, linestyle=":")
    low, high = means[0] + found.low, means[0] + found.high
    ax.errorbar(
        [2], [means[1]], yerr=[[means[1] - low], [high - means[1]]], fmt="D", color=ink(ax),
        capsize=5, linewidth=1.6,
    )  # fmt: skip
    right = ax.secondary_yaxis(
        "right", functions=(partial(np.add, -means[0]), partial(np.add, means[0]))
    )
    right.set_ylabel(f"{plain(names[1])} less {plain(names[0])}", color=ink(ax))
    right.tick_params(colors=ink(ax))
    right.spines["right"].set_edgecolor(ink(ax))
    ax.set_xticks([0, 1, 2], labels=[*wrapped(names), "difference"])
    ax.set_xlim(-0.6, 2.6)
    ax.set_ylabel(plain(label))
    size = f"{found.effect:.2f}" if math.isfinite(found.effect) else "∞"
    ax.set_title(
        f"{found.mean:+.3g} ({found.low:+.3g} to {found.high:+.3g}), {level:.0%}, {method}\n"
        f"Hedges’ g = {size}, n = {found.n[0]} and {found.n[1]}",
        fontsize="medium",
    )
    return ax
