"""What the routes work with, and how they read requests and write answers."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from fastapi import HTTPException, Query, Request, Response, WebSocket
from fastapi.requests import HTTPConnection

from odyssey_nb.service import refusals
from odyssey_nb.wire.codec import MalformedMessageError, decode_body, encode_body

if TYPE_CHECKING:
    from collections.abc import Callable

    from odyssey_nb.service.accounts import Accounts, Caller
    from odyssey_nb.service.broadcasts import Broadcasts
    from odyssey_nb.service.crowds import Crowds
    from odyssey_nb.service.gate import Gate
    from odyssey_nb.service.keys import KeyRing
    from odyssey_nb.service.limits import Limits
    from odyssey_nb.service.metrics import Metrics
    from odyssey_nb.service.rates import Rates
    from odyssey_nb.service.readiness import Probe
    from odyssey_nb.service.recordings import Recordings
    from odyssey_nb.service.sessions import SessionTable
    from odyssey_nb.service.signaling import Switchboard
    from odyssey_nb.service.simulators import Simulators
    from odyssey_nb.service.usage import Ledger
    from odyssey_nb.wire.control import IceServer

T = TypeVar("T")

API, SIGNALING = "api", "signaling"  # audiences of our tokens

LARGEST_BODY = 64 * 1024 * 1024  # bytes; one image of 25 MiB as base64, and more
MOST_LISTED = 100  # entries in one answer (protocol sections 2.8 and 2.9)
MOST_SKIPPED = 2**31 - 1  # what every database takes
# Only described so: `check_page` refuses in words, of which clients make more than of a list.
Limit = Annotated[int, Query(json_schema_extra={"minimum": 1, "maximum": MOST_LISTED})]
Offset = Annotated[int, Query(json_schema_extra={"minimum": 0, "maximum": MOST_SKIPPED})]


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What the routes work with; one per application."""

    keys: KeyRing
    accounts: Accounts
    ledger: Ledger
    gate: Gate
    rates: Rates
    limits: Limits
    table: SessionTable
    switchboard: Switchboard
    recordings: Recordings
    broadcasts: Broadcasts
    crowds: Crowds
    metrics: Metrics
    probe: Probe
    simulators: Simulators
    private_script_urls: bool  # whether scripts may be fetched from them
    world: str
    takes_images: bool  # whether that world does
    stun_port: int
    relays: Callable[[], list[IceServer]]  # TURN servers, with fresh credentials
    secret: str  # by which this service proves who it is, to those who know it too
    pid: int


def desk_of(request: Request | WebSocket) -> Desk:
    """Return the application's desk."""
    desk: Desk = request.app.state.desk
    return desk


async def identify(connection: HTTPConnection) -> None:
    """Find out whose access token a request carries, and count the request as theirs.

    Every route depends on this, since a key that was revoked is known to the database alone, which
    the event loop may not ask by itself.

    Raises:
        RefusedError: There were too many lately.
    """
    if connection.scope["type"] != "http":  # sockets carry tokens of another kind
        return
    if "\0" in connection.url.path:  # no id has it, and not every database takes it
        raise HTTPException(404, "Not Found")
    desk: Desk = connection.app.state.desk
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    claims = desk.keys.verify(token, API) if scheme.lower() == "bearer" else None
    connection.state.caller = caller = await holder_of(desk, claims)
    if caller is not None:
        count(desk, caller.account.id)


async def holder_of(desk: Desk, claims: dict[str, Any] | None) -> Caller | None:
    """Return whose token has these `claims`, unless the key that it was made from is revoked."""
    number = str((claims or {}).get("key", ""))  # absent from tokens of earlier versions
    return await asyncio.to_thread(desk.accounts.caller, int(number)) if number else None


def count(desk: Desk, who: str) -> None:
    """Count a request of `who`.

    Raises:
        RefusedError: There were too many lately.
    """
    wait = desk.rates.take(who)
    if wait:
        raise refusals.too_fast(wait)


def caller_of(request: Request) -> Caller:
    """Return whose access token the request carries; without a good one it is refused with 401."""
    caller: Caller | None = request.state.caller
    if caller is None:
        raise HTTPException(401, "Invalid or expired access token")
    return caller


def account_of(request: Request) -> str:
    """Return the id of the account that asks; refused with 401 like `caller_of`."""
    return caller_of(request).account.id


async def body_of(request: Request, kind: type[T]) -> T:
    """Return the request's body as a `kind`; others are refused: 422, or 413 when too large."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > LARGEST_BODY:
            raise HTTPException(413, f"The body has more than {LARGEST_BODY // 2**20} MiB")
    try:
        return decode_body(bytes(body) or b"{}", kind)
    except MalformedMessageError as error:
        raise HTTPException(422, f"malformed request: {error}") from error


def check_page(limit: int, offset: int) -> None:
    """Refuse with 422 a page that cannot be."""
    if not (1 <= limit <= MOST_LISTED and 0 <= offset <= MOST_SKIPPED):
        raise HTTPException(422, f"limit is 1 to {MOST_LISTED}, offset 0 or more")


def answer(body: object, status: int = 200) -> Response:
    """Return `body` as JSON."""
    return Response(encode_body(body), status, media_type="application/json")


def origin_of(request: HTTPConnection, scheme: str = "http") -> str:
    """Return the address at which the client found us, as ``http`` or ``ws`` with its security."""
    secure = "s" if request.url.scheme in {"https", "wss"} else ""
    return f"{scheme}{secure}://{request.url.netloc}"


def iso(seconds: float) -> str:
    """Return a time, in seconds since the epoch, as the API writes it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
