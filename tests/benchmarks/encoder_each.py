"""The usual way to serve viewers with aiortc, an encoder for each: ``python -m …encoder_each``.

Serves WHEP at the address that it prints. Every viewer has a track of raw pictures, which its peer
connection encodes for it alone.
"""

from __future__ import annotations

import asyncio
from fractions import Fraction

import av
import numpy as np
from aiohttp import web
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCSessionDescription

from odyssey_nb.media.h264 import CLOCK_RATE, Encoder
from odyssey_nb.media.ice import prepare_ice
from odyssey_nb.media.rtp import h264_codecs
from odyssey_nb.service.worlds.base import PICTURES_PER_SECOND, Planes
from odyssey_nb.service.worlds.test_pattern import TestPattern
from odyssey_nb.wire.stream import LANDSCAPE

LOOP = 40  # pictures, painted once


class RawTrack(MediaStreamTrack):
    """Hands out raw pictures at the usual rate."""

    kind = "video"

    def __init__(self, pictures: list[av.VideoFrame]) -> None:
        super().__init__()
        self._pictures = pictures
        self._began = asyncio.get_running_loop().time()
        self._made = 0

    async def recv(self) -> av.VideoFrame:
        """Wait until it is time for the next."""
        due = self._began + self._made / PICTURES_PER_SECOND
        await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))
        picture = self._pictures[self._made % LOOP]
        picture.pts = self._made * CLOCK_RATE // PICTURES_PER_SECOND
        picture.time_base = Fraction(1, CLOCK_RATE)
        self._made += 1
        return picture


def paint() -> list[av.VideoFrame]:
    """Paint what is shown."""
    width, height = LANDSCAPE
    world = TestPattern(width=width, height=height, prompt="a red house", seed=0, image=None)
    canvas = Encoder(width, height, rate=PICTURES_PER_SECOND).planes
    pictures = []
    for step in range(LOOP):
        world.paint(Planes(*canvas), step=step, time=step / PICTURES_PER_SECOND)
        packed = np.concatenate([plane.ravel() for plane in canvas])
        picture = packed.reshape(height * 3 // 2, width)
        pictures.append(av.VideoFrame.from_ndarray(picture, format="yuv420p"))
    return pictures


async def main() -> None:
    """Serve until the process is ended."""
    pictures = paint()
    peers: list[RTCPeerConnection] = []

    async def whep(request: web.Request) -> web.Response:
        peer = RTCPeerConnection()
        peers.append(peer)
        transceiver = peer.addTransceiver(RawTrack(pictures), direction="sendonly")
        transceiver.setCodecPreferences(h264_codecs())
        await peer.setRemoteDescription(RTCSessionDescription(await request.text(), "offer"))
        prepare_ice(peer)
        await peer.setLocalDescription(await peer.createAnswer())
        return web.Response(
            text=peer.localDescription.sdp,
            status=201,
            headers={"Location": "/none"},
            content_type="application/sdp",
        )

    app = web.Application()
    app.router.add_post("/whep", whep)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
