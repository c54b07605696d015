"""A process that reads a broadcast's pictures: ``python -m … WAY URL TOKEN``.

Prints, as JSON, the milliseconds of processor time that its own process and its sidecar took in
each second of the stream, and how many arrays it had.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from contextlib import suppress

import aiohttp
import psutil
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError

SECONDS = 6.0

WAYS: dict[str, dict[str, object] | None] = {
    "nobody asks": None,
    "on_frame": {},
    "on_frame, gray": {"format": "gray"},
    "on_frame(every=5)": {"every": 5},
    "on_frame(seconds=1)": {"seconds": 1.0},
}


def measure(had: Callable[[], int]) -> dict[str, float]:
    """Return what this process and its children take while it lasts; `had` counts arrays."""
    processes = [psutil.Process(), *psutil.Process().children()]
    before, count, began = [_spent(each) for each in processes], had(), time.monotonic()
    time.sleep(SECONDS)
    lasted = time.monotonic() - began
    spent = [
        1000 * (_spent(each) - old) / lasted for each, old in zip(processes, before, strict=True)
    ]
    return {
        "kernel": spent[0],
        "sidecar": sum(spent[1:]),
        "arrays": (had() - count) / lasted,
    }


def _spent(process: psutil.Process) -> float:
    return sum(process.cpu_times()[:2])


def ours(way: str, url: str, token: str) -> dict[str, float]:
    """Read as a notebook does."""
    import odyssey_nb as ody

    live, options = ody.watch(url, token), WAYS[way]
    handle = None if options is None else live.on_frame(lambda picture: picture[0, 0], **options)
    if handle is not None:
        while handle.calls < 2:
            time.sleep(0.05)
    said = measure(lambda: 0 if handle is None else handle.calls)
    live.leave()
    return said


async def aiortc(url: str, token: str) -> dict[str, float]:
    """Read as aiortc's examples do: every frame that the track has, as an array."""
    peer, arrays = RTCPeerConnection(), 0

    async def read(track: MediaStreamTrack) -> None:
        nonlocal arrays
        with suppress(MediaStreamError):
            while True:
                frame = await track.recv()
                frame.to_ndarray(format="rgb24")
                arrays += 1

    reading: list[asyncio.Task[None]] = []
    peer.on("track", lambda track: reading.append(asyncio.ensure_future(read(track))))
    peer.addTransceiver("video", direction="recvonly")
    await peer.setLocalDescription(await peer.createOffer())
    async with (
        aiohttp.ClientSession(headers={"Content-Type": "application/sdp"}) as http,
        http.post(f"{url}/whep?token={token}", data=peer.localDescription.sdp) as response,
    ):
        answer = RTCSessionDescription(await response.text(), "answer")
    await peer.setRemoteDescription(answer)
    while arrays < 2:
        await asyncio.sleep(0.05)
    said = await asyncio.to_thread(measure, lambda: arrays)
    await peer.close()
    await asyncio.gather(*reading)
    return said


def main() -> None:
    """Read in the way that is asked for, and print."""
    way, url, token = sys.argv[1:4]
    said = asyncio.run(aiortc(url, token)) if way == "aiortc" else ours(way, url, token)
    sys.stdout.write(json.dumps(said) + "\n")


if __name__ == "__main__":
    main()
