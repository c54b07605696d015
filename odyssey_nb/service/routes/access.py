"""Keys against tokens, regions, and the ICE servers: what a client asks first."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import PlainTextResponse

from odyssey_nb.service.desk import API, account_of, answer, body_of, count, desk_of, origin_of
from odyssey_nb.service.openapi import described
from odyssey_nb.wire.control import (
    AccessToken,
    IceConfig,
    IceServer,
    KeyExchange,
    Region,
    Regions,
)

ACCESS_SECONDS = 3600.0
REGION = "local"

router = APIRouter()


@router.post(
    "/auth/token",
    **described(AccessToken, takes=KeyExchange, refuses=[401], secured=False),
)
async def exchange_key(request: Request) -> Response:
    """Exchange an API key for an access token."""
    desk = desk_of(request)
    count(desk, f"address {request.client.host if request.client else ''}")
    key = (await body_of(request, KeyExchange)).api_key
    caller = await asyncio.to_thread(desk.accounts.find, key)
    if caller is None:
        raise HTTPException(401, "Invalid API key")
    claims = {"sub": caller.account.id, "key": str(caller.key)}
    token = desk.keys.issue(API, ACCESS_SECONDS, **claims)
    return answer(AccessToken(access_token=token, expires_in=ACCESS_SECONDS, token_type="bearer"))


@router.get("/regions", **described(Regions))
async def regions(request: Request) -> Response:
    """List the one region there is."""
    account_of(request)
    return answer(Regions(regions=[Region(id=REGION, ping_url=f"{origin_of(request)}/ping")]))


@router.get("/ping", **described("text/plain", secured=False))
async def ping() -> Response:
    """Answer, so that a client can time it."""
    return PlainTextResponse("pong")


@router.get("/config", **described(IceConfig, secured=False))
async def ice_config(request: Request) -> Response:
    """Return the ICE servers: our own STUN responder, and the TURN servers that we were given."""
    return answer(IceConfig(iceServers=_ice_servers(request)))


def _ice_servers(request: Request) -> list[IceServer]:
    host = request.url.hostname or "127.0.0.1"
    host = f"[{host}]" if ":" in host else host
    desk = desk_of(request)
    return [IceServer(urls=f"stun:{host}:{desk.stun_port}"), *desk.relays()]
