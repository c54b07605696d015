"""The way of a real session: its WebSocket, its peer connection, and its goodbye.

A streamer is held for the second or two that this takes, under a lease like any other, and no
stream is started on it: nothing is generated, and no recording is left.
"""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from odyssey_nb.client.control import Control
from odyssey_nb.client.peer import Peer
from odyssey_nb.client.reservation import holding, reserve
from odyssey_nb.client.retry import is_loopback
from odyssey_nb.client.socket import SocketLostError
from odyssey_nb.concurrency import background
from odyssey_nb.errors import LimitError, NegotiationError, NoStreamerError, OdysseyNBError
from odyssey_nb.kernel.leases import Lease
from odyssey_nb.kernel.sessions import spell

if TYPE_CHECKING:
    from collections.abc import Iterator

    from odyssey_nb.client.reservation import Hold
    from odyssey_nb.client.signaling import Signaling
    from odyssey_nb.diagnosis.patient import Chart, Patient
    from odyssey_nb.wire.control import IceServer, SessionGrant
    from odyssey_nb.wire.signaling import Offer

QUEUE_SECONDS = 2.0  # for a streamer; the doctor is not in a hurry to get one, nor to wait
OFFER_SECONDS = 10.0
NEGOTIATE_SECONDS = 12.0
WAYS = {"host": "directly by UDP", "srflx": "by UDP through NAT", "prflx": "by UDP through NAT"}


async def session(patient: Patient, chart: Chart) -> None:
    """Reserve a streamer, open its socket, bring its video up, and give it back."""
    if not patient.session:
        chart.skip("left out, as you asked")
        return
    if patient.in_the_way:
        chart.skip(patient.in_the_way)
        return
    async with Control.open(patient.url, patient.api_key) as control:
        try:
            grant = await reserve(control, queue_timeout=QUEUE_SECONDS)
        except (LimitError, NoStreamerError) as error:
            chart.warn(f"it could not be tried: {error}", f"{error.hint} `{spell('sessions')}`")
            return
        async with holding(control, grant) as hold:
            with _leased(patient.url, grant):
                await _try(control, hold, patient, chart)


async def _try(control: Control, hold: Hold, patient: Patient, chart: Chart) -> None:
    """Open the socket of a session that is held, and bring its video up."""
    grant = hold.grant
    patient.ice = await control.ice_servers(grant.signalling_url)
    token = await control.session_token(grant.session_id)
    began = time.monotonic()
    try:
        async with control.signaling(grant.signalling_url, grant.session_id, token) as signaling:
            hold.signaling = signaling
            offer = await _offer(signaling)
            chart.ok(f"opened in {time.monotonic() - began:.1f} s", of="WebSocket")
            await _negotiate(signaling, offer, patient, chart)
    except (NegotiationError, SocketLostError) as error:
        await _no_socket(control, grant, str(error), chart)


@contextmanager
def _leased(url: str, grant: SessionGrant) -> Iterator[None]:
    """Say who holds the session, should this process die in the middle."""
    lease = Lease.take("doctor", url, os.getpid())
    try:
        lease.name_session(grant.session_id, grant.signalling_url)
        yield
    finally:
        lease.drop()


async def _offer(signaling: Signaling) -> Offer:
    try:
        async with asyncio.timeout(OFFER_SECONDS):
            while True:
                message = await signaling.receive()
                if message.type == "offer":
                    return message
    except TimeoutError:
        raise NegotiationError("the socket opened, but the streamer offers nothing") from None


async def _no_socket(control: Control, grant: SessionGrant, what: str, chart: Chart) -> None:
    """Tell it, and give the streamer back without the socket, where the service can do that."""
    remedy = (
        f"A proxy before {urlsplit(grant.signalling_url).hostname} may not let WebSockets "
        "(Upgrade) through: allow them there, or connect without it."
    )
    try:
        await control.end_session(grant.session_id)
    except OdysseyNBError:
        remedy += " The streamer stays reserved until the service's clock frees it."
    chart.fail(what, remedy, of="WebSocket")


async def _negotiate(signaling: Signaling, offer: Offer, patient: Patient, chart: Chart) -> None:
    """Bring the peer connection up, and say which way it takes."""
    servers = patient.ice or []
    if is_loopback(patient.url):
        servers = [each for each in servers if each.relays]  # as a connection does
    began = time.monotonic()
    async with Peer.open(servers, on_picture=_ignore, on_message=lambda _: None) as peer:
        await signaling.send(await peer.answer(offer))
        try:
            async with asyncio.timeout(NEGOTIATE_SECONDS), background(_trickle(signaling, peer)):
                await peer.ready()
        except (TimeoutError, SocketLostError):
            _no_way(servers, chart)
            return
        took = time.monotonic() - began
        ours, theirs = peer.way() or ("", "")
        if "relay" in {ours, theirs}:
            chart.ok(f"up in {took:.1f} s, through a TURN relay", of="ICE")
        else:
            way = WAYS.get(ours, "")
            chart.ok(f"video and commands up in {took:.1f} s, {way}".rstrip(", "), of="ICE")


def _no_way(servers: list[IceServer], chart: Chart) -> None:
    if any(each.relays for each in servers):
        remedy = "The relay should have carried it: see TURN below."
    else:
        remedy = (
            "Let the network pass UDP, or give the service a relay: "
            "`odyssey-nb serve --turn turn:HOST:3478 --turn-secret-file FILE`."
        )
    relays = "no TURN server is named" if "give" in remedy else "nor does the relay help"
    chart.fail(f"no video came up: UDP does not get through, and {relays}", remedy, of="ICE")


async def _trickle(signaling: Signaling, peer: Peer) -> None:
    while True:
        message = await signaling.receive()
        if message.type == "ice_candidate":
            await peer.add_candidate(message)


def _ignore(data: bytes, timestamp: int, *, lost: bool) -> None:
    """No stream is started, so no picture matters."""
