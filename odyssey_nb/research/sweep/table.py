"""Rows of a sweep, one for each run, as terminals and cells show them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from odyssey_nb.kernel.tables import html_table, text_table
from odyssey_nb.media.clip import extra
from odyssey_nb.research.metrics.series import Estimate, Series

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas

MOST_SHOWN = 60  # rows in a cell
NONE = "–"


class Table(list[dict[str, Any]]):
    """Rows, each a dict of the same columns. `to_pandas` makes a data frame of them."""

    def __init__(self, rows: Sequence[dict[str, Any]], *, empty: str = "nothing") -> None:
        super().__init__(rows)
        self._empty = empty

    @property
    def columns(self) -> list[str]:
        """Their names."""
        return list(dict.fromkeys(name for row in self for name in row))

    def to_pandas(self) -> pandas.DataFrame:
        """Return it as a data frame; intervals become three columns.

        Raises:
            UsageError: pandas is not installed.
        """
        frame: pandas.DataFrame = extra("pandas").DataFrame([_flat(row) for row in self])
        return frame

    def _cells(self) -> list[list[str]]:
        return [[told(row.get(name)) for name in self.columns] for row in self[:MOST_SHOWN]]

    def _more(self) -> str:
        more = len(self) - MOST_SHOWN
        return f"and {more} more" if more > 0 else ""

    def __repr__(self) -> str:
        if not self:
            return self._empty
        lines = text_table(self.columns, self._cells())
        return "\n".join([*lines, *filter(None, [self._more()])])

    def _repr_html_(self) -> str | None:
        if not self:
            return None
        rows = [
            (cells, str(row.get("status", "")))
            for cells, row in zip(self._cells(), self, strict=False)
        ]
        return html_table(self.columns, rows, [("…", self._more())] if self._more() else [])


def figure(result: Any) -> Any:  # noqa: ANN401 - whatever a metric gives
    """Return what stands in a table for what a metric has given: of a series its mean."""
    if isinstance(result, Series):
        return result.mean
    return result.item() if isinstance(result, np.generic) else result


def told(value: object) -> str:
    """Say a value in a cell of a table."""
    if value is None:
        return NONE
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Estimate) and value.n == 1:
        return f"{value.mean:.4g} (n=1)"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, Estimate):
            flat |= {name: value.mean, f"{name}_low": value.low, f"{name}_high": value.high}
        else:
            flat[name] = value
    return flat
