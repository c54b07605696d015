"""For those who run the service: is it there, and what the official SDK tells of itself."""

from __future__ import annotations

import time

from fastapi import APIRouter, Request, Response

from odyssey_nb.config import VERSION
from odyssey_nb.discovery import proof
from odyssey_nb.service.desk import answer, desk_of

router = APIRouter()


@router.post("/telemetry")
async def telemetry() -> Response:
    """Take the official SDK's telemetry, and drop it."""
    return answer({"status": "accepted"}, 202)


@router.get("/healthz")
async def health(request: Request, challenge: str = "") -> Response:
    """Say who answers here, with a proof if there is a `challenge`."""
    desk = desk_of(request)
    said = {"status": "ok", "version": VERSION, "pid": desk.pid, "sessions": len(desk.table)}
    if challenge:
        said["proof"] = proof(desk.secret, challenge)
    return answer(said | {"time": time.time()})
