"""The sockets of a crowd, below its broadcast: an extension of ours, not of the official protocol.

Nothing that opens them is in an address: an owner shows an access token as a header, a page says
its participant's token as its first word.
"""

from __future__ import annotations

from fastapi import APIRouter, WebSocket

from odyssey_nb.service.desk import API, desk_of, holder_of
from odyssey_nb.wire.signaling import CloseCode

router = APIRouter(prefix="/live")


@router.websocket("/{stream_id}/crowd")
async def take_part(socket: WebSocket, stream_id: str) -> None:
    """Serve the page of a participant."""
    await socket.accept()
    await desk_of(socket).crowds.attend_page(socket, stream_id)


@router.websocket("/{stream_id}/crowd/owner")
async def conduct(socket: WebSocket, stream_id: str) -> None:
    """Serve whoever owns the stream; the first socket opens its crowd."""
    desk = desk_of(socket)
    scheme, _, token = socket.headers.get("authorization", "").partition(" ")
    claims = desk.keys.verify(token, API) if scheme.lower() == "bearer" else None
    caller = await holder_of(desk, claims)
    await socket.accept()
    if caller is None:
        await socket.close(CloseCode.BAD_TOKEN, "invalid or expired access token")
        return
    account = caller.account.id

    def owns(stream: str) -> bool:
        return any(each.stream_id == stream for each in desk.table.of(account))

    await desk.crowds.attend_owner(socket, stream_id, account, owns)
