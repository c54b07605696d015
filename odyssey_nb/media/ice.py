"""Trickled ICE candidates, as both ends of a connection take them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from aiortc.sdp import candidate_from_sdp

if TYPE_CHECKING:
    from aiortc import RTCPeerConnection

    from odyssey_nb.wire.signaling import IceCandidate

log = logging.getLogger(__name__)


async def add_candidate(connection: RTCPeerConnection, message: IceCandidate) -> None:
    """Take a candidate, or the word that no more come; nonsense is ignored, as browsers do."""
    text = message.candidate.removeprefix("candidate:")
    try:
        if not text:
            await connection.addIceCandidate(None)
            return
        candidate = candidate_from_sdp(text)
        candidate.sdpMid, candidate.sdpMLineIndex = message.sdpMid, message.sdpMLineIndex
        await connection.addIceCandidate(candidate)
    except (ValueError, IndexError, AssertionError, OSError):
        log.info("ignored an ICE candidate")
