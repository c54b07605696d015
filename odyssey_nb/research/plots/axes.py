"""Axes to draw into, and what stands on several kinds of them: ink, prompts, intervals."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from odyssey_nb.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from matplotlib import RcParams
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from odyssey_nb.media.clip import Clip
    from odyssey_nb.research.metrics.series import Estimate

INK = "#808080"  # 3.9 : 1 on white, 4.8 : 1 on JupyterLab's dark page
STYLE: dict[str, Any] = {  # for figures of one's own: plt.style.use(plots.STYLE)
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    # Jupyter puts a dark box behind a clear figure whose ticks all are light, and a light one where
    # all are dark; these are as good as equal, and on both sides of its middle.
    "xtick.color": INK,
    "ytick.color": "#7f7f7f",
    "legend.frameon": False,
}
SIZE = 7.0, 2.6  # inches
SMALL = 8.0  # points, of what stands among the data


def axes(ax: Axes | None, *, size: tuple[float, float] = SIZE) -> Axes:
    """Return `ax`, or the axes of a new figure that is `size` inches large.

    Raises:
        UsageError: matplotlib cannot be imported, or `ax` is none of its axes.
    """
    if ax is not None:
        if not hasattr(ax, "get_xaxis_transform"):
            raise UsageError(
                f"ax is {type(ax).__name__}, not axes",
                hint="Write fig, ax = plt.subplots(), and pass ax=ax.",
            )
        return ax
    try:
        from matplotlib import pyplot, rcParams, rcParamsDefault
    except ImportError as error:
        raise UsageError(
            "plots need matplotlib, which cannot be imported",
            hint="Run %pip install 'odyssey-nb[plot]'.",
        ) from error
    chosen = _page(rcParams) != _page(rcParamsDefault)  # by somebody, so it rules
    with pyplot.style.context({} if chosen else STYLE):
        _, made = pyplot.subplots(figsize=size, layout="constrained")
        interactive = pyplot.isinteractive()
    # The first figure loads Jupyter's backend, which is interactive; leaving the style forgets
    # that, and no other figure would be shown.
    rcParams["interactive"] = interactive
    made.spines[["top", "right"]].set_visible(False)
    return made


def _page(params: RcParams) -> tuple[object, ...]:
    """Return what a style says of paper and ink."""
    paper = params["figure.facecolor"], params["axes.facecolor"]
    return *paper, params["axes.labelcolor"], params["xtick.color"]


def ink(ax: Axes) -> Any:  # noqa: ANN401 - any of matplotlib's colours
    """Return the colour of what is written on `ax`."""
    return ax.xaxis.label.get_color()


def plain(words: str, most: int = 60) -> str:
    """Return words as matplotlib writes them as they are: dollars are no formula; not too long."""
    short = words if len(words) <= most else words[: most - 1].rstrip() + "…"
    return short.replace("$", r"\$")


def mark_prompts(ax: Axes, clip: Clip) -> None:
    """Draw a line on `ax`, in seconds, where each prompt was applied, and write it above.

    As much of it is written as there is room for until the next one.
    """
    begin, end = ax.get_xlim()
    letters = ax.bbox.width / ax.figure.dpi * 72 / (SMALL * 0.55)
    room = letters / max(end - begin, 1e-9)  # for each second
    said = _said(clip)
    for number, (time, words, kind) in enumerate(said):
        after = said[number + 1][0] if number + 1 < len(said) else end
        if kind != "start":
            ax.axvline(
                time, color=ink(ax), linewidth=0.8, linestyle=":" if kind == "mark" else "--"
            )
        most = int((after - time) * room) - 1
        if most >= 3:
            ax.text(
                time, 1.01, (" ⚑ " if kind == "mark" else " ") + plain(words, most),
                transform=ax.get_xaxis_transform(), color=ink(ax), fontsize=SMALL,
                ha="left", va="bottom",
            )  # fmt: skip


def _said(clip: Clip) -> list[tuple[float, str, str]]:
    """Return when which words were said, from the prompt with which the clip begins."""
    kinds = {"interact": "applied_prompt", "mark": "text"}
    said = [
        (float(each["time"]), str(each[kinds[each["type"]]]), str(each["type"]))
        for each in clip.events
        if each["type"] in kinds
    ]
    first = clip.prompts[0] if clip.prompts else ""
    return [(clip.times[0], first, "start"), *said] if first and len(clip) else said


def interval(ax: Axes, x: float, found: Estimate, *, color: Any, label: str = "") -> None:  # noqa: ANN401
    """Draw a mean and its interval upright at `x`; an interval without ends is left out."""
    known = math.isfinite(found.low) and math.isfinite(found.high)
    reach = [[found.mean - found.low], [found.high - found.mean]] if known else None
    ax.errorbar(
        [x], [found.mean], yerr=reach, fmt="D", color=color, markersize=5, capsize=4,
        linewidth=1.6, zorder=4, label=label or None,
    )  # fmt: skip


def spread(values: Sequence[float] | NDArray[np.float64], width: float) -> NDArray[np.float64]:
    """Return places beside each other for values that may be equal, the same every time."""
    return (np.random.default_rng(0).permutation(len(values)) + 0.5) / len(
        values
    ) * width - width / 2


def wrapped(words: Iterable[str], width: int = 18) -> list[str]:
    """Return labels in at most three lines of about `width` letters."""
    import textwrap

    return [
        "\n".join(textwrap.wrap(plain(each), width, max_lines=3, placeholder=" …")) or "(no prompt)"
        for each in words
    ]
