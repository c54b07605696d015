"""Sessions as a user sees them: a row each, in a table for terminals and one for cells."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from odyssey_nb.kernel.runtime import runtime
from odyssey_nb.kernel.tables import clock, html_table, text_table

if TYPE_CHECKING:
    from pathlib import Path

MOST_NAMED = 3  # holders that an error names
SHORTEST = 4  # letters of an id that are shown; more where they are needed to tell it apart


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRow:
    """One session. `seconds` since it was opened; `idle` since the last prompt or stream's end.

    `left` is seconds until a limit ends its stream, or itself; None where that is not known.
    `id` is as much of `session_id` as tells it from the others. `dangling` says why nobody will end
    it, and is empty while somebody holds it. `pid` is 0 where the holder is not known.
    """

    id: str = ""
    session_id: str
    connection: str
    url: str
    target: str = ""
    status: str
    seconds: float
    idle: float
    left: float | None = None
    prompt: str = ""
    holder: str
    pid: int = 0
    here: bool = False
    dangling: str = ""
    signaling_url: str = field(repr=False, default="")
    lease: Path | None = field(repr=False, default=None)
    held: bool = True  # the lease, by a living kernel

    @property
    def where(self) -> str:
        """Who holds it, in a few words."""
        if self.here:
            return "this kernel"
        name = self.holder.rpartition("/")[2]
        who = f"{name}, pid {self.pid}" if self.pid else name
        return f"{who}: {self.dangling}" if self.dangling else who

    @property
    def state(self) -> str:
        """Its status, or that it dangles."""
        return "dangling" if self.dangling else self.status

    def told(self) -> str:
        """Say who holds what, for a sentence."""
        how = "streaming" if self.status == "streaming" else f"idle {clock(self.idle)}"
        parts = [self.connection, "dangling" if self.dangling else "", how]
        return f"{self.where} ({', '.join(filter(None, parts))})"


class SessionList(list[SessionRow]):
    """Sessions as a table, in text and in a cell."""

    def __init__(self, rows: list[SessionRow]) -> None:
        super().__init__(_with_ids(rows))

    def __repr__(self) -> str:
        if not self:
            return "no sessions; ody.connect() opens one"
        table = text_table(self._columns(), [self._cells(row) for row in self])
        return "\n".join([*table, *(f"{verb} {does}" for verb, does in self._advice())])

    def _repr_html_(self) -> str:
        if not self:
            return repr(self)
        rows = [(self._cells(row), row.state) for row in self]
        return html_table(self._columns(), rows, self._advice())

    def _several(self) -> bool:
        return len({row.target for row in self}) > 1

    def _columns(self) -> list[str]:
        service = ["service"] if self._several() else []
        return ["id", "connection", *service, "status", "open", "idle", "left", "held by", "prompt"]

    def _cells(self, row: SessionRow) -> list[str]:
        return [
            row.id or "–",
            row.connection or "–",
            *([row.target] if self._several() else []),
            row.state,
            clock(row.seconds),
            clock(row.idle),
            "–" if row.left is None else clock(row.left),
            row.where,
            " ".join(row.prompt.split()),
        ]

    def _advice(self) -> list[tuple[str, str]]:
        """Return what to type, and what it does."""
        lost = sum(bool(row.dangling) for row in self)
        reap = [(spell("reap"), f"ends what dangles ({lost})")] if lost else []
        named = next((row.id for row in self.by_use() if row.id), "")
        return [*reap, (spell("kill", named), "ends one")] if named else reap

    def by_use(self) -> list[SessionRow]:
        """Return them so that those which are missed least come first."""
        return sorted(self, key=lambda row: (
            not row.dangling, row.here, row.status == "streaming", -row.idle
        ))  # fmt: skip


def _with_ids(rows: list[SessionRow]) -> list[SessionRow]:
    ids = [row.session_id for row in rows]

    def short(whole: str) -> str:
        length = SHORTEST
        while length < len(whole) and sum(each.startswith(whole[:length]) for each in ids) > 1:
            length += 1
        return whole[:length]

    return [replace(row, id=short(row.session_id)) for row in rows]


def spell(verb: str, *words: str) -> str:
    """Return how a user types a verb where this program runs."""
    if runtime().terminal:
        return " ".join(["odyssey-nb", verb, *words])
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is not None and shell.find_line_magic("odyssey") is not None:
        return " ".join(["%odyssey", verb, *words])
    quoted = ", ".join(f'"{word}"' for word in words)
    return f"ody.{verb}({quoted})"


def limit_hint(rows: SessionList, url: str) -> str:
    """Return who holds what there is at the service, and what frees one; empty if none of us."""
    mine = [row for row in rows.by_use() if row.url == url and row.id and row.status != "ended"]
    if not mine:
        return ""
    told = [row.told() for row in mine[:MOST_NAMED]]
    if len(mine) > MOST_NAMED:
        told.append(f"{len(mine) - MOST_NAMED} more")
    return f"Held by {'; '.join(told)}. Free one with {spell('kill', mine[0].id)}."
