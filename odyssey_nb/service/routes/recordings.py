"""Recordings: list them, find their files, hand those out."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import FileResponse

from odyssey_nb.service.desk import (
    Limit,
    Offset,
    account_of,
    answer,
    check_page,
    desk_of,
    iso,
    origin_of,
)
from odyssey_nb.service.openapi import described
from odyssey_nb.service.recordings import FILES
from odyssey_nb.wire.recordings import Recording, RecordingInfo, RecordingPage

MEDIA_TYPES = {".mp4": "video/mp4", ".jpg": "image/jpeg", ".jsonl": "application/jsonl"}

router = APIRouter()


@router.get("/stream-recordings", **described(RecordingPage, refuses=[422]))
async def list_recordings(request: Request, limit: Limit = 50, offset: Offset = 0) -> Response:
    """List the caller's recordings, newest first."""
    account = account_of(request)
    check_page(limit, offset)
    rows, total = await desk_of(request).recordings.page(account, limit=limit, offset=offset)
    listed = [
        RecordingInfo(
            stream_id=row.id,
            width=row.width,
            height=row.height,
            started_at=iso(row.started),
            ended_at=None if row.ended is None else iso(row.ended),
            duration_seconds=row.duration,
        )
        for row in rows
    ]
    return answer(RecordingPage(recordings=listed, total=total, limit=limit, offset=offset))


@router.get("/recordings/{stream_id}", **described(Recording, refuses=[404]))
async def recording(request: Request, stream_id: str) -> Response:
    """Say where the files of one recording are, for an hour."""
    account, desk = account_of(request), desk_of(request)
    row = await desk.recordings.find(stream_id, account)
    if row is None:
        raise HTTPException(404, "Recording not found")
    video, preview, thumbnail, events = links_of(request, stream_id)
    return answer(
        Recording(
            stream_id=row.id,
            video_url=video,
            events_url=events,
            thumbnail_url=thumbnail,
            preview_url=preview,
            frame_count=row.frame_count,
            duration_seconds=row.duration,
        )
    )


@router.delete("/recordings/{stream_id}", **described(status=204, refuses=[404]))
async def delete_recording(request: Request, stream_id: str) -> Response:
    """Remove one recording and its files."""
    account = account_of(request)
    if not await desk_of(request).recordings.delete(stream_id, account):
        raise HTTPException(404, "Recording not found")
    return Response(status_code=204)


@router.get(
    "/media/{stream_id}/{name}",
    **described("application/octet-stream", refuses=[403], secured=False),
)
async def media(
    request: Request, stream_id: str, name: str, expires: str = "", signature: str = ""
) -> Response:
    """Hand out the file of a signed URL, whole or in ranges."""
    file = desk_of(request).recordings.storage.open(stream_id, name, expires, signature)
    if file is None:
        raise HTTPException(403, "This link is not valid, or has expired")
    return FileResponse(file, media_type=MEDIA_TYPES.get(file.suffix))


def links_of(request: Request, stream_id: str) -> list[str]:
    """Return for each of `FILES` where the recording's is, good for as long as the limit says."""
    desk = desk_of(request)
    signed, seconds = desk.recordings.storage.signed, desk.limits.recording_url_seconds
    return [origin_of(request) + signed(stream_id, name, seconds=seconds) for name in FILES]
