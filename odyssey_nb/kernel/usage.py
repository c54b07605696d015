"""What the account has used of its month, as cells see it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from html import escape
from typing import TYPE_CHECKING

from odyssey_nb.errors import NotFoundError
from odyssey_nb.kernel.recordings import ask
from odyssey_nb.wire.usage import Usage

if TYPE_CHECKING:
    from odyssey_nb.config import Target
    from odyssey_nb.wire.usage import DayOfUse

BLOCKS = "▁▂▃▄▅▆▇█"
WIDTH, HEIGHT, GAP = 560, 72, 2  # of the chart, in pixels
COLOURS = {
    "streams": "var(--jp-brand-color1, #2196f3)",
    "simulations": "var(--jp-accent-color1, #4caf50)",
}


def fetch(target: Target) -> UsageReport:
    """Ask the service of `target`.

    Raises:
        NotFoundError: It does not tell.
    """
    try:
        usage = ask(target, lambda control: control.usage())
    except NotFoundError:
        hint = "The account's page on its site does; the local service tells it here."
        raise NotFoundError(f"{target.name} does not tell usage", hint=hint) from None
    return UsageReport(**{each.name: getattr(usage, each.name) for each in fields(usage)})


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class UsageReport(Usage):
    """What the account uses now and has used this month: a table, and a chart of the days."""

    @property
    def total_hours(self) -> float:
        """Of streams and simulations together, which is what `monthly_hours` limits."""
        return self.stream_hours + self.simulation_hours

    @property
    def resets(self) -> date:
        """The day (UTC) on which the hours begin anew."""
        return datetime.fromisoformat(self.period_end).date()

    def __repr__(self) -> str:
        width = max(len(name) for name, _ in self._figures())
        lines = [f"{name:<{width}}  {value}" for name, value in self._figures()]
        most = max((_total(day) for day in self.days), default=0)
        if most:
            bars = (BLOCKS[round(_total(day) / most * (len(BLOCKS) - 1))] for day in self.days)
            lines.append(f"{'by day':<{width}}  {''.join(bars)}  {self._span()}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        figures = "".join(
            f'<div><div style="font-size:12px;opacity:.8">{escape(name)}</div>'
            f'<div style="font-size:18px">{escape(value)}</div></div>'
            for name, value in self._figures()
        )
        return (
            f'<div style="max-width:{WIDTH}px">'
            f'<div style="display:flex;flex-wrap:wrap;gap:8px 28px">{figures}</div>'
            f"{self._chart()}</div>"
        )

    def _figures(self) -> list[tuple[str, str]]:
        limit = "" if self.monthly_hours is None else f" of {spoken(self.monthly_hours)}"
        figures = [
            ("streams now", f"{self.concurrent_streams} of {self.concurrent_limit}"),
            ("total hours", f"{spoken(self.total_hours)}{limit}"),
            ("simulation hours", spoken(self.simulation_hours)),
            ("simulations in queue", f"{self.waiting_simulations} of {self.simulation_queue}"),
            ("begins anew", _day(self.resets)),
        ]
        if self.suspended is not None:
            figures.append(("suspended", self.suspended))
        return figures

    def _chart(self) -> str:
        """Draw a bar for each day of the whole month, simulations upon streams."""
        most = max((_total(day) for day in self.days), default=0)
        if not most:
            return ""
        days = (self.resets - datetime.fromisoformat(self.period_start).date()).days
        step = WIDTH / days
        bars = []
        for number, day in enumerate(self.days):
            parts = {"streams": day.stream_hours, "simulations": day.simulation_hours}
            told = ", ".join(f"{name} {spoken(hours)}" for name, hours in parts.items() if hours)
            rectangles, top = "", float(HEIGHT)
            for name, hours in parts.items():
                height = hours / most * HEIGHT
                top -= height
                rectangles += (
                    f'<rect x="{number * step:.1f}" y="{top:.1f}" width="{step - GAP:.1f}" '
                    f'height="{height:.1f}" fill="{COLOURS[name]}"/>'
                )
            bars.append(f"<g><title>{day.date}: {told or 'nothing'}</title>{rectangles}</g>")
        label = f"hours by day, {self._span()}, at most {spoken(most)}"
        legend = " ".join(
            f'<span style="color:{colour}">■</span> {name}' for name, colour in COLOURS.items()
        )
        return (
            f'<svg viewBox="0 0 {WIDTH} {HEIGHT + 1}" width="100%" role="img" aria-label="{label}" '
            f'style="margin-top:10px">{"".join(bars)}'
            f'<line x1="0" x2="{WIDTH}" y1="{HEIGHT + 0.5}" y2="{HEIGHT + 0.5}" '
            'stroke="currentColor" opacity=".4"/></svg>'
            f'<div style="font-size:12px;opacity:.8">{legend} · {label}</div>'
        )

    def _span(self) -> str:
        first, last = (date.fromisoformat(each.date) for each in (self.days[0], self.days[-1]))
        return _day(last) if first == last else f"{first.day} to {_day(last)}"


def _total(day: DayOfUse) -> float:
    return day.stream_hours + day.simulation_hours


def _day(day: date) -> str:
    return f"{day.day} {day:%B}"


def spoken(hours: float) -> str:
    """Return hours as a person says them."""
    if hours >= 1:
        return f"{hours:.1f}".removesuffix(".0") + " h"
    minutes, seconds = divmod(round(timedelta(hours=hours).total_seconds()), 60)
    return f"{minutes} min" if minutes else f"{seconds} s"
