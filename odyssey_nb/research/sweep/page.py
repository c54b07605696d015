"""A sweep as a page that needs neither kernel nor network: how far it is, and how runs ended."""

from __future__ import annotations

import base64
from html import escape
from typing import TYPE_CHECKING

from odyssey_nb.kernel.tables import BAD, GOOD, QUIET
from odyssey_nb.research.sweep.store import State

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from odyssey_nb.research.sweep.plan import Run

MOST_SHOWN = 24  # runs
COLOURS = {
    State.DONE: GOOD,
    State.RUNNING: "var(--jp-brand-color1, #2196f3)",
    State.FAILED: BAD,
}


def page(line: str, counts: Mapping[State, int], runs: Sequence[Run]) -> str:
    """Return HTML of a bar under `line`, and a card for each run."""
    shares = "".join(
        f'<span style="display:block;height:8px;width:{counts[state] / len(runs):.1%};'
        f'background:{colour}"></span>'
        for state, colour in COLOURS.items()
        if state in counts
    )
    more = len(runs) - MOST_SHOWN
    below = f'<div style="opacity:.8">and {more} more: .table() has all</div>' if more > 0 else ""
    return (
        '<div style="max-width:1000px">'
        f'<div style="margin-bottom:10px">{escape(line)}'
        '<span aria-hidden="true" style="display:flex;width:240px;height:8px;margin-top:6px;'
        f'border-radius:4px;background:#8884;overflow:hidden">{shares}</span></div>'
        '<div style="display:flex;flex-wrap:wrap;gap:12px">'
        f"{''.join(map(_card, runs[:MOST_SHOWN]))}</div>{below}</div>"
    )


def _card(run: Run) -> str:
    state, label = run.note.state, escape(run.label or run.prompt)
    shape = "width:176px;aspect-ratio:20/11;border-radius:8px;background:#8882"
    jpeg = run.store.thumbnail(run.key) if state == State.DONE else b""
    if jpeg:
        source = f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"
        shown = f'<img src="{source}" alt="{label}" style="{shape};object-fit:contain;margin:0">'
    else:
        colour = COLOURS.get(state, QUIET)
        shown = (
            f'<div title="{escape(run.error)}" style="{shape};display:flex;align-items:center;'
            f'justify-content:center;color:{colour}">{state}</div>'
        )
    return (
        f'<figure style="margin:0;width:176px">{shown}'
        f'<figcaption style="font-size:12px;opacity:.85">{label}</figcaption></figure>'
    )
