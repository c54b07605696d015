"""A service, the network to it and the time, all simulated, for the real client to live in.

Only what touches sockets is made up: the API, the signaling socket and the peer connection. The
client's own code, from reservation to repair, is the real one.
"""

from __future__ import annotations

import asyncio
import selectors
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from odyssey_nb import errors
from odyssey_nb.client.session import Network
from odyssey_nb.client.socket import SocketLostError
from odyssey_nb.wire import stream as wire
from odyssey_nb.wire.control import SessionGrant
from odyssey_nb.wire.signaling import Answer, CloseCode, Offer, SignalingProblem

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from odyssey_nb.wire.signaling import FromClient, FromServer

STEP = 0.01  # seconds that anything takes
STALE_SECONDS = 40.0  # for which a session is kept that has no socket
KEYFRAME = b"\x00\x00\x01\x67\x00\x00\x01\x65"


class _Instant(selectors.DefaultSelector):
    """Waits no time: where the loop would sleep, the clock jumps."""

    now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready and timeout is not None and timeout > 0:
            self.now += timeout
        return ready


class SimulatedLoop(asyncio.SelectorEventLoop):
    """An event loop on which hours pass in no time."""

    def __init__(self) -> None:
        self._instant = _Instant()
        super().__init__(self._instant)

    def time(self) -> float:
        """Return the simulated time, in seconds."""
        return self._instant.now


@dataclass
class Held:
    """A session that the service holds."""

    id: str
    socket: Socket | None = None
    peer: SimulatedPeer | None = None
    streaming: bool = False
    streams: int = 0


@dataclass
class World:
    """The service, and how the network to it fares."""

    reachable: bool = True
    media_pass: bool = True  # or ICE finds no way, and says nothing
    pictures_flow: bool = True
    answers: bool = True  # whether streamers do
    slots: int = 1
    asleep: float = 0.0  # seconds by which the clock has jumped
    held: dict[str, Held] = field(default_factory=dict)
    requests: int = 0
    sockets: set[Socket] = field(default_factory=set)  # that are open
    peers: set[SimulatedPeer] = field(default_factory=set)

    def network(self) -> Network:
        """Return what a client's sessions are made of here."""
        world = self

        class Control(SimulatedControl):
            @classmethod
            @asynccontextmanager
            async def open(cls, url: str, api_key: str) -> AsyncIterator[Control]:
                del url, api_key
                yield cls(world)

        class Peer(SimulatedPeer):
            @classmethod
            @asynccontextmanager
            async def open(cls, servers: list[Any], **calls: Any) -> AsyncIterator[Peer]:
                peer = cls(world, **calls)
                world.peers.add(peer)
                showing = asyncio.ensure_future(peer.show())
                try:
                    yield peer
                finally:
                    world.peers.discard(peer)
                    showing.cancel()
                    await asyncio.wait([showing])

        return Network(
            control=Control,  # type: ignore[arg-type]
            peer=Peer,  # type: ignore[arg-type]
            clock=lambda: asyncio.get_running_loop().time() + world.asleep,
        )

    async def reach(self) -> None:
        """Get to the service, or fail as a network does."""
        await asyncio.sleep(STEP)
        if not self.reachable:
            raise errors.ConnectError("nothing answers")

    def end(self, session: str, problem: str = "", code: int = CloseCode.NORMAL) -> None:
        """End a session, telling its socket why."""
        held = self.held.pop(session, None)
        if held is not None and held.socket is not None:
            if problem:
                held.socket.inbox.put_nowait(SignalingProblem(reason=problem))
            held.socket.close(code)

    def cut(self) -> None:
        """Break every socket."""
        for socket in list(self.sockets):
            socket.close(1006)

    def fail_peers(self) -> None:
        """Let media fail, as ICE tells it."""
        for peer in self.peers:
            peer.lost.set()


class SimulatedControl:
    """The API; see `client.control.Control`."""

    url = "http://127.0.0.1:1"

    def __init__(self, world: World) -> None:
        self._world = world

    async def authenticate(self) -> None:
        """Exchange the key."""
        await self._world.reach()

    async def request_session(self) -> SessionGrant:
        """Reserve a streamer."""
        await self._world.reach()
        world = self._world
        world.requests += 1
        if len(world.held) >= world.slots:
            raise errors.ConcurrentLimitError("too many")
        held = Held(f"session {world.requests}")
        world.held[held.id] = held
        return SessionGrant(session_id=held.id, signalling_url="ws://127.0.0.1:1")

    async def session_token(self, session_id: str) -> str:
        """Return a token."""
        await self._world.reach()
        if session_id not in self._world.held:
            raise errors.NotFoundError("no such session")
        return "token"

    async def ice_servers(self, url: str) -> list[Any]:
        """Name no servers."""
        del url
        return []

    @asynccontextmanager
    async def signaling(self, url: str, session_id: str, token: str) -> AsyncIterator[Socket]:
        """Open a session's socket; the newest wins, and leaving it is the goodbye."""
        del url, token
        world = self._world
        try:
            await world.reach()
        except errors.ConnectError:
            raise errors.NegotiationError("the session's signaling did not open") from None
        held = world.held.get(session_id)
        if held is None:
            raise errors.NegotiationError("the service refused the session (403)")
        if held.socket is not None:
            held.socket.close(CloseCode.REPLACED)
        socket = held.socket = Socket(world, session_id)
        world.sockets.add(socket)
        if held.peer is None:
            socket.inbox.put_nowait(Offer(sdp=session_id))
        try:
            yield socket
        finally:
            if not socket.closed and world.reachable:
                socket.left = True
                world.end(session_id)
            socket.close(1006)


class Socket:
    """A signaling socket; see `client.signaling.Signaling`."""

    def __init__(self, world: World, session: str) -> None:
        self._world, self._session = world, session
        self.inbox: asyncio.Queue[FromServer | int] = asyncio.Queue()
        self.closed = self.left = False

    def close(self, code: int) -> None:
        """Close it; without a goodbye the service waits for another one."""
        if self.closed:
            return
        self.closed = True
        self._world.sockets.discard(self)
        self.inbox.put_nowait(code)
        held = self._world.held.get(self._session)
        if held is not None and held.socket is self:
            held.socket = None
            asyncio.get_running_loop().call_later(STALE_SECONDS, self._expire, held)

    def _expire(self, held: Held) -> None:
        if held.socket is None:
            self._world.held.pop(held.id, None)

    async def send(self, message: FromClient, *, within: float = 5) -> None:
        """Send what only a start has to say here."""
        del within
        await asyncio.sleep(STEP)
        if self.closed:
            raise SocketLostError(1006)
        if isinstance(message, Answer):
            held = self._world.held.get(self._session)
            if held is not None and held.peer is not None and self._world.media_pass:
                held.peer.up.set()

    async def receive(self) -> FromServer:
        """Wait for what the service says."""
        message = await self.inbox.get()
        if isinstance(message, int):
            raise SocketLostError(message)
        return message


class SimulatedPeer:
    """A peer connection and the streamer behind it; see `client.peer.Peer`."""

    def __init__(
        self,
        world: World,
        *,
        on_picture: Callable[..., None],
        on_message: Callable[[wire.FromStreamer], None],
    ) -> None:
        self._world, self._on_picture, self._on_message = world, on_picture, on_message
        self._session = ""
        self.up, self.lost = asyncio.Event(), asyncio.Event()

    @property
    def _held(self) -> Held | None:
        held = self._world.held.get(self._session)
        alive = held is not None and held.peer is self and not self.lost.is_set()
        return held if alive and self._world.reachable else None

    async def answer(self, offer: Offer) -> Answer:
        """Take the offer, which names the session."""
        await asyncio.sleep(STEP)
        self._session = offer.sdp
        held = self._world.held.get(self._session)
        if held is not None:
            held.peer = self
        return Answer(sdp="")

    async def add_candidate(self, message: object) -> None:
        """There are none."""

    async def ready(self) -> None:
        """Wait until media is up."""
        await self.up.wait()

    @property
    def is_open(self) -> bool:
        """Whether the data channel takes messages; it cannot know that nobody hears them."""
        return not self.lost.is_set()

    def send(self, message: wire.FromClient) -> None:
        """Let the streamer answer a moment later."""
        if self.lost.is_set():
            raise errors.ConnectionLostError("the connection to the streamer is gone")
        asyncio.get_running_loop().call_later(STEP, self._serve, message)

    def _serve(self, message: wire.FromClient) -> None:
        held = self._held
        if held is None or not self._world.answers:
            return
        match message.type:
            case "interactive_stream_start":
                held.streaming = True
                held.streams += 1
                self._on_message(wire.StreamStarted(stream_id=str(held.streams)))
            case "update":
                self._on_message(wire.UpdateAcknowledged(prompt=message.prompt))
            case "interactive_stream_end":
                held.streaming = False
                self._on_message(wire.StreamEnded())

    def want_keyframe(self) -> None:
        """Every picture is one."""

    async def show(self) -> None:
        """Make pictures while a stream runs."""
        while True:
            await asyncio.sleep(0.5)
            held = self._held
            if held is not None and held.streaming and self._world.pictures_flow:
                now = asyncio.get_running_loop().time()
                self._on_picture(KEYFRAME, round(now * 90_000) % 2**32, lost=False)
