"""A spectator written from the protocol's text alone: an offer by WHEP, and what comes of it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from aiortc import RTCPeerConnection, RTCSessionDescription

from odyssey_nb.media.rtp import receive_pictures
from tests.service.raw_client import PATIENCE, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import aiohttp

SDP = {"Content-Type": "application/sdp"}


@dataclass
class RawSpectator:
    """One WHEP session: its peer connection, and the access units that arrived."""

    http: aiohttp.ClientSession
    peer: RTCPeerConnection
    resource: str = ""  # its URL
    answer: str = ""
    states: list[str] = field(default_factory=list)
    pictures: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.peer.on("connectionstatechange", self._state)

    def _state(self) -> None:
        self.states.append(self.peer.connectionState)

    def _take(self, data: bytes, _timestamp: int, *, lost: bool) -> None:
        assert not lost
        self.pictures.append(data)

    @classmethod
    @asynccontextmanager
    async def watching(
        cls, http: aiohttp.ClientSession, url: str, token: str
    ) -> AsyncIterator[RawSpectator]:
        """Offer video and audio to the broadcast at `url`, and take the answer."""
        peer = RTCPeerConnection()
        try:
            video = peer.addTransceiver("video", direction="recvonly")
            peer.addTransceiver("audio", direction="recvonly")
            spectator = cls(http, peer)
            await peer.setLocalDescription(await peer.createOffer())
            receive_pictures(video.receiver, spectator._take)
            address = f"{url}/whep?token={token}"
            async with http.post(address, data=peer.localDescription.sdp, headers=SDP) as response:
                assert response.status == 201, await response.text()
                assert response.content_type == "application/sdp"
                spectator.answer = await response.text()
                spectator.resource = urljoin(address, response.headers["Location"])
            answer = RTCSessionDescription(spectator.answer, "answer")
            await peer.setRemoteDescription(answer)
            yield spectator
        finally:
            await peer.close()

    async def see(self, count: int) -> None:
        """Wait until so many pictures have arrived."""
        await until(lambda: len(self.pictures) >= count)

    async def leave(self) -> int:
        """Delete the resource, and return the status of the answer."""
        async with self.http.delete(self.resource) as response:
            return response.status

    async def lost(self) -> None:
        """Wait until the service has closed the connection."""
        async with asyncio.timeout(PATIENCE):
            while not {"closed", "failed"} & set(self.states):
                await asyncio.sleep(0.01)
