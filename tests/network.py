"""A network between clients and a service that loses, delays and blocks what it carries.

It stands between the two as a proxy: HTTP and WebSockets pass through it, and in the descriptions
that they carry it names itself as the only candidate, so that media pass through it too.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp import web

from tests.relay import Relay

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

LOOPBACK = "127.0.0.1"
QUEUE_SECONDS = 0.3  # of what a narrow link holds back before it drops
_CANDIDATE = re.compile(r"a=candidate:\S+ 1 udp \d+ (\S+) (\d+) typ (\w+)[^\r\n]*\r\n")

Address = tuple[str, int]


@dataclass
class Conditions:
    """How datagrams fare in each direction: shares from 0 to 1, seconds, and bits per second."""

    loss: float = 0
    delay: float = 0
    jitter: float = 0  # added at random, so that they overtake each other
    rate: float = 0  # 0: any
    down: bool = False


class _End(asyncio.DatagramProtocol):
    """One side of a link: hands datagrams of its peer to the other side."""

    def __init__(self, conditions: Conditions, chance: random.Random, ends: list[_End]) -> None:
        self._conditions, self._chance, self._ends = conditions, chance, ends
        self.peer: Address | None = None
        self.other: _End
        self._busy = 0.0  # until when the link sends

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self._ends.append(self)
        self.port = int(transport.get_extra_info("sockname")[1])

    def datagram_received(self, data: bytes, addr: Address) -> None:
        now = self._conditions
        if addr != self.peer or now.down or self._chance.random() < now.loss:
            return
        loop = asyncio.get_running_loop()
        at = loop.time()
        if now.rate:
            self._busy = max(self._busy, at)
            if self._busy - at > QUEUE_SECONDS:
                return
            self._busy += len(data) * 8 / now.rate
            at = self._busy
        at += now.delay + self._chance.random() * now.jitter
        loop.call_at(at, self.other.send, data)

    def send(self, data: bytes) -> None:
        """Send to our peer, unless everything is down."""
        if self.peer is not None and not self._conditions.down and not self.transport.is_closing():
            self.transport.sendto(data, self.peer)


class Network:
    """Carries everything between a service and the clients that go to `url`.

    `datagrams` may change at any time; `streams` carries the bytes of HTTP and WebSockets. With
    `udp` False the candidates are kept that relays offer, and no others.
    """

    def __init__(self, service: str, *, seed: int, udp: bool) -> None:
        self._service = service
        self._udp = udp
        self._chance = random.Random(seed)
        self.datagrams = Conditions()
        self.streams: Relay
        self._ends: list[_End] = []

    @classmethod
    @asynccontextmanager
    async def to(cls, service: str, *, seed: int = 1, udp: bool = True) -> AsyncIterator[Network]:
        """Put a network before the service at that URL."""
        network = cls(service, seed=seed, udp=udp)
        async with AsyncExitStack() as stack:
            stack.callback(network._close)  # when nobody is left who opens another end
            network._http = await stack.enter_async_context(
                aiohttp.ClientSession(auto_decompress=False)
            )
            app = web.Application(client_max_size=2**26)
            app.router.add_route("*", "/{path:.*}", network._carry)
            runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            site = web.TCPSite(runner, LOOPBACK, 0)
            await site.start()
            network.streams = await stack.enter_async_context(
                Relay.to(f"http://{LOOPBACK}:{runner.addresses[0][1]}")
            )
            yield network

    def _close(self) -> None:
        for end in self._ends:
            end.transport.close()

    @property
    def url(self) -> str:
        """Where clients find it."""
        return self.streams.url

    def cut(self, *, breaks: bool) -> None:
        """Let nothing through any more: sockets break, or their packets vanish."""
        self.datagrams.down = True
        if breaks:
            self.streams.down = True
            self.streams.cut()
        else:
            self.streams.silent = True

    def mend(self) -> None:
        """Let everything through again."""
        self.datagrams.down = self.streams.down = self.streams.silent = False

    async def _carry(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._carry_socket(request)
        headers = {k: v for k, v in request.headers.items() if k != "Accept-Encoding"}
        async with self._http.request(
            request.method, self._service + request.path_qs, headers=headers,
            data=await request.read(), allow_redirects=False,
        ) as answer:  # fmt: skip
            return web.Response(
                status=answer.status,
                body=await answer.read(),
                headers={"Content-Type": answer.headers.get("Content-Type", "text/plain")},
            )

    async def _carry_socket(self, request: web.Request) -> web.StreamResponse:
        try:
            far = await self._http.ws_connect(
                self._service + request.path_qs, max_msg_size=2**26, autoping=True
            )
        except aiohttp.WSServerHandshakeError as error:
            return web.Response(status=error.status)
        near = web.WebSocketResponse(max_msg_size=2**26)
        await near.prepare(request)
        ends: list[_End] = []
        ways = [
            asyncio.ensure_future(self._pass_on(near, far, lambda sdp: self._answer(sdp, ends))),
            asyncio.ensure_future(self._pass_on(far, near, lambda sdp: self._offer(sdp, ends))),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in ways:
                each.cancel()
        near_code, far_code = near.close_code, far.close_code
        with suppress(ConnectionError):
            await near.close(code=_sendable(far_code))
        await far.close(code=_sendable(near_code))
        return near

    async def _pass_on(
        self,
        source: aiohttp.ClientWebSocketResponse | web.WebSocketResponse,
        to: aiohttp.ClientWebSocketResponse | web.WebSocketResponse,
        rewrite: Callable[[str], Any],
    ) -> None:
        with suppress(ConnectionError):
            async for frame in source:
                if frame.type != aiohttp.WSMsgType.TEXT:
                    continue
                message = json.loads(frame.data)
                if "sdp" in message:
                    message["sdp"] = await rewrite(message["sdp"])
                await to.send_str(json.dumps(message))

    async def _offer(self, sdp: str, ends: list[_End]) -> str:
        """Take the streamer's offer, and let the client find it behind us."""
        if not self._udp:
            return _only_relayed(sdp)
        loop = asyncio.get_running_loop()
        for _ in range(2):
            _, end = await loop.create_datagram_endpoint(
                lambda: _End(self.datagrams, self._chance, self._ends), local_addr=(LOOPBACK, 0)
            )
            ends.append(end)
        near, far = ends
        near.other, far.other = far, near
        return _rewritten(sdp, far, near)

    async def _answer(self, sdp: str, ends: list[_End]) -> str:
        return _rewritten(sdp, *ends) if self._udp else _only_relayed(sdp)


def _rewritten(sdp: str, peers: _End, ours: _End) -> str:
    """Note the one candidate of `sdp` on this machine as `peers`', and put `ours` in its place."""
    found = next(each for each in _CANDIDATE.finditer(sdp) if each[1] == LOOPBACK)
    peers.peer = LOOPBACK, int(found[2])
    line = f"a=candidate:1 1 udp 2130706431 {LOOPBACK} {ours.port} typ host\r\n"
    first, rest = sdp[: found.start()], sdp[found.start() :]
    return _CANDIDATE.sub("", first) + line + _CANDIDATE.sub("", rest)


def _only_relayed(sdp: str) -> str:
    return _CANDIDATE.sub(lambda each: each[0] if each[3] == "relay" else "", sdp)


def _sendable(code: int | None) -> int:
    return code if code is not None and (code == 1000 or 3000 <= code < 5000) else 1001
