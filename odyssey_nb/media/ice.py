"""ICE: trickled candidates, and what we need from the private parts of aiortc and aioice about it.

Two seams, each on an instance, checked on the lowest and the newest supported aiortc:

- `chosen_way`: which pair of candidates ICE chose, aioice tells nobody (RFC 8445 section 8.1.1).
- `prepare_ice`: aioice leaves out 127.0.0.1, without which nothing works on a machine with only
  ``lo`` up; waits 5 s for a STUN or TURN server that is dead; broken off while it gathers or
  closes, it forgets the sockets that it has opened, as aiortc does broken off while it bundles; and
  closed in the moment in which it has connected, aioice checks for ever whether the other end
  still consents.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from aiortc.sdp import candidate_from_sdp

from odyssey_nb.concurrency import Crew

if TYPE_CHECKING:
    from collections.abc import Callable

    import aioice
    from aiortc import RTCPeerConnection

    from odyssey_nb.wire.signaling import IceCandidate

log = logging.getLogger(__name__)

CLOSE_SECONDS = 1.0
MOST_CLOSE_SECONDS = 30.0  # after which its sockets are closed whatever else is left
LOOPBACK = "127.0.0.1"
STUN_SECONDS = 1.0  # for its answer: one round trip, and a second try after half a second
TURN_SECONDS = 4.0  # for a relayed address: some round trips, over TLS more

_closing = Crew()  # owns what closes longer than anybody waits


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


def chosen_way(peer: RTCPeerConnection) -> tuple[str, str] | None:
    """Return the types of the candidates, ours and theirs, that ICE chose for media.

    They are ``host``, ``srflx``, ``prflx`` or ``relay``; ``None`` before it has chosen.
    """
    for transceiver in peer.getTransceivers():
        connection = transceiver.sender.transport.transport.iceGatherer._connection
        for pair in connection._nominated.values():
            return pair.local_candidate.type, pair.remote_candidate.type
    return None


async def close_peer(peer: RTCPeerConnection) -> None:
    """Close `peer` within `CLOSE_SECONDS`; one that takes longer goes on closing by itself."""
    closing = _closing.start(_close(peer))
    await asyncio.wait([closing], timeout=CLOSE_SECONDS)


async def _close(peer: RTCPeerConnection) -> None:
    try:
        async with asyncio.timeout(MOST_CLOSE_SECONDS):
            await peer.close()
    except Exception:
        log.exception("a peer connection was not closed in good order")


def prepare_ice(peer: RTCPeerConnection) -> None:
    """Let `peer` gather 127.0.0.1 first and wait for no dead server, and leave nothing behind.

    Call it before it sets its local description.
    """
    transports = {each.sender.transport for each in peer.getTransceivers()}
    if peer.sctp is not None:
        transports.add(peer.sctp.transport)
    cuts = []
    for transport in transports:
        connection = transport.transport.iceGatherer._connection
        _gather_quickly(connection)
        cuts.append(_close_wholly(connection))
    close = peer.close

    async def closing() -> None:
        try:
            await close()
        finally:  # it may have been broken off, or never have come to each of them
            for cut in cuts:
                cut()

    vars(peer)["close"] = closing


def _gather_quickly(connection: aioice.Connection) -> None:
    gather: Any = connection.get_component_candidates
    stun, turn = connection.stun_server, connection.turn_server

    async def gathered(component: int, addresses: list[str], **options: Any) -> list[Any]:
        del options
        others = [address for address in addresses if address != LOOPBACK]
        found: list[Any] = []
        for here, its_stun, its_turn, seconds in (
            ([LOOPBACK], None, None, 0),  # from here no server can be reached
            (others, stun, None, STUN_SECONDS),
            ([], None, turn, TURN_SECONDS),
        ):
            connection.stun_server, connection.turn_server = its_stun, its_turn
            found += await gather(component=component, addresses=here, timeout=seconds)
        return found

    vars(connection)["get_component_candidates"] = gathered


def _close_wholly(connection: aioice.Connection) -> Callable[[], None]:
    """Let `connection` close wholly; return what closes the sockets that are left all the same."""
    gather: Any = connection.get_component_candidates
    ask, close = connection.query_consent, connection.close
    gathering: set[asyncio.Task[list[Any]]] = set()
    over = False

    async def gathered(**options: Any) -> list[Any]:
        # Whoever waits may be cancelled; this goes on, within its deadline, and closing waits.
        work = asyncio.ensure_future(gather(**options))
        gathering.add(work)
        return await asyncio.shield(work)

    async def closing() -> None:
        nonlocal over
        over = True
        if gathering:
            await asyncio.wait(gathering)
        await close()

    async def asking() -> None:
        if not over:
            await ask()

    def cut() -> None:
        nonlocal over
        over = True
        for protocol in connection._protocols:
            protocol.transport.close()
        for work in gathering:
            if not work.done():
                work.add_done_callback(lambda _: cut())

    vars(connection).update(get_component_candidates=gathered, close=closing, query_consent=asking)
    return cut
