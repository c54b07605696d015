"""What a class has had applied, as a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from odyssey_nb.kernel.tables import clock, html_table, text_table

if TYPE_CHECKING:
    from datetime import datetime

COLUMNS = ["at", "stream", "prompt", "who", "votes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """A prompt that was applied.

    Attributes:
        at: When, by the kernel's clock.
        time: The same in seconds since its stream began; None where that could not be marked.
        prompt: What was proposed.
        names: Who stood behind it, its author first.
        votes: How many it had.
        applied: What the service made of it.
    """

    at: datetime
    time: float | None
    prompt: str
    names: tuple[str, ...]
    votes: int
    applied: str


class History(list[Applied]):
    """What was applied, oldest first; a cell shows it as a table."""

    def _rows(self) -> list[list[str]]:
        return [
            [
                f"{each.at:%H:%M:%S}",
                "" if each.time is None else clock(each.time),
                each.prompt,
                ", ".join(each.names),
                str(each.votes or ""),
            ]
            for each in self
        ]

    def __repr__(self) -> str:
        return "\n".join(text_table(COLUMNS, self._rows())) if self else "nothing was applied yet"

    def _repr_html_(self) -> str:
        return html_table(COLUMNS, [(row, "") for row in self._rows()], []) if self else repr(self)
