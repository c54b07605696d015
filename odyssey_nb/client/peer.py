"""The client's end of the WebRTC connection: it answers, takes pictures, sends commands."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from aiortc import (
    RTCConfiguration,
    RTCDataChannel,
    RTCIceServer,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.exceptions import InvalidStateError, OperationError
from aiortc.stats import RTCInboundRtpStreamStats

from odyssey_nb.concurrency import Crew
from odyssey_nb.errors import ConnectionLostError, NegotiationError
from odyssey_nb.media.ice import add_candidate, chosen_way, close_peer, prepare_ice
from odyssey_nb.media.rtp import (
    OnPicture,
    ask_for_keyframe,
    h264_codecs,
    receive_pictures,
)
from odyssey_nb.wire import stream as wire
from odyssey_nb.wire.codec import MalformedMessageError
from odyssey_nb.wire.signaling import Answer, IceCandidate, Offer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from odyssey_nb.wire.control import IceServer

log = logging.getLogger(__name__)


@asynccontextmanager
async def receiving(ice_servers: list[IceServer]) -> AsyncIterator[RTCPeerConnection]:
    """Make a peer connection that is to receive H.264 video; close it on the way out."""
    servers = [RTCIceServer(each.urls, each.username, each.credential) for each in ice_servers]
    connection = RTCPeerConnection(RTCConfiguration(iceServers=servers))
    try:
        # Made before an offer comes, which then finds it: one who offers other codecs too, and may
        # prefer them, is told that H.264 is what we understand.
        video = connection.addTransceiver("video", direction="recvonly")
        video.setCodecPreferences(h264_codecs())
        yield connection
    finally:
        await close_peer(connection)


async def traffic_of(connection: RTCPeerConnection) -> tuple[int, int]:
    """Return how many RTP packets `connection` has received, and how many did not come."""
    came = lost = 0
    for receiver in connection.getReceivers():
        for report in (await receiver.getStats()).values():
            if isinstance(report, RTCInboundRtpStreamStats):
                came += report.packetsReceived
                lost += max(0, report.packetsLost)
    return came, lost


class Peer:
    """A peer connection that waits for the streamer's offer."""

    def __init__(
        self,
        connection: RTCPeerConnection,
        crew: Crew,
        *,
        on_picture: OnPicture,
        on_message: Callable[[wire.FromStreamer], None],
    ) -> None:
        self._connection = connection
        self._crew = crew
        self._on_picture = on_picture
        self._on_message = on_message
        self._out: RTCDataChannel | None = None
        self._both_open = asyncio.Event()
        self._connected = asyncio.Event()
        self.lost = asyncio.Event()
        connection.on("datachannel", self._channel)
        connection.on("connectionstatechange", self._state_changed)

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        ice_servers: list[IceServer],
        *,
        on_picture: OnPicture,
        on_message: Callable[[wire.FromStreamer], None],
    ) -> AsyncIterator[Peer]:
        """Make a peer; close it on the way out."""
        async with receiving(ice_servers) as connection:
            crew = Crew()
            try:
                yield cls(connection, crew, on_picture=on_picture, on_message=on_message)
            finally:
                await crew.close()

    async def answer(self, offer: Offer) -> Answer:
        """Take the offer and return the answer, with all candidates inside.

        Raises:
            NegotiationError: The offer makes no sense, or has no video that we understand.
        """
        connection = self._connection
        try:
            await connection.setRemoteDescription(RTCSessionDescription(offer.sdp, "offer"))
            for transceiver in connection.getTransceivers():
                if transceiver.kind == "video":
                    receive_pictures(transceiver.receiver, self._on_picture)
            prepare_ice(connection)
            await connection.setLocalDescription(await connection.createAnswer())
        except (InvalidStateError, OperationError, ValueError, AttributeError) as error:
            raise NegotiationError("the service offers no video that we understand") from error
        return Answer(sdp=connection.localDescription.sdp)

    async def add_candidate(self, message: IceCandidate) -> None:
        """Take a candidate that the streamer trickled."""
        last = not message.candidate.removeprefix("candidate:")
        if not last and self._connection.remoteDescription is not None:
            await add_candidate(self._connection, message)

    async def ready(self) -> None:
        """Wait until media and both channels are up; the caller sets the deadline."""
        await self._connected.wait()
        await self._both_open.wait()

    @property
    def is_open(self) -> bool:
        """Whether the data channel takes messages."""
        return self._out is not None and self._out.readyState == "open"

    def send(self, message: wire.FromClient) -> None:
        """Send `message` over the data channel.

        Raises:
            ConnectionLostError: The channel is not open.
        """
        if self._out is None or not self.is_open:
            raise ConnectionLostError("the connection to the streamer is gone")
        self._out.send(wire.from_client.to_json(message))

    async def traffic(self) -> tuple[int, int]:
        """Return how many packets came, and how many did not."""
        return await traffic_of(self._connection)

    def way(self) -> tuple[str, str] | None:
        """Return the types of the two candidates that ICE chose; see `chosen_way`."""
        return chosen_way(self._connection)

    def want_keyframe(self) -> None:
        """Ask the streamer for a keyframe."""
        for transceiver in self._connection.getTransceivers():
            if transceiver.kind == "video" and not self.lost.is_set():
                self._crew.start(ask_for_keyframe(transceiver.receiver))

    def _channel(self, channel: RTCDataChannel) -> None:
        # aiortc announces a channel of the other end when it is already open.
        if channel.label == wire.CLIENT_TO_STREAMER:
            self._out = channel
        elif channel.label == wire.STREAMER_TO_CLIENT:
            self._in = channel
            channel.on("message", self._received)
        if self._out is not None and hasattr(self, "_in"):
            self._both_open.set()

    def _received(self, text: object) -> None:
        try:
            message = wire.from_streamer.from_json(text if isinstance(text, (str, bytes)) else "")
        except MalformedMessageError as error:
            log.info("ignored a message of the data channel: %s", error)
            return
        if message is not None:
            self._on_message(message)

    def _state_changed(self) -> None:
        state = self._connection.connectionState
        if state == "connected":
            self._connected.set()
        elif state in {"failed", "closed"}:
            self.lost.set()
