"""Tables for terminals and for cells, in colours that suit light and dark themes."""

from __future__ import annotations

from html import escape

WIDEST = 44  # characters of a cell in a terminal
CELL = "text-align:left;vertical-align:top;padding:5px 14px 5px 0;white-space:nowrap"
GOOD, BAD = "var(--jp-success-color1, #2a9d5c)", "var(--jp-error-color1, #e0484d)"
COLOURS = {"streaming": GOOD, "done": GOOD, "dangling": BAD, "failed": BAD}
QUIET = "var(--jp-ui-font-color3, #8a8f98)"


def text_table(columns: list[str], rows: list[list[str]]) -> list[str]:
    """Return the lines of a table; the last column takes what it needs."""
    cells = [columns, *([_cut(each) for each in row[:-1]] + row[-1:] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join(f"{each:<{width}}" for each, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]


def _cut(text: str) -> str:
    return text if len(text) <= WIDEST else text[: WIDEST - 1] + "…"


def html_table(
    columns: list[str], rows: list[tuple[list[str], str]], advice: list[tuple[str, str]]
) -> str:
    """Return a table for a cell.

    Each row comes with its state, which has a colour; below stands what to type, and what it does.
    """
    below = " · ".join(f"<code>{escape(verb)}</code> {escape(does)}" for verb, does in advice)
    head = "".join(
        f'<th scope="col" style="{CELL};opacity:.7;font-weight:500">{escape(each)}</th>'
        for each in columns
    )
    return (
        '<div style="overflow-x:auto;max-width:1000px">'
        '<table style="border-collapse:collapse;font-size:13px;margin:0;color:inherit">'
        f'<thead><tr style="background:none">{head}</tr></thead>'
        f"<tbody>{''.join(_row(columns, *each) for each in rows)}</tbody></table>"
        f'<div style="font-size:12px;margin-top:8px">{below}</div></div>'
    )


def _row(columns: list[str], cells: list[str], state: str) -> str:
    colour = COLOURS.get(state, QUIET)
    shown = ""
    for column, cell in zip(columns, cells, strict=True):
        style, text = CELL, escape(cell)
        if column == "status":
            text = f'<span style="color:{colour}" aria-hidden="true">●</span> {text}'
            style += ";font-weight:600" if state in COLOURS else ""
        elif column == "id":
            text = f"<code>{text}</code>"
        elif column in {"open", "idle", "left"}:
            style += ";font-variant-numeric:tabular-nums"
        elif column in {"prompt", "held by"}:
            style += ";white-space:normal;min-width:140px;max-width:320px"
        shown += f'<td style="{style}">{text}</td>'
    return f'<tr style="background:none;border-top:1px solid #8883">{shown}</tr>'


def clock(seconds: float) -> str:
    """Return a length of time as ``1:05`` or ``1:02:05``."""
    minutes, second = divmod(int(max(0.0, seconds)), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
