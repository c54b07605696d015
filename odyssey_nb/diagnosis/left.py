"""What programs here hold, and what dead ones have left behind."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from odyssey_nb.kernel.runtime import get_manager
from odyssey_nb.kernel.sessions import spell

if TYPE_CHECKING:
    from odyssey_nb.diagnosis.patient import Chart, Patient


async def sessions(_patient: Patient, chart: Chart) -> None:
    """Every session that is known here."""
    rows = await asyncio.to_thread(get_manager().sessions)
    remedy = f"`{spell('reap')}` ends what dangles."
    for row in rows:
        if row.dangling and row.status == "ended":
            chart.warn(f"a lease without a session is left by {row.where}", remedy)
        elif row.dangling:
            held = f"{row.id or 'a session'} at {row.target or row.url}"
            chart.fail(f"{held} is held by nobody ({row.where})", remedy)
    alive = [row for row in rows if not row.dangling]
    here = sum(row.here for row in alive)
    if len(alive) == len(rows):
        chart.ok(f"{len(rows)} open, {here} of them by this program; none dangles")
