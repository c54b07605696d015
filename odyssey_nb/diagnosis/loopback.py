"""Media sent to ourselves: painted, encoded, carried by WebRTC, decoded and compared."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from aiortc import RTCSessionDescription

from odyssey_nb.client.peer import receiving
from odyssey_nb.concurrency import background
from odyssey_nb.media.h264 import CLOCK_RATE, Decoder, Encoder
from odyssey_nb.media.ice import prepare_ice
from odyssey_nb.media.rtp import receive_pictures
from odyssey_nb.service.peer import PictureTrack, sending
from odyssey_nb.service.worlds.base import Planes
from odyssey_nb.service.worlds.test_pattern import TestPattern, prompt_hash, read

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aiortc import RTCPeerConnection

    from odyssey_nb.wire.control import IceServer

WIDTH, HEIGHT, RATE = 640, 352, 20
PROMPT = "a test pattern"
ENOUGH = 10  # pictures
_CANDIDATE = re.compile(r"a=candidate:[^\r\n]* typ (\w+)[^\r\n]*\r\n")


class MediaError(Exception):
    """What came back is not what was sent."""


@dataclass(frozen=True, slots=True)
class Loop:
    """A loop that closed: how many pictures came back, and when the first did, in seconds."""

    pictures: int
    first: float


class _Source:
    """Paints and encodes the test pattern, picture after picture."""

    def __init__(self) -> None:
        self._encoder = Encoder(WIDTH, HEIGHT, rate=RATE)
        self._world = TestPattern(width=WIDTH, height=HEIGHT, prompt=PROMPT, seed=0)
        self._step = 0
        self.key = True  # whether the next is to be a keyframe

    def next(self) -> tuple[bytes, int, bool]:
        """Return an access unit, its timestamp, and whether it is a keyframe."""
        step, key = self._step, self.key
        self._step, self.key = step + 1, False
        self._world.paint(Planes(*self._encoder.planes), step=step, time=step / RATE)
        timestamp = step * CLOCK_RATE // RATE
        return self._encoder.encode(timestamp, key=key), timestamp, key


class _Screen:
    """Decodes what comes, and holds it against what was painted."""

    def __init__(self) -> None:
        self._decoder = Decoder()
        self._last = -1
        self.seen = 0

    def show(self, data: bytes) -> None:
        """Take one access unit.

        Raises:
            MediaError: It is another picture, or out of order.
        """
        frame = self._decoder.decode(data)
        if frame is None:
            return
        picture = frame.to_ndarray(format="rgb24")
        number, words = read(np.asarray(picture, np.uint8))
        if picture.shape != (HEIGHT, WIDTH, 3) or words != prompt_hash(PROMPT):
            raise MediaError("a decoded picture is another than was painted")
        if number <= self._last:
            raise MediaError("pictures came in another order than they were painted in")
        self._last = number
        self.seen += 1


def through_the_codec() -> Loop:
    """Encode and decode in this process alone.

    Raises:
        MediaError: What was decoded is not what was painted.
    """
    source, screen, began = _Source(), _Screen(), time.monotonic()
    for _ in range(ENOUGH):
        screen.show(source.next()[0])
    if screen.seen < ENOUGH:
        raise MediaError(f"{ENOUGH - screen.seen} of {ENOUGH} pictures were not decoded")
    return Loop(screen.seen, time.monotonic() - began)


async def through_webrtc(servers: list[IceServer], *, relayed: bool, seconds: float) -> Loop:
    """Send pictures from one peer connection to another, with ICE servers or without.

    Args:
        servers: The ICE servers that both may use.
        relayed: Allow no other candidates than relayed ones.
        seconds: The deadline.

    Raises:
        MediaError: What came is not what was sent.
        TimeoutError: Not enough came in time.
    """
    source, screen, began = _Source(), _Screen(), time.monotonic()
    arrived: asyncio.Queue[bytes] = asyncio.Queue(10 * ENOUGH)

    def again() -> None:
        source.key = True

    def take(data: bytes, timestamp: int, *, lost: bool) -> None:
        del timestamp, lost
        if not arrived.full():  # enough is enough
            arrived.put_nowait(data)

    track = PictureTrack(request_keyframe=again)
    async with (
        asyncio.timeout(seconds),
        sending(
            track, ice_servers=servers, request_keyframe=again, on_state=lambda _: None
        ) as sender,
        receiving(servers) as receiver,
    ):
        await _agree(sender, receiver, take, relayed=relayed)
        async with background(_feed(source, track)):
            screen.show(await arrived.get())
            first = time.monotonic() - began
            while screen.seen < ENOUGH:
                screen.show(await arrived.get())
    return Loop(screen.seen, first)


async def _agree(
    sender: RTCPeerConnection, receiver: RTCPeerConnection, take: object, *, relayed: bool
) -> None:
    """Exchange descriptions as signaling would."""
    prepare_ice(sender)
    await sender.setLocalDescription(await sender.createOffer())
    await receiver.setRemoteDescription(_described(sender, relayed=relayed))
    for each in receiver.getTransceivers():
        receive_pictures(each.receiver, take)  # type: ignore[arg-type]
    prepare_ice(receiver)
    await receiver.setLocalDescription(await receiver.createAnswer())
    await sender.setRemoteDescription(_described(receiver, relayed=relayed))


def _described(peer: RTCPeerConnection, *, relayed: bool) -> RTCSessionDescription:
    sdp, kind = peer.localDescription.sdp, peer.localDescription.type
    if relayed:
        sdp = _CANDIDATE.sub(lambda each: each[0] if each[1] == "relay" else "", sdp)
    return RTCSessionDescription(sdp, kind)


async def _feed(source: _Source, track: PictureTrack) -> None:
    """Send a picture whenever one is due; before the way is up they wait, or are dropped."""
    for data, timestamp, key in _endless(source):
        track.put(data, timestamp, key)
        await asyncio.sleep(1 / RATE)


def _endless(source: _Source) -> Iterator[tuple[bytes, int, bool]]:
    while True:
        yield source.next()
