"""Simulations: submit, follow, list and cancel scripted streams (protocol section 2.9)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, HTTPException, Query, Request, Response

from odyssey_nb.errors import NO_IMAGES, ScriptError
from odyssey_nb.service.desk import (
    Limit,
    Offset,
    account_of,
    answer,
    body_of,
    caller_of,
    check_page,
    desk_of,
    iso,
)
from odyssey_nb.service.openapi import described
from odyssey_nb.service.recordings import FILES
from odyssey_nb.service.routes.access import REGION
from odyssey_nb.service.routes.recordings import links_of
from odyssey_nb.wire.control import Refusal
from odyssey_nb.wire.script import read_script, read_scripts
from odyssey_nb.wire.simulations import (
    SimulatedStream,
    SimulationInfo,
    SimulationPage,
    SimulationRequest,
    SimulationStatus,
)
from odyssey_nb.wire.stream import LANDSCAPE, PORTRAIT

if TYPE_CHECKING:
    from odyssey_nb.service.database import SimulationRow, StreamRow
    from odyssey_nb.service.desk import Desk
    from odyssey_nb.wire.script import Script

# Only described so, as `Limit` is.
Status = Annotated[str, Query(json_schema_extra={"enum": list(SimulationStatus)})]

router = APIRouter()


@router.post(
    "/simulation-jobs",
    **described(SimulationInfo, status=202, takes=SimulationRequest, refuses=(403, 422)),
)
async def submit(request: Request) -> Response:
    """Let a simulation wait for its turn; what is wrong with a script is told by entry."""
    desk, caller = desk_of(request), caller_of(request)
    body = await body_of(request, SimulationRequest)
    account = caller.account
    await desk.gate.admit(account)
    if body.bypass_vlm_expansion and not account.may_bypass:
        raise HTTPException(403, "The account may not bypass the expansion of prompts")
    try:
        scripts = await _scripts_of(body, desk, account.allowance.stream_seconds)
    except ScriptError as error:
        raise HTTPException(422, str(error)) from error
    row = await asyncio.to_thread(
        desk.simulators.queue.submit,
        account.id,
        scripts,
        portrait=body.portrait,
        bypass=bool(body.bypass_vlm_expansion),
        limit=account.allowance.simulation_queue,
    )
    desk.simulators.wake()
    return answer(_info(row), 202)


async def _scripts_of(body: SimulationRequest, desk: Desk, longest: float) -> list[Script]:
    given = [each for each in (body.script, body.scripts, body.script_url) if each is not None]
    if len(given) != 1:
        raise ScriptError("exactly one of script, scripts and script_url")
    script, scripts = body.script, body.scripts
    if body.script_url is not None:
        # Loads aiohttp, which nothing else in this process needs.
        from odyssey_nb.service.script_source import fetch

        found = await fetch(body.script_url, allow_private=desk.private_script_urls)
        batch = isinstance(found, list) and bool(found) and isinstance(found[0], list)
        script, scripts = (None, found) if batch else (found, None)
    if scripts is not None:
        read = read_scripts(scripts, longest=longest)
    else:
        read = [read_script(script, longest=longest)]
    if not desk.takes_images and any(each[0].start and each[0].start.image for each in read):
        raise ScriptError(NO_IMAGES)
    return read


@router.get("/simulation-jobs", **described(SimulationPage, refuses=[422]))
async def list_simulations(
    request: Request,
    status: Status = "",
    active: bool = False,  # noqa: FBT001, FBT002 - a query's field
    limit: Limit = 20,
    offset: Offset = 0,
) -> Response:
    """List the caller's simulations, newest first."""
    account = account_of(request)
    check_page(limit, offset)
    if status and status not in set(SimulationStatus):
        raise HTTPException(422, f"status is one of {', '.join(SimulationStatus)}")
    rows, total = await asyncio.to_thread(
        desk_of(request).simulators.queue.page,
        account,
        status=status or None,
        active=active,
        limit=limit,
        offset=offset,
    )
    page = SimulationPage(
        jobs=[_info(row) for row in rows], total=total, limit=limit, offset=offset
    )
    return answer(page)


@router.get("/simulation-jobs/{job_id}", **described(SimulationInfo, refuses=[404]))
async def simulation(request: Request, job_id: str) -> Response:
    """Say how far a simulation has come, and where its results are."""
    account = account_of(request)
    found = await asyncio.to_thread(desk_of(request).simulators.queue.find, job_id, account)
    if found is None:
        raise HTTPException(404, "Simulation job not found")
    row, results = found
    streams = [_stream(request, index, stream) for index, stream in results]
    return answer(_info(row, streams))


@router.delete(
    "/simulation-jobs/{job_id}",
    **described(SimulationInfo, refuses=[404], also={400: Refusal}),
)
async def cancel(request: Request, job_id: str) -> Response:
    """Cancel a simulation that has not made a picture yet."""
    account, simulators = account_of(request), desk_of(request).simulators
    found = await asyncio.to_thread(simulators.queue.cancel, job_id, account)
    if found is None:
        raise HTTPException(404, "Simulation job not found")
    row, done = found
    if not done:
        raise HTTPException(400, f"A job that is {row.status} cannot be cancelled")
    return answer(_info(row))


def _info(row: SimulationRow, streams: list[SimulatedStream] | None = None) -> SimulationInfo:
    width, height = PORTRAIT if row.portrait else LANDSCAPE
    dispatched, started, completed = (
        None if each is None else iso(each) for each in (row.dispatched, row.started, row.completed)
    )
    return SimulationInfo(
        job_id=row.id,
        status=row.status,
        created_at=iso(row.created),
        dispatched_at=dispatched,
        started_at=started,
        completed_at=completed,
        error_message=row.error,
        assigned_region=None if dispatched is None else REGION,
        retry_count=row.retries,
        streams=streams,
        frames_done=row.frames_done,
        frames_total=row.frames_total,
        width=width,
        height=height,
    )


def _stream(request: Request, index: int, row: StreamRow) -> SimulatedStream:
    deleted = [None] * len(FILES)
    links = links_of(request, row.id) if row.state == "ready" else deleted
    video, preview, thumbnail, events = links
    return SimulatedStream(
        stream_id=row.id,
        video_url=video,
        events_url=events,
        thumbnail_url=thumbnail,
        preview_url=preview,
        frame_count=row.frame_count,
        duration_seconds=row.duration,
        script_index=index,
        width=row.width,
        height=row.height,
    )
