"""A client written from the protocol's text alone: aiohttp, aiortc and hand-made JSON."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import aiohttp
from aiortc import RTCConfiguration, RTCIceServer, RTCPeerConnection, RTCSessionDescription

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    import av
    from aiortc import MediaStreamTrack, RTCDataChannel

    Message = dict[str, Any]

PATIENCE = 10.0  # seconds that anything may take


@dataclass
class Reservation:
    """A session that was granted, and the token for its socket."""

    grant: Message
    session_token: str

    @property
    def session_id(self) -> str:
        """The session."""
        return str(self.grant["session_id"])

    @property
    def socket_url(self) -> str:
        """Where its WebSocket is."""
        base = self.grant["signalling_url"]
        return f"{base}/client/{self.session_id}?token={self.session_token}"


async def ask(
    http: aiohttp.ClientSession, url: str, body: object, token: str = ""
) -> tuple[int, Any]:
    """POST `body` as JSON and return status and decoded answer."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with http.post(url, json=body, headers=headers) as response:
        return response.status, await response.json()


async def reserve(http: aiohttp.ClientSession, url: str, api_key: str) -> Reservation:
    """Exchange the key, get a session, get its token."""
    status, answer = await ask(http, f"{url}/auth/token", {"api_key": api_key})
    assert status == 200, answer
    access = answer["access_token"]
    status, grant = await ask(http, f"{url}/sessions/request", {}, access)
    assert status == 200, grant
    body = {"session_id": grant["session_id"]}
    status, answer = await ask(http, f"{url}/sessions/token", body, access)
    assert status == 200, answer
    return Reservation(grant, answer["session_token"])


@dataclass
class Candidate:
    """One line of an answer, ready to be trickled; `text` begins with ``candidate:``."""

    text: str
    mid: str
    index: int

    def message(self, *, prefix: bool = True) -> Message:
        """Return the message that trickles it."""
        text = self.text if prefix else self.text.removeprefix("candidate:")
        return {
            "type": "ice_candidate",
            "candidate": text,
            "sdpMid": self.mid,
            "sdpMLineIndex": self.index,
        }


def strip_candidates(sdp: str) -> tuple[str, list[Candidate]]:
    """Take the candidates out of a description, as a browser's answer has none."""
    kept, candidates, index, mid = [], [], -1, ""
    lines = sdp.splitlines()
    for at, line in enumerate(lines):
        if line.startswith("m="):
            index += 1
            section = lines[at + 1 :]
            mid = next(each[6:] for each in section if each.startswith("a=mid:"))
        if line.startswith("a=candidate:"):
            candidates.append(Candidate(line[2:], mid, index))
        elif line != "a=end-of-candidates":
            kept.append(line)
    return "\r\n".join([*kept, ""]), candidates


@dataclass
class RawClient:
    """One session: its socket, its peer connection, and everything in the order it came."""

    http: aiohttp.ClientSession
    reservation: Reservation
    socket: aiohttp.ClientWebSocketResponse
    peer: RTCPeerConnection
    channels: dict[str, RTCDataChannel] = field(default_factory=dict)
    tracks: list[MediaStreamTrack] = field(default_factory=list)
    heard: asyncio.Queue[Message] = field(default_factory=asyncio.Queue)
    offer: str = ""

    def __post_init__(self) -> None:
        self.peer.on("track", self.tracks.append)
        self.peer.on("datachannel", self._channel)

    def _channel(self, channel: RTCDataChannel) -> None:
        self.channels[channel.label] = channel
        if channel.label == "streamerToClient":
            channel.on("message", lambda text: self.heard.put_nowait(json.loads(text)))

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, api_key: str) -> AsyncIterator[RawClient]:
        """Reserve a session, ask for its ICE servers and open its socket; no answer yet."""
        async with aiohttp.ClientSession() as http:
            reservation = await reserve(http, url, api_key)
            base = reservation.grant["signalling_url"].replace("ws", "http", 1)
            async with http.get(f"{base}/config") as response:
                servers = (await response.json())["iceServers"]
            peer = RTCPeerConnection(
                RTCConfiguration([RTCIceServer(urls=each["urls"]) for each in servers])
            )
            try:
                async with http.ws_connect(reservation.socket_url) as socket:
                    client = cls(http, reservation, socket, peer)
                    yield client
                    await client.disconnect()
            finally:
                await peer.close()

    @classmethod
    @asynccontextmanager
    async def connected(cls, url: str, api_key: str) -> AsyncIterator[RawClient]:
        """Open, answer the offer and wait until both channels are open."""
        async with cls.open(url, api_key) as client:
            await client.take_offer()
            await client.post({"type": "answer", "sdp": await client.answer()})
            await client.ready()
            yield client

    async def take_offer(self) -> None:
        """Wait for the offer, which is the first message, and take it."""
        message = await self.told()
        assert message["type"] == "offer", message
        self.offer = message["sdp"]
        await self.peer.setRemoteDescription(RTCSessionDescription(self.offer, "offer"))

    async def answer(self) -> str:
        """Return an answer to the offer, with all candidates inside."""
        await self.peer.setLocalDescription(await self.peer.createAnswer())
        return self.peer.localDescription.sdp

    async def ready(self) -> None:
        """Wait until the track was seen and both channels are open."""

        def is_ready() -> bool:
            states = [channel.readyState for channel in self.channels.values()]
            return bool(self.tracks) and states == ["open", "open"]

        await until(is_ready)

    async def post(self, message: Message) -> None:
        """Send over the WebSocket."""
        await self.socket.send_str(json.dumps(message))

    async def told(self, kind: str = "") -> Message:
        """Wait for the next message of the WebSocket, or the next of that type."""
        while True:
            async with asyncio.timeout(PATIENCE):
                frame = await self.socket.receive()
            assert frame.type == aiohttp.WSMsgType.TEXT, (frame, self.socket.close_code)
            message = json.loads(frame.data)
            if message["type"] == kind or not kind:
                return dict(message)

    async def closed(self) -> int | None:
        """Wait until the service closes the WebSocket, which says nothing more, and how."""
        async with asyncio.timeout(PATIENCE):
            frame = await self.socket.receive()
        assert frame.type in {
            aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSING,
        }, frame  # fmt: skip
        return self.socket.close_code

    def send(self, message: Message) -> None:
        """Send over the data channel."""
        self.channels["clientToStreamer"].send(json.dumps(message))

    async def hear(self) -> Message:
        """Wait for the next message of the data channel."""
        async with asyncio.timeout(PATIENCE):
            return await self.heard.get()

    async def start(
        self, prompt: str, *, portrait: bool = False, broadcast: bool = False
    ) -> Message:
        """Start a stream over the data channel and return the answer."""
        self.send(
            {
                "type": "interactive_stream_start",
                "prompt": prompt,
                "portrait": portrait,
                "broadcast": broadcast,
            }
        )
        return await self.hear()

    async def end(self) -> Message:
        """End the stream and return the answer."""
        self.send({"type": "interactive_stream_end"})
        return await self.hear()

    async def picture(self) -> av.VideoFrame:
        """Wait for the next decoded picture of the one track."""
        (track,) = self.tracks
        async with asyncio.timeout(PATIENCE):
            return await track.recv()  # type: ignore[return-value]

    async def disconnect(self) -> None:
        """Say goodbye and close."""
        if not self.socket.closed:
            with suppress(aiohttp.ClientError):  # it may have been cut
                await self.post({"type": "client_disconnecting"})
            await self.socket.close(code=1000, message=b"Client disconnect")

    def lose_socket(self) -> None:
        """Cut the socket as a crash does: no goodbye, no close frame."""
        transport = self.socket._response.connection.transport  # type: ignore[union-attr]
        transport.abort()  # type: ignore[union-attr]


async def until(condition: Callable[[], Any], *, seconds: float = PATIENCE) -> None:
    """Wait until `condition` is true, letting the loop run."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)
