"""What the routes work with, and how they read requests and write answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from fastapi import HTTPException, Request, Response, WebSocket

from odyssey_nb.wire.codec import MalformedMessageError, decode_body, encode_body

if TYPE_CHECKING:
    from odyssey_nb.service.keys import KeyRing
    from odyssey_nb.service.limits import Limits
    from odyssey_nb.service.metrics import Metrics
    from odyssey_nb.service.readiness import Probe
    from odyssey_nb.service.recordings import Recordings
    from odyssey_nb.service.sessions import SessionTable
    from odyssey_nb.service.signaling import Switchboard

T = TypeVar("T")

API, SIGNALING = "api", "signaling"  # audiences of our tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What the routes work with; one per application."""

    keys: KeyRing
    limits: Limits
    table: SessionTable
    switchboard: Switchboard
    recordings: Recordings
    metrics: Metrics
    probe: Probe
    world: str
    stun_port: int
    secret: str  # by which this service proves who it is, to those who know it too
    pid: int


def desk_of(request: Request | WebSocket) -> Desk:
    """Return the application's desk."""
    desk: Desk = request.app.state.desk
    return desk


def account_of(request: Request) -> str:
    """Return whose access token the request carries; without a good one it is refused with 401."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    claims = desk_of(request).keys.verify(token, API) if scheme.lower() == "bearer" else None
    if claims is None:
        raise HTTPException(401, "Invalid or expired access token")
    return str(claims["sub"])


async def body_of(request: Request, kind: type[T]) -> T:
    """Return the request's body as a `kind`; any other is refused with 422."""
    try:
        return decode_body(await request.body() or b"{}", kind)
    except MalformedMessageError as error:
        raise HTTPException(422, f"malformed request: {error}") from error


def answer(body: object, status: int = 200) -> Response:
    """Return `body` as JSON."""
    return Response(encode_body(body), status, media_type="application/json")


def origin_of(request: Request, scheme: str = "http") -> str:
    """Return the address at which the client found us, as ``http`` or ``ws`` with its security."""
    secure = "s" if request.url.scheme in {"https", "wss"} else ""
    return f"{scheme}{secure}://{request.url.netloc}"


def iso(seconds: float) -> str:
    """Return a time, in seconds since the epoch, as the API writes it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
