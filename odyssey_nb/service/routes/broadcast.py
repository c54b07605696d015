"""Watching a broadcast: WHEP and HLS, opened by the same token (protocol section 7)."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import FileResponse

from odyssey_nb.service.broadcasts import NotAdmittedError
from odyssey_nb.service.desk import desk_of
from odyssey_nb.service.openapi import described
from odyssey_nb.service.playlist import INIT, PLAYLIST
from odyssey_nb.wire.control import Refusal
from odyssey_nb.wire.streamer import NotAdmitted

SDP, LIST = "application/sdp", "application/vnd.apple.mpegurl"
SEGMENT = "video/iso.segment"
LARGEST_OFFER = 64 * 1024  # bytes; a browser's has about 6000
REFUSALS = {
    NotAdmitted.UNKNOWN: (404, "There is no such broadcast, or not any more"),
    NotAdmitted.WRONG_TOKEN: (401, "Invalid spectator token"),
    NotAdmitted.FULL: (503, "Too many spectators"),
    NotAdmitted.NOT_UNDERSTOOD: (400, "The offer is no SDP that asks for H.264 video"),
    NotAdmitted.LATE: (504, "The streamer did not answer in time"),
}

router = APIRouter(prefix="/live")


@router.post(
    "/{stream_id}/whep",
    **described(
        SDP,
        status=201,
        takes=SDP,
        refuses=[401, 404, 503],
        secured=False,
        also=dict.fromkeys((400, 413, 415, 504), Refusal),
    ),
)
async def join(request: Request, stream_id: str, token: str = "") -> Response:
    """Take a spectator's offer; its answer is complete, there is nothing to trickle or patch."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != SDP:
        raise HTTPException(415, f"An offer is of type {SDP}")
    offer = await _offer_of(request)
    try:
        spectator, answer = await desk_of(request).broadcasts.join(stream_id, token, offer)
    except NotAdmittedError as error:
        raise _refusal(error) from None
    location = f"{request.url.path}/{spectator}"
    return Response(answer, 201, headers={"Location": location}, media_type=SDP)


@router.delete(
    "/{stream_id}/whep/{spectator}", **described(status=204, refuses=[404], secured=False)
)
async def leave(request: Request, stream_id: str, spectator: str) -> Response:
    """Take leave of a spectator; nobody else can know the address."""
    if not desk_of(request).broadcasts.leave(stream_id, spectator):
        raise HTTPException(404, "There is no such spectator, or not any more")
    return Response(status_code=204)


@router.get(f"/{{stream_id}}/{PLAYLIST}", **described(LIST, refuses=[401, 404], secured=False))
async def playlist(request: Request, stream_id: str, token: str = "") -> Response:
    """Return the list of the last seconds; its addresses carry the token on."""
    broadcasts = desk_of(request).broadcasts
    try:
        text = await asyncio.to_thread(broadcasts.playlist, stream_id, token)
    except NotAdmittedError as error:
        raise _refusal(error) from None
    if text is None:
        raise HTTPException(404, "There is nothing to play yet")
    headers = {"Cache-Control": "no-cache"}
    return Response(text, headers=headers, media_type=LIST)


@router.get("/{stream_id}/{name}", **described(SEGMENT, refuses=[401, 404], secured=False))
async def segment(request: Request, stream_id: str, name: str, token: str = "") -> Response:
    """Hand out a second of pictures, or what decoders need before the first."""
    broadcasts = desk_of(request).broadcasts
    try:
        file = await asyncio.to_thread(broadcasts.file, stream_id, token, name)
    except NotAdmittedError as error:
        raise _refusal(error) from None
    if file is None:
        raise HTTPException(404, "There is no such segment, or not any more")
    return FileResponse(file, media_type="video/mp4" if name == INIT else SEGMENT)


async def _offer_of(request: Request) -> str:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LARGEST_OFFER:
            raise HTTPException(413, "The offer is too long")
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise _refusal(NotAdmittedError(NotAdmitted.NOT_UNDERSTOOD)) from None


def _refusal(error: NotAdmittedError) -> HTTPException:
    return HTTPException(*REFUSALS[error.reason])
