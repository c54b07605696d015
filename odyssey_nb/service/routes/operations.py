"""For those who run the service: is it there, and what the official SDK tells of itself."""

from __future__ import annotations

import asyncio
import time

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse
from prometheus_client import CONTENT_TYPE_LATEST

from odyssey_nb.config import VERSION
from odyssey_nb.discovery import proof
from odyssey_nb.service.desk import answer, desk_of
from odyssey_nb.service.docs import page
from odyssey_nb.service.openapi import described
from odyssey_nb.service.readiness import READY
from odyssey_nb.wire.operations import Health, Readiness, Received

router = APIRouter()


@router.post("/telemetry", **described(Received, status=202, secured=False))
async def telemetry() -> Response:
    """Take the official SDK's telemetry, and drop it."""
    return answer(Received(status="accepted"), 202)


@router.get("/healthz", **described(Health, secured=False))
async def health(request: Request, challenge: str = "") -> Response:
    """Say who answers here, with a proof if there is a `challenge`."""
    desk = desk_of(request)
    return answer(
        Health(
            status="ok",
            version=VERSION,
            pid=desk.pid,
            sessions=len(desk.table),
            time=time.time(),
            proof=proof(desk.secret, challenge) if challenge else None,
        )
    )


@router.get("/readyz", **described(Readiness, secured=False, also={503: Readiness}))
async def readiness(request: Request) -> Response:
    """Say whether a session would get what it needs; 503 if not, and which part lacks."""
    found = await desk_of(request).probe.ask()
    return answer(found, 200 if found.status == READY else 503)


@router.get("/metrics", **described("text/plain", secured=False))
async def metrics(request: Request) -> Response:
    """Return the metrics for Prometheus.

    They need no key, as scrapers expect: by default only this machine can ask, and no label names
    anybody.
    """
    text = await asyncio.to_thread(desk_of(request).metrics.text)
    return Response(text, media_type=CONTENT_TYPE_LATEST)


@router.get("/docs", include_in_schema=False)
async def docs(request: Request) -> Response:
    """Show the API's description to people."""
    return HTMLResponse(page(request.app.openapi()))
