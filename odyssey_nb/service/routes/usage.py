"""What the caller has used, and may use."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request, Response

from odyssey_nb.service.desk import answer, caller_of, desk_of
from odyssey_nb.service.openapi import described
from odyssey_nb.wire.usage import Usage

router = APIRouter()


@router.get("/usage", **described(Usage))
async def usage(request: Request) -> Response:
    """Tell the three figures of the account page, and the days of the month behind them."""
    desk, account = desk_of(request), caller_of(request).account
    used = await asyncio.to_thread(desk.ledger.used, account.id)
    waiting = await asyncio.to_thread(desk.simulators.queue.active, account.id)
    return answer(
        Usage(
            concurrent_streams=len(desk.table.of(account.id)),
            concurrent_limit=account.allowance.concurrent_streams,
            stream_hours=used.stream_hours,
            simulation_hours=used.simulation_hours,
            period_start=used.period.start.isoformat(),
            period_end=used.period.end.isoformat(),
            monthly_hours=account.allowance.monthly_hours,
            waiting_simulations=waiting,
            simulation_queue=account.allowance.simulation_queue,
            suspended=account.suspended,
            days=used.days,
        )
    )
