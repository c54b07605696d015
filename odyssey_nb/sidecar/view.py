"""The view socket: a page looks at a connection and steers it with no kernel between.

Any program of this machine, and any page in its browsers, can knock at a port of 127.0.0.1. Who
comes in shows within two seconds a token that the kernel has let the page have: good once, soon
too old, and only for pages of one origin. The page in turn believes who knows the token's secret.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TYPE_CHECKING

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed, ConnectionClosedError
from websockets.frames import CloseCode

from odyssey_nb.concurrency import Crew
from odyssey_nb.errors import LinkError
from odyssey_nb.sidecar.held import refusal
from odyssey_nb.wire import link as wire
from odyssey_nb.wire.codec import MalformedMessageError
from odyssey_nb.wire.view import Enter, ToPage, Welcome, from_page, pack, prove, to_page

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from websockets.http11 import Request, Response

    from odyssey_nb.sidecar.held import Following, Held

log = logging.getLogger(__name__)
_quiet = log.getChild("socket")  # who knocks at the port could fill the log
_quiet.setLevel(logging.CRITICAL)

ENTER_SECONDS = 2.0
MOST_SOCKETS = 16
MOST_PASSES = 64  # that are not used yet; the oldest go
LARGEST_BYTES = 64 * 1024  # of what a page says
MOST_CREDIT = 40  # pictures under way to a page
MOST_COMMANDS = 16  # of a page that are not answered yet
COMMAND_SECONDS = 10.0
SEEN_SECONDS = 0.5  # the kernel hears at most so often that a page is visible
MOST_WAITING = 256  # messages to a page that does not read; with more it is let go


@dataclass(frozen=True, slots=True)
class _Pass:
    """What a token opens."""

    held: Held
    origin: str
    secret: str
    until: float  # on the loop's clock


class Views:
    """Everybody who looks on without the kernel. Made by `open`, ended by `close`."""

    _server: Server

    def __init__(self, disconnect: Callable[[Held], Awaitable[None]]) -> None:
        self._disconnect = disconnect
        self._passes: dict[str, _Pass] = {}
        self._refused: Counter[str] = Counter()

    @classmethod
    async def open(cls, disconnect: Callable[[Held], Awaitable[None]]) -> Views:
        """Listen on a free port of 127.0.0.1; `disconnect` is what closes a connection.

        Raises:
            OSError: There is none.
        """
        views = cls(disconnect)
        views._server = await serve(
            views._receive,
            "127.0.0.1",
            0,
            process_request=views._check,
            compression=None,
            max_size=LARGEST_BYTES,
            open_timeout=ENTER_SECONDS,
            close_timeout=1,
            server_header=None,
            logger=_quiet,
        )
        return views

    @property
    def port(self) -> int:
        """Where it listens."""
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    def close(self) -> None:
        """Let everybody go, without waiting for it."""
        self._server.close()

    def admit(self, held: Held, request: wire.Admit) -> None:
        """Let one page look at `held`."""
        self._forget_old()
        while len(self._passes) >= MOST_PASSES:
            del self._passes[next(iter(self._passes))]
        until = asyncio.get_running_loop().time() + request.timeout
        self._passes[request.token] = _Pass(held, request.origin, request.secret, until)

    def _forget_old(self) -> None:
        now = asyncio.get_running_loop().time()
        self._passes = {token: each for token, each in self._passes.items() if each.until > now}

    def _check(self, socket: ServerConnection, request: Request) -> Response | None:
        """Refuse, before a word is said, whom no token can be for."""
        self._forget_old()
        if len(self._server.connections) >= MOST_SOCKETS:
            self._refuse("too many sockets")
            return socket.respond(HTTPStatus.SERVICE_UNAVAILABLE, "too many sockets\n")
        if _origin(request) not in {each.origin for each in self._passes.values()}:
            self._refuse("foreign origin")
            return socket.respond(HTTPStatus.FORBIDDEN, "foreign origin\n")
        return None

    def _refuse(self, why: str) -> None:
        self._refused[why] += 1
        number = self._refused[why]
        if number & (number - 1) == 0:  # the first, the second, the fourth …
            log.warning("refused at the view socket: %s (%d so far)", why, number)

    async def _receive(self, socket: ServerConnection) -> None:
        try:
            async with asyncio.timeout(ENTER_SECONDS):
                message = from_page.from_json(await socket.recv())
            found = self._open(socket, message) if isinstance(message, Enter) else None
            if found is not None and isinstance(message, Enter):
                welcome = Welcome(proof=prove(found.secret, message.nonce))
                await _View(socket, found.held, self._disconnect).run(welcome)
                return
            self._refuse("wrong token")
        except TimeoutError:
            self._refuse("no token in time")
        except MalformedMessageError:
            self._refuse("malformed message")
        except ConnectionClosed as error:
            if _is_too_large(error):
                self._refuse("oversized message")
        await socket.close(CloseCode.POLICY_VIOLATION)

    def _open(self, socket: ServerConnection, message: Enter) -> _Pass | None:
        """Return what the token in `message` opens for this page; it opens nothing any more."""
        self._forget_old()
        found = self._passes.pop(message.token, None)
        if found is None or socket.request is None or _origin(socket.request) != found.origin:
            return None
        return found


def _origin(request: Request) -> str:
    origins = request.headers.get_all("Origin")
    return origins[0] if len(origins) == 1 else ""


def _is_too_large(error: ConnectionClosed) -> bool:
    return error.sent is not None and error.sent.code == CloseCode.MESSAGE_TOO_BIG


class _View:
    """A page that has come in; `run` is its life."""

    def __init__(
        self,
        socket: ServerConnection,
        held: Held,
        disconnect: Callable[[Held], Awaitable[None]],
    ) -> None:
        self._socket, self._held, self._disconnect = socket, held, disconnect
        # Bounded: pictures by credit, answers by commands; only events can make it full.
        self._outbox: asyncio.Queue[str | bytes | None] = asyncio.Queue(MOST_WAITING)
        self._full = asyncio.Event()
        self._crew = Crew()
        self._commands = 0
        self._said_seen = -SEEN_SECONDS

    async def run(self, welcome: Welcome) -> None:
        """Serve the page until it goes, or what it looks at is over."""
        self._tell(welcome)
        unfollow = self._held.follow(self._tell)
        reading, writing, *_ = work = [
            asyncio.ensure_future(each)
            for each in (self._read(), self._write(), self._held.over.wait(), self._full.wait())
        ]
        try:
            await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
            # What was asked is done and answered, also to a page that has gone.
            await self._crew.settle(COMMAND_SECONDS)
            if not reading.done() and not self._full.is_set():
                self._put(None)
                await asyncio.wait([writing], timeout=1)
        finally:
            unfollow()
            self._held.unsubscribe(self._show)
            for each in work:
                each.cancel()
            await self._crew.close()
            await asyncio.gather(*work, return_exceptions=True)

    async def _read(self) -> None:
        with suppress(ConnectionClosedError, MalformedMessageError):
            async for text in self._socket:
                message = from_page.from_json(text)
                # A page speaks of what it came in for, and of nothing else.
                if message is None or message.type == "enter":
                    continue
                if message.connection == self._held.name:
                    self._take(message)

    def _take(
        self,
        message: wire.Continue
        | wire.Interact
        | wire.Mark
        | wire.Traffic
        | wire.End
        | wire.Disconnect
        | wire.Subscribe
        | wire.Credit
        | wire.Unsubscribe
        | wire.WantKeyframe
        | wire.Seen,
    ) -> None:
        held = self._held
        match message.type:
            case "subscribe":
                held.subscribe(min(message.credit, MOST_CREDIT), self._show)
            case "credit":
                held.grant(message.pictures, self._show)
            case "unsubscribe":
                held.unsubscribe(self._show)
            case "want_keyframe":
                held.want_keyframe()
            case "seen":
                # A kernel that is stopped reads none of them.
                if time.monotonic() - self._said_seen >= SEEN_SECONDS:
                    self._said_seen = time.monotonic()
                    held.seen()
            case _ if self._commands >= MOST_COMMANDS:
                self._tell(refusal(message.id, LinkError("too many commands at once")))
            case _:
                self._commands += 1
                self._crew.start(self._do(message))

    async def _do(
        self,
        message: wire.Continue
        | wire.Interact
        | wire.Mark
        | wire.Traffic
        | wire.End
        | wire.Disconnect,
    ) -> None:
        try:
            if message.type == "disconnect":
                await self._disconnect(self._held)
                self._tell(wire.Answer(id=message.id))
            else:
                timeout = min(message.timeout, COMMAND_SECONDS)
                await self._held.ask(replace(message, timeout=timeout), self._tell)
        finally:
            self._commands -= 1

    def _tell(self, message: ToPage | Following) -> None:
        self._put(to_page.to_json(message))

    def _show(self, picture: wire.Picture) -> None:
        self._put(pack(picture, time.time() * 1000))

    def _put(self, data: str | bytes | None) -> None:
        try:
            self._outbox.put_nowait(data)
        except asyncio.QueueFull:
            self._full.set()

    async def _write(self) -> None:
        with suppress(ConnectionClosed):
            while (data := await self._outbox.get()) is not None:
                await self._socket.send(data)
