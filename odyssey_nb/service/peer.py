"""The streamer's end of a WebRTC connection: it offers a video track and two data channels."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCIceServer,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError

from odyssey_nb.media.h264 import CLOCK_RATE
from odyssey_nb.media.ice import add_candidate, close_peer, prepare_ice
from odyssey_nb.media.rtp import (
    h264_codecs,
    hear_feedback,
    hear_keyframe_requests,
)
from odyssey_nb.wire import stream as wire
from odyssey_nb.wire.codec import MalformedMessageError
from odyssey_nb.wire.signaling import Answer, IceCandidate, Offer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from odyssey_nb.media.congestion import BitrateController
    from odyssey_nb.wire.control import IceServer

log = logging.getLogger(__name__)


class PictureTrack(MediaStreamTrack):
    """A track of encoded pictures; when a second of them waits, it drops up to a keyframe."""

    kind = "video"

    def __init__(self, *, request_keyframe: Callable[[], None], depth: int = 20) -> None:
        super().__init__()
        self._pictures: asyncio.Queue[av.Packet[Any]] = asyncio.Queue(depth)
        self._request_keyframe = request_keyframe
        self._needs_key = True
        self.dropped = 0  # pictures

    def put(self, data: bytes, timestamp: int, key: bool) -> None:  # noqa: FBT001 - an outlet's form
        """Queue one access unit; `timestamp` in 1/90000 s."""
        if self._pictures.full():
            self.dropped += self._pictures.qsize()
            while not self._pictures.empty():
                self._pictures.get_nowait()
            self._needs_key = True
        if self._needs_key and not key:
            self.dropped += 1
            self._request_keyframe()
            return
        self._needs_key = False
        packet = av.Packet(data)
        packet.pts = packet.dts = timestamp
        packet.time_base = Fraction(1, CLOCK_RATE)
        self._pictures.put_nowait(packet)

    async def recv(self) -> av.Packet[Any]:
        """Wait for the next picture."""
        if self.readyState != "live":
            raise MediaStreamError
        return await self._pictures.get()


@asynccontextmanager
async def sending(
    track: PictureTrack,
    *,
    ice_servers: list[IceServer],
    request_keyframe: Callable[[], None],
    on_state: Callable[[str], None],
) -> AsyncIterator[RTCPeerConnection]:
    """Make a peer connection that sends `track` as H.264; close it on the way out."""
    servers = [RTCIceServer(each.urls, each.username, each.credential) for each in ice_servers]
    connection = RTCPeerConnection(RTCConfiguration(iceServers=servers))
    try:
        connection.on("connectionstatechange", lambda: on_state(connection.connectionState))
        transceiver = connection.addTransceiver(track, direction="sendonly")
        transceiver.setCodecPreferences(h264_codecs())
        hear_keyframe_requests(transceiver.sender, request_keyframe)
        yield connection
    finally:
        track.stop()
        await close_peer(connection)


class Peer:
    """A peer connection that has offered. An instance exists only while it is open."""

    def __init__(self, connection: RTCPeerConnection, on_message: Callable[..., None]) -> None:
        self._connection = connection
        self._early: list[IceCandidate] = []
        self._unsent: list[str] = []
        # The client may send as soon as its channel opens, so ours is created first (section 4.3).
        self._out = connection.createDataChannel(wire.STREAMER_TO_CLIENT)
        self._in = connection.createDataChannel(wire.CLIENT_TO_STREAMER)
        self._out.on("open", self._flush)

        def received(text: object) -> None:
            try:
                message = wire.from_client.from_json(text if isinstance(text, (str, bytes)) else "")
            except MalformedMessageError as error:
                log.info("ignored a message of the data channel: %s", error)
                return
            if message is not None:
                on_message(message)

        self._in.on("message", received)

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        track: PictureTrack,
        *,
        ice_servers: list[IceServer],
        request_keyframe: Callable[[], None],
        on_message: Callable[[wire.FromClient], None],
        on_state: Callable[[str], None],
        line: BitrateController,
    ) -> AsyncIterator[tuple[Peer, Offer]]:
        """Make a peer and its offer, with all candidates inside; close it on the way out.

        What the client reports of its reception goes to `line`.
        """
        async with sending(
            track, ice_servers=ice_servers, request_keyframe=request_keyframe, on_state=on_state
        ) as connection:
            (sender,) = connection.getSenders()
            hear_feedback(sender, on_report=line.reported, on_estimate=line.estimated)
            peer = cls(connection, on_message)
            prepare_ice(connection)
            await connection.setLocalDescription(await connection.createOffer())
            yield peer, Offer(sdp=connection.localDescription.sdp)

    async def answer(self, answer: Answer) -> None:
        """Take the client's answer, then the candidates that came before it."""
        await self._connection.setRemoteDescription(RTCSessionDescription(answer.sdp, "answer"))
        early, self._early = self._early, []
        for candidate in early:
            await self.add_candidate(candidate)

    async def add_candidate(self, message: IceCandidate) -> None:
        """Take a trickled candidate; one that makes no sense is ignored, as browsers do."""
        if self._connection.remoteDescription is None:
            self._early.append(message)
            return
        await add_candidate(self._connection, message)

    def tell(self, message: wire.FromStreamer) -> None:
        """Send `message` to the client, or keep it until the channel is open."""
        self._unsent.append(wire.from_streamer.to_json(message))
        if self._out.readyState == "open":
            self._flush()

    def _flush(self) -> None:
        waiting, self._unsent = self._unsent, []
        for text in waiting:
            if self._out.readyState == "open":
                self._out.send(text)
