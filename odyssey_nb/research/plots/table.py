"""A value against two parameters."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from odyssey_nb.errors import UsageError
from odyssey_nb.research.metrics import Estimate, Series
from odyssey_nb.research.plots.axes import axes, ink, plain, wrapped

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

MOST = 40  # rows or columns


def heatmap(
    rows: Iterable[Mapping[str, Any]],
    x: str,
    y: str,
    value: str,
    *,
    label: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw the mean of a value for each pair of two parameters, as of a sweep.

    A pair without a value stays clear; where a pair was repeated its cell says how often.

    >>> plots.heatmap(sweep.table(), "weather", "time", "motion", label="motion (grey levels)")

    Args:
        rows: Mappings with these names, one for each run; or a data frame. What has no value, or
            none that is a number, counts for nothing.
        x: The parameter of the columns.
        y: The parameter of the rows.
        value: What is drawn.
        label: What it is called, with its unit.
        ax: Where to draw.

    Raises:
        UsageError: No row has all three, or a parameter has more than 40 values.
    """
    runs = _runs(rows)
    missing = [each for each in (x, y, value) if not any(each in run for run in runs)]
    if missing:
        known = sorted({name for run in runs for name in run})
        raise UsageError(
            f"no row has {', '.join(map(repr, missing))}",
            hint=f"They have {', '.join(map(repr, known))}." if known else "There are no rows.",
        )
    # What cannot be looked up, as a list or an image, is told apart by its words.
    runs = [
        {x: _plain(run[x]), y: _plain(run[y]), value: run.get(value)}
        for run in runs
        if x in run and y in run
    ]
    across, down = _ordered(run[x] for run in runs), _ordered(run[y] for run in runs)
    if max(len(across), len(down)) > MOST:
        raise UsageError(
            f"a parameter has {max(len(across), len(down))} values, more than {MOST}",
            hint="Round it, or draw a part of the rows.",
        )
    means, counts = _means(runs, (x, y, value), across, down)
    if not counts.any():
        raise UsageError(f"no row has a number as {value!r}", hint="See the table's failures.")
    ax = axes(ax, size=(2.2 + 0.9 * len(across), 1.3 + 0.55 * len(down)))
    image = ax.imshow(np.ma.masked_invalid(means), aspect="auto")
    bar = ax.figure.colorbar(image, ax=ax)
    bar.set_label(plain(label or value), color=ink(ax))
    bar.ax.tick_params(colors=ink(ax))
    bar.outline.set_visible(False)
    for row, column in np.ndindex(means.shape):
        if counts[row, column]:
            red, green, blue, _ = image.cmap(image.norm(means[row, column]))
            dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.5
            repeats = f"\nn={counts[row, column]}" if counts.max() > 1 else ""
            ax.text(
                column, row, f"{means[row, column]:.3g}{repeats}", ha="center", va="center",
                color="white" if dark else "black", fontsize="small",
            )  # fmt: skip
    ax.set_xticks(range(len(across)), labels=wrapped(map(_word, across), 12))
    ax.set_yticks(range(len(down)), labels=wrapped(map(_word, down)))
    ax.spines[:].set_visible(False)
    ax.set_xlabel(plain(x))
    ax.set_ylabel(plain(y))
    return ax


def _runs(rows: Any) -> list[Mapping[str, Any]]:  # noqa: ANN401 - a data frame has no type here
    """Return the rows as mappings."""
    found = list(rows.to_dict("records") if hasattr(rows, "to_dict") else rows)
    if not all(isinstance(each, Mapping) for each in found):
        raise UsageError(
            "a row is no mapping", hint='Write [{"weather": "snow", "time": "noon", "motion": 3}].'
        )
    return found


def _plain(value: object) -> object:
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _ordered(values: Iterable[Any]) -> list[Any]:
    """Return each value once: numbers by size, others as they came."""
    found = list(dict.fromkeys(values))
    return sorted(found) if all(isinstance(each, int | float) for each in found) else found


def _word(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _means(
    runs: Sequence[Mapping[str, Any]],
    names: tuple[str, str, str],
    across: list[Any],
    down: list[Any],
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Return the mean of each cell, NaN without any, and of how many values it is."""
    x, y, value = names
    sums, counts = np.zeros((len(down), len(across))), np.zeros((len(down), len(across)), np.intp)
    for run in runs:
        number = _number(run.get(value))
        if math.isfinite(number):
            cell = down.index(run[y]), across.index(run[x])
            sums[cell] += number
            counts[cell] += 1
    return np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0), counts


def _number(value: object) -> float:
    """Return `value` as a number, of a series or an estimate its mean; NaN for what is none."""
    try:
        return float(value.mean if isinstance(value, Series | Estimate) else value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return math.nan
