"""What the doctor found: a line each, and what to do about it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from html import escape

from odyssey_nb.kernel.tables import CELL, QUIET


class State(StrEnum):
    """How it stands with what was looked at."""

    OK = "ok"
    WARNING = "warning"  # it works, or may, but not as well as it could
    PROBLEM = "problem"
    SKIPPED = "skipped"


COLOURS = {
    State.OK: "var(--jp-success-color1, #2a9d5c)",
    State.WARNING: "var(--jp-warn-color1, #c77700)",
    State.PROBLEM: "var(--jp-error-color1, #e0484d)",
    State.SKIPPED: QUIET,
}
SIGNS = {State.OK: "●", State.WARNING: "▲", State.PROBLEM: "■", State.SKIPPED: "○"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, how it stands, what was found, and what to do.

    In `remedy` a command stands between backticks.
    """

    check: str
    state: State
    found: str
    remedy: str = ""


class Report(list[Finding]):
    """All that was found, as text and in a cell.

    Attributes:
        seconds: How long it took.
        bundle: Where the report for others was written; empty if nowhere.
    """

    def __init__(self, findings: list[Finding], *, seconds: float = 0.0, bundle: str = "") -> None:
        super().__init__(findings)
        self.seconds, self.bundle = seconds, bundle

    def of(self, state: str) -> list[Finding]:
        """Return what stands so: ``report.of("problem")``."""
        return [each for each in self if each.state == state]

    def about(self, check: str) -> list[Finding]:
        """Return what was found of one check: ``report.about("clock")``."""
        return [each for each in self if each.check == check]

    @property
    def failed(self) -> bool:
        """Whether there is a problem."""
        return bool(self.of(State.PROBLEM))

    def summary(self) -> str:
        """Count the findings in a sentence."""
        counts = {state: len(self.of(state)) for state in State}
        words = [_count(number, state) for state, number in counts.items() if number]
        saved = f"; written to {self.bundle}" if self.bundle else ""
        return f"{', '.join(words)} in {self.seconds:.1f} s{saved}"

    def __repr__(self) -> str:
        wide = max((len(each.check) for each in self), default=0)
        lines = []
        for each in self:
            lines.append(f"{each.state:<8} {each.check:<{wide}}  {each.found}")
            if each.remedy:
                lines.append(f"{'':<8} {'':<{wide}}  → {each.remedy}")
        return "\n".join([*lines, self.summary()])

    def _repr_html_(self) -> str:
        rows = "".join(map(_row, self))
        return (
            '<div style="overflow-x:auto;max-width:1000px">'
            '<table aria-label="what the doctor found" style="border-collapse:collapse;'
            f'font-size:13px;margin:0;color:inherit"><tbody>{rows}</tbody></table>'
            f'<div style="font-size:12px;margin-top:8px">{escape(self.summary())}</div></div>'
        )


def _count(number: int, state: State) -> str:
    plural = "s" if number > 1 and state in {State.WARNING, State.PROBLEM} else ""
    return f"{number} {state}{plural}"


def _row(finding: Finding) -> str:
    colour = COLOURS[finding.state]
    weight = "font-weight:600" if finding.state in {State.WARNING, State.PROBLEM} else ""
    remedy = f'<div style="margin-top:3px">→ {_marked(finding.remedy)}</div>'
    return (
        '<tr style="background:none;border-top:1px solid #8883">'
        f'<td style="{CELL};{weight}"><span style="color:{colour}" aria-hidden="true">'
        f"{SIGNS[finding.state]}</span> {finding.state}</td>"
        f'<td style="{CELL};{weight}">{escape(finding.check)}</td>'
        f'<td style="{CELL};white-space:normal;min-width:260px">{escape(finding.found)}'
        f"{remedy if finding.remedy else ''}</td></tr>"
    )


def _marked(text: str) -> str:
    """Return text in which commands look like commands."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
