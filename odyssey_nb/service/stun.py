"""A STUN responder, so that no client ever needs a public one (protocol section 3.2)."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, cast

from aioice import stun

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class _Responder(asyncio.DatagramProtocol):
    """Answers binding requests (RFC 8489 section 6.3.1) with the address they came from."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        try:
            request = stun.parse_message(data)
        except ValueError:
            return
        binding = request.message_method == stun.Method.BINDING
        if not binding or request.message_class != stun.Class.REQUEST:
            return
        answer = stun.Message(
            message_method=stun.Method.BINDING,
            message_class=stun.Class.RESPONSE,
            transaction_id=request.transaction_id,
        )
        answer.attributes["XOR-MAPPED-ADDRESS"] = addr[:2]
        self._transport.sendto(bytes(answer), addr)


@asynccontextmanager
async def stun_responder(host: str) -> AsyncIterator[int]:
    """Answer STUN on a free UDP port of `host`, and yield that port."""
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        _Responder, local_addr=(host, 0)
    )
    try:
        yield transport.get_extra_info("sockname")[1]
    finally:
        transport.close()
