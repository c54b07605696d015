"""Sessions: reserve a streamer, list and end what is held, and the signaling socket's door."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, HTTPException, Request, Response, WebSocket

from odyssey_nb.service.desk import (
    SIGNALING,
    account_of,
    answer,
    body_of,
    caller_of,
    desk_of,
    holder_of,
    origin_of,
)
from odyssey_nb.service.openapi import described
from odyssey_nb.service.refusals import too_many_sessions
from odyssey_nb.service.routes.access import REGION
from odyssey_nb.service.sessions import ENDED_BY_OWNER, NoFreeStreamerError, TooManySessionsError
from odyssey_nb.wire.control import (
    Capabilities,
    SessionGrant,
    SessionRequest,
    Sessions,
    SessionToken,
    SessionTokenRequest,
)
from odyssey_nb.wire.streamer import Negotiate

if TYPE_CHECKING:
    from odyssey_nb.service.sessions import Session

TOKEN_SECONDS = 600.0

router = APIRouter()


@router.post(
    "/sessions/request",
    **described(SessionGrant, takes=SessionRequest, refuses=[503]),
)
async def request_session(request: Request) -> Response:
    """Reserve a streamer: 200, 429 over one of the account's limits, 503 when none is free."""
    desk, account = desk_of(request), caller_of(request).account
    await body_of(request, SessionRequest)
    await desk.gate.admit(account)
    allowance = account.allowance
    try:
        session = desk.table.request(account.id, limit=allowance.concurrent_streams)
    except TooManySessionsError as error:
        raise too_many_sessions(error.active, error.limit) from None
    except NoFreeStreamerError:
        raise HTTPException(503, "No streamer is free") from None
    return answer(
        SessionGrant(
            session_id=session.id,
            signalling_url=origin_of(request, "ws"),
            capabilities=Capabilities(image_to_video=desk.takes_images),
            model=desk.world,
            region=REGION,
            stream_seconds=allowance.stream_seconds,
            connection_seconds=desk.table.limits.connection_seconds,
            idle_seconds=desk.table.limits.idle_seconds,
        )
    )


@router.post("/sessions/token", **described(SessionToken, takes=SessionTokenRequest, refuses=[404]))
async def session_token(request: Request) -> Response:
    """Issue a token for the session's socket; earlier ones stay good."""
    session = _owned(request, (await body_of(request, SessionTokenRequest)).session_id)
    claims = {"session_id": session.id, "sub": session.account, "key": str(caller_of(request).key)}
    token = desk_of(request).keys.issue(SIGNALING, TOKEN_SECONDS, **claims)
    return answer(SessionToken(session_token=token, expires_in=TOKEN_SECONDS))


@router.get("/sessions", **described(Sessions))
async def list_sessions(request: Request) -> Response:
    """List the caller's live sessions."""
    table = desk_of(request).table
    mine = table.of(account_of(request))
    return answer(Sessions(sessions=[table.describe(session) for session in mine]))


@router.delete("/sessions/{session_id}", **described(status=204, refuses=[404]))
async def end_session(request: Request, session_id: str) -> Response:
    """End one of the caller's sessions; whoever holds it is told so."""
    desk_of(request).table.end(_owned(request, session_id).id, ENDED_BY_OWNER)
    return Response(status_code=204)


@router.websocket("/client/{session_id}")
async def signaling(socket: WebSocket, session_id: str, token: str = "") -> None:
    """Open the session's signaling socket; a bad token is refused at the upgrade."""
    desk = desk_of(socket)
    claims = desk.keys.verify(token, SIGNALING)
    holder = await holder_of(desk, claims)
    session = desk.table.get(session_id)
    allowed = claims is not None and claims.get("session_id") == session_id
    if holder is None or not allowed or session is None:
        await socket.close()  # before accept: HTTP 403
        return
    await socket.accept()
    if desk.table.get(session_id) is not session:
        await socket.close()
        return
    peer = socket.client
    desk.table.opened(session, (peer.host, peer.port) if peer is not None else None)
    negotiate = Negotiate(
        session_id=session.id,
        world=desk.world,
        media=str(desk.recordings.storage.root),
        broadcasts=str(desk.broadcasts.root),
        origin=origin_of(socket),
        spectators=desk.limits.spectators,
        ice_servers=desk.relays(),
        join_seconds=desk.limits.negotiation_seconds,
    )
    await desk.switchboard.conversation(session, desk.table, negotiate).attend(socket)


def _owned(request: Request, session_id: str) -> Session:
    account = account_of(request)
    session = desk_of(request).table.get(session_id)
    if session is None or session.account != account:
        raise HTTPException(404, "Session not found or not authorized")
    return session
