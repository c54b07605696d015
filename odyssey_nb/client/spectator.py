"""A spectator: joins a broadcast by WHEP and takes its pictures (protocol section 7.2)."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import TYPE_CHECKING

import aiohttp
from aiortc import RTCSessionDescription
from aiortc.exceptions import InvalidStateError, OperationError
from yarl import URL

from odyssey_nb import errors
from odyssey_nb.client.control import ice_servers
from odyssey_nb.client.peer import receiving, traffic_of
from odyssey_nb.client.retry import is_loopback
from odyssey_nb.concurrency import Crew, insist
from odyssey_nb.media.ice import prepare_ice
from odyssey_nb.media.ring import Sequence
from odyssey_nb.media.rtp import ask_for_keyframe, receive_pictures

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from aiortc import RTCPeerConnection, RTCRtpTransceiver

    from odyssey_nb.wire.link import Picture

log = logging.getLogger(__name__)

JOIN_SECONDS = 15.0
REQUEST_SECONDS = 10.0
LEAVE_SECONDS = 2.0
KEYFRAME_EVERY = 0.5  # seconds between two wishes; each costs every watcher
SDP = "application/sdp"


class Spectator:
    """Watches a broadcast. An instance exists only while it is joined; `lost` says that it is over.

    Pictures reach `on_picture` on the event loop; it must return at once.
    """

    def __init__(
        self,
        connection: RTCPeerConnection,
        crew: Crew,
        *,
        name: str,
        stream: int,
        on_picture: Callable[[Picture], None],
    ) -> None:
        self._connection, self._crew = connection, crew
        self._on_picture = on_picture
        self._sequence = Sequence(name, want_keyframe=self.want_keyframe)
        self._sequence.begin(stream)
        self._connected = asyncio.Event()
        self._keyframe_asked = -KEYFRAME_EVERY
        self.lost = asyncio.Event()
        connection.on("connectionstatechange", self._state_changed)

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        url: str,
        token: str,
        *,
        name: str = "watching",
        stream: int = 1,
        timeout: float = JOIN_SECONDS,  # noqa: ASYNC109
        on_picture: Callable[[Picture], None] = lambda _: None,
    ) -> AsyncIterator[Spectator]:
        """Join the broadcast at `url`, and take leave on the way out.

        Args:
            url: The broadcast's `webrtc_url`.
            token: Its spectator token.
            name: What its pictures name as their connection.
            stream: The number that its pictures are given as their stream's.
            timeout: Longest time to join, in seconds.
            on_picture: Takes every encoded picture that can be decoded.

        Raises:
            SpectatorTokenError: The token is not this broadcast's.
            BroadcastEndedError: There is no such broadcast, or not any more.
            BroadcastFullError: It has as many spectators as it may have.
            ConnectError: The service, or WebRTC, did not come up.
        """
        address = _address(url, token)
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(timeout):
                    patience = aiohttp.ClientTimeout(total=REQUEST_SECONDS)
                    http = await stack.enter_async_context(aiohttp.ClientSession(timeout=patience))
                    origin = str(address.origin())
                    servers = [] if is_loopback(origin) else await ice_servers(http, origin)
                    connection = await stack.enter_async_context(receiving(servers))
                    crew = Crew()
                    stack.push_async_callback(crew.close)
                    spectator = cls(
                        connection, crew, name=name, stream=stream, on_picture=on_picture
                    )
                    offer = await spectator._offer()
                    answer = await stack.enter_async_context(_joined(http, address, offer))
                    await spectator._take(answer)
            except TimeoutError:
                raise errors.NegotiationError(f"not watching within {timeout:g} s") from None
            yield spectator

    async def _offer(self) -> str:
        """Return an offer with all candidates inside; audio is part of it by the protocol."""
        self._connection.addTransceiver("audio", direction="recvonly")
        prepare_ice(self._connection)
        await self._connection.setLocalDescription(await self._connection.createOffer())
        receive_pictures(self._video.receiver, self._take_picture)
        return str(self._connection.localDescription.sdp)

    async def _take(self, answer: str) -> None:
        """Take the answer, and wait until media flows; the caller sets the deadline."""
        try:
            await self._connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        except (InvalidStateError, OperationError, ValueError, AttributeError) as error:
            raise errors.NegotiationError("the service answers no video we understand") from error
        ends = [asyncio.ensure_future(each.wait()) for each in (self._connected, self.lost)]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in ends:
                each.cancel()
        if self.lost.is_set():
            raise errors.NegotiationError("the video connection did not come up")

    async def traffic(self) -> tuple[int, int]:
        """Return how many packets of the pictures came, and how many did not."""
        return await traffic_of(self._connection)

    def want_keyframe(self) -> None:
        """Ask for a keyframe, at most once in half a second."""
        now = asyncio.get_running_loop().time()
        if now - self._keyframe_asked >= KEYFRAME_EVERY and not self.lost.is_set():
            self._keyframe_asked = now
            self._crew.start(ask_for_keyframe(self._video.receiver))

    @property
    def _video(self) -> RTCRtpTransceiver:
        return self._connection.getTransceivers()[0]

    def _take_picture(self, data: bytes, timestamp: int, *, lost: bool) -> None:
        picture = self._sequence.number(data, timestamp, lost=lost)
        if picture is not None:
            self._on_picture(picture)

    def _state_changed(self) -> None:
        state = self._connection.connectionState
        if state == "connected":
            self._connected.set()
        elif state in {"failed", "closed"}:
            self.lost.set()


def _address(url: str, token: str) -> URL:
    """Return where WHEP is spoken for the broadcast at `url`.

    Raises:
        UsageError: It is no address.
    """
    try:
        found = URL(f"{url.rstrip('/')}/whep")
        if found.scheme not in {"http", "https"} or not found.host:
            raise ValueError
    except ValueError:
        raise errors.UsageError(
            "a broadcast is at an http(s) address",
            hint="Take it from the owner's stream.broadcast.",
        ) from None
    return found.with_query(token=token)


@asynccontextmanager
async def _joined(http: aiohttp.ClientSession, address: URL, offer: str) -> AsyncIterator[str]:
    """Make `offer`, yield the answer, and take leave on the way out.

    An offer under way is not abandoned: its answer names what is to be taken leave of.
    """
    joining = asyncio.ensure_future(_join(http, address, offer))
    try:
        resource, answer = await asyncio.shield(joining)
    except asyncio.CancelledError:
        await insist(_take_back(http, joining))
        raise
    try:
        yield answer
    finally:
        await insist(_leave(http, resource))


async def _join(http: aiohttp.ClientSession, address: URL, offer: str) -> tuple[URL, str]:
    # The addresses hold the token, so no error that says one is passed on.
    try:
        async with http.post(address, data=offer, headers={"Content-Type": SDP}) as response:
            answer, status = await response.text(), response.status
            resource = address.join(URL(response.headers.get("Location", "")))
    except TimeoutError:
        raise errors.ConnectError(f"{address.origin()} did not answer in time") from None
    except (aiohttp.ClientError, ValueError):
        raise errors.ConnectError(f"nothing answers at {address.origin()}") from None
    match status:
        case 401 | 403:
            raise errors.SpectatorTokenError("the spectator token is not this broadcast's")
        case 404:
            raise errors.BroadcastEndedError("there is no such broadcast, or not any more")
        case 503:
            raise errors.BroadcastFullError("the broadcast has as many spectators as it may")
    if not 200 <= status < 300:
        raise errors.ConnectError(f"the broadcast's service answered {status}")
    return resource, answer


async def _take_back(http: aiohttp.ClientSession, joining: asyncio.Future[tuple[URL, str]]) -> None:
    with suppress(errors.OdysseyNBError, TimeoutError):
        async with asyncio.timeout(LEAVE_SECONDS):
            resource, _ = await joining
        await _leave(http, resource)


async def _leave(http: aiohttp.ClientSession, resource: URL) -> None:
    """Take leave; where that is not heard, the service's own clock does."""
    with suppress(aiohttp.ClientError, TimeoutError):
        async with asyncio.timeout(LEAVE_SECONDS), http.delete(resource):
            pass
