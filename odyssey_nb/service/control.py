"""The HTTP API (protocol section 2) and the WebSocket's door."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from fastapi import APIRouter, HTTPException, Request, Response, WebSocket
from fastapi.responses import FileResponse, PlainTextResponse

from odyssey_nb.config import VERSION
from odyssey_nb.discovery import proof
from odyssey_nb.service.recordings import FILES
from odyssey_nb.service.sessions import NoFreeStreamerError, TooManySessionsError
from odyssey_nb.wire.codec import MalformedMessageError, decode_body, encode_body
from odyssey_nb.wire.control import (
    AccessToken,
    Capabilities,
    IceConfig,
    IceServer,
    KeyExchange,
    Region,
    Regions,
    SessionGrant,
    SessionRequest,
    Sessions,
    SessionToken,
    SessionTokenRequest,
    UsageProblem,
)
from odyssey_nb.wire.recordings import Recording, RecordingInfo, RecordingPage
from odyssey_nb.wire.streamer import Negotiate

if TYPE_CHECKING:
    from odyssey_nb.service.keys import KeyRing
    from odyssey_nb.service.limits import Limits
    from odyssey_nb.service.recordings import Recordings
    from odyssey_nb.service.sessions import Session, SessionTable
    from odyssey_nb.service.signaling import Switchboard

T = TypeVar("T")

API, SIGNALING = "api", "signaling"  # audiences of our tokens
ACCESS_SECONDS = 3600.0
TOKEN_SECONDS = 600.0
REGION = "local"
MOST_LISTED = 100  # recordings in one answer (protocol section 2.8)
MEDIA_TYPES = {".mp4": "video/mp4", ".jpg": "image/jpeg", ".jsonl": "application/jsonl"}

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Desk:
    """What the routes work with; one per application."""

    keys: KeyRing
    limits: Limits
    table: SessionTable
    switchboard: Switchboard
    recordings: Recordings
    world: str
    stun_port: int
    secret: str  # by which this service proves who it is, to those who know it too
    pid: int


def _desk(request: Request | WebSocket) -> Desk:
    desk: Desk = request.app.state.desk
    return desk


def _json(body: object, status: int = 200) -> Response:
    return Response(encode_body(body), status, media_type="application/json")


async def _body(request: Request, kind: type[T]) -> T:
    try:
        return decode_body(await request.body() or b"{}", kind)
    except MalformedMessageError as error:
        raise HTTPException(422, f"malformed request: {error}") from error


def _account(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    claims = _desk(request).keys.verify(token, API) if scheme.lower() == "bearer" else None
    if claims is None:
        raise HTTPException(401, "Invalid or expired access token")
    return str(claims["sub"])


def _owned(request: Request, session_id: str) -> Session:
    account = _account(request)
    session = _desk(request).table.get(session_id)
    if session is None or session.account != account:
        raise HTTPException(404, "Session not found or not authorized")
    return session


@router.post("/auth/token")
async def exchange_key(request: Request) -> Response:
    """Exchange an API key for an access token."""
    keys = _desk(request).keys
    account = keys.account((await _body(request, KeyExchange)).api_key)
    if account is None:
        raise HTTPException(401, "Invalid API key")
    token = keys.issue(API, ACCESS_SECONDS, sub=account)
    return _json(AccessToken(access_token=token, expires_in=ACCESS_SECONDS, token_type="bearer"))


@router.get("/regions")
async def regions(request: Request) -> Response:
    """List the one region there is."""
    _account(request)
    return _json(Regions(regions=[Region(id=REGION, ping_url=f"{_origin(request)}/ping")]))


@router.get("/ping")
async def ping() -> Response:
    """Answer, so that a client can time it."""
    return PlainTextResponse("pong")


@router.post("/sessions/request")
async def request_session(request: Request) -> Response:
    """Reserve a streamer: 200, 429 over the account's limit, 503 when none is free."""
    desk, account = _desk(request), _account(request)
    await _body(request, SessionRequest)
    try:
        session = desk.table.request(account)
    except TooManySessionsError as error:
        problem = UsageProblem(
            error="CONCURRENT_LIMIT_REACHED",
            message=f"Maximum concurrent sessions ({error.limit}) reached",
            action="End another session, then try again.",
            details={"active_count": error.active, "limit": error.limit},
        )
        return _json({"detail": problem}, 429)
    except NoFreeStreamerError:
        raise HTTPException(503, "No streamer is free") from None
    return _json(
        SessionGrant(
            session_id=session.id,
            signalling_url=_origin(request, "ws"),
            capabilities=Capabilities(image_to_video=False),
            model=desk.world,
            region=REGION,
            stream_seconds=desk.limits.stream_seconds,
        )
    )


@router.post("/sessions/token")
async def session_token(request: Request) -> Response:
    """Issue a token for the session's socket; earlier ones stay good."""
    session = _owned(request, (await _body(request, SessionTokenRequest)).session_id)
    token = _desk(request).keys.issue(
        SIGNALING, TOKEN_SECONDS, session_id=session.id, sub=session.account
    )
    return _json(SessionToken(session_token=token, expires_in=TOKEN_SECONDS))


@router.get("/sessions")
async def list_sessions(request: Request) -> Response:
    """List the caller's live sessions."""
    table = _desk(request).table
    mine = table.of(_account(request))
    return _json(Sessions(sessions=[table.describe(session) for session in mine]))


@router.get("/stream-recordings")
async def list_recordings(request: Request, limit: int = 50, offset: int = 0) -> Response:
    """List the caller's recordings, newest first."""
    account = _account(request)
    if not (1 <= limit <= MOST_LISTED and offset >= 0):
        raise HTTPException(422, f"limit is 1 to {MOST_LISTED}, offset 0 or more")
    rows, total = await _desk(request).recordings.page(account, limit=limit, offset=offset)
    listed = [
        RecordingInfo(
            stream_id=row.id,
            width=row.width,
            height=row.height,
            started_at=_iso(row.started),
            ended_at=None if row.ended is None else _iso(row.ended),
            duration_seconds=row.duration,
        )
        for row in rows
    ]
    return _json(RecordingPage(recordings=listed, total=total, limit=limit, offset=offset))


@router.get("/recordings/{stream_id}")
async def recording(request: Request, stream_id: str) -> Response:
    """Say where the files of one recording are, for an hour."""
    account, desk = _account(request), _desk(request)
    row = await desk.recordings.find(stream_id, account)
    if row is None:
        raise HTTPException(404, "Recording not found")
    seconds = desk.limits.recording_url_seconds
    video, preview, thumbnail, events = (
        _origin(request) + desk.recordings.storage.signed(stream_id, name, seconds=seconds)
        for name in FILES
    )
    return _json(
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


@router.delete("/recordings/{stream_id}")
async def delete_recording(request: Request, stream_id: str) -> Response:
    """Remove one recording and its files."""
    account = _account(request)
    if not await _desk(request).recordings.delete(stream_id, account):
        raise HTTPException(404, "Recording not found")
    return Response(status_code=204)


@router.get("/media/{stream_id}/{name}")
async def media(
    request: Request, stream_id: str, name: str, expires: str = "", signature: str = ""
) -> Response:
    """Hand out the file of a signed URL, whole or in ranges."""
    file = _desk(request).recordings.storage.open(stream_id, name, expires, signature)
    if file is None:
        raise HTTPException(403, "This link is not valid, or has expired")
    return FileResponse(file, media_type=MEDIA_TYPES.get(file.suffix))


@router.post("/telemetry")
async def telemetry() -> Response:
    """Take the official SDK's telemetry, and drop it."""
    return _json({"status": "accepted"}, 202)


@router.get("/config")
async def ice_config(request: Request) -> Response:
    """Return the ICE servers: our own STUN responder."""
    return _json(IceConfig(iceServers=_ice_servers(request)))


@router.get("/healthz")
async def health(request: Request, challenge: str = "") -> Response:
    """Say who answers here, with a proof if there is a `challenge`."""
    desk = _desk(request)
    said = {"status": "ok", "version": VERSION, "pid": desk.pid, "sessions": len(desk.table)}
    if challenge:
        said["proof"] = proof(desk.secret, challenge)
    return _json(said | {"time": time.time()})


@router.websocket("/client/{session_id}")
async def signaling(socket: WebSocket, session_id: str, token: str = "") -> None:
    """Open the session's signaling socket; a bad token is refused at the upgrade."""
    desk = _desk(socket)
    claims = desk.keys.verify(token, SIGNALING)
    session = desk.table.get(session_id)
    allowed = claims is not None and claims.get("session_id") == session_id
    if not allowed or session is None:
        await socket.close()  # before accept: HTTP 403
        return
    await socket.accept()
    if desk.table.get(session_id) is not session:
        await socket.close()
        return
    desk.table.opened(session)
    negotiate = Negotiate(
        session_id=session.id,
        world=desk.world,
        stream_seconds=desk.limits.stream_seconds,
        media=str(desk.recordings.storage.root),
    )
    await desk.switchboard.conversation(session, desk.table, negotiate).attend(socket)


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def _origin(request: Request, scheme: str = "http") -> str:
    secure = "s" if request.url.scheme in {"https", "wss"} else ""
    return f"{scheme}{secure}://{request.url.netloc}"


def _ice_servers(request: Request) -> list[IceServer]:
    host = request.url.hostname or "127.0.0.1"
    host = f"[{host}]" if ":" in host else host
    return [IceServer(urls=f"stun:{host}:{_desk(request).stun_port}")]
