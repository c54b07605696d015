"""ICE leaves nothing behind: peers that are given up at any moment have closed their sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

import psutil
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from odyssey_nb.media.ice import prepare_ice
from tests.service.raw_client import until

pytestmark = pytest.mark.timeout(30)

SEVERAL = ["127.0.0.1", "127.0.0.2", "127.0.0.3"]


@pytest.fixture(autouse=True)
def _addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aioice.ice.get_host_addresses", lambda use_ipv4, use_ipv6: SEVERAL)


def descriptors() -> int:
    """Count what this process has open."""
    return psutil.Process().num_fds()


def offerer() -> RTCPeerConnection:
    """Make a peer with two transports, which an answer bundles to one."""
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    peer.addTransceiver("video", direction="recvonly")
    peer.createDataChannel("talk")
    prepare_ice(peer)
    return peer


async def offering(peer: RTCPeerConnection) -> None:
    """Let `peer` offer, with all candidates inside."""
    await peer.setLocalDescription(await peer.createOffer())


async def answered(offer: RTCSessionDescription) -> tuple[RTCPeerConnection, str]:
    """Return a peer that answers `offer`, and its answer."""
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    await peer.setRemoteDescription(offer)
    prepare_ice(peer)
    await peer.setLocalDescription(await peer.createAnswer())
    return peer, peer.localDescription.sdp


async def broken_off(work: Awaitable[None], turns: int) -> None:
    """Cancel `work` after so many turns of the loop."""
    task = asyncio.ensure_future(work)
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task], timeout=5)


@pytest.mark.parametrize("turns", range(12))
async def test_broken_off_while_it_gathers(turns):
    """A peer that is given up before all its candidates are there leaves no socket open."""
    before = descriptors()
    peer = offerer()
    await broken_off(offering(peer), turns)
    async with asyncio.timeout(5):
        await peer.close()
    assert descriptors() == before


@pytest.mark.parametrize("turns", range(1, 24, 2))
async def test_broken_off_while_it_closes(turns):
    """A peer that nobody waits for any longer lets go of its sockets."""
    before = descriptors()
    peer = offerer()
    await offering(peer)
    assert descriptors() > before
    await broken_off(peer.close(), turns)
    await until(lambda: descriptors() == before)


@pytest.mark.parametrize("turns", range(1, 12, 2))
async def test_broken_off_while_it_bundles(turns):
    """The transport that an answer does without is closed, also when taking it is broken off."""
    before = descriptors()
    peer = offerer()
    await offering(peer)
    other, answer = await answered(peer.localDescription)
    await broken_off(peer.setRemoteDescription(RTCSessionDescription(answer, "answer")), turns)
    async with asyncio.timeout(10):
        await peer.close()
        await other.close()
    await until(lambda: descriptors() == before)
