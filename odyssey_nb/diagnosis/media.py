"""Codec, UDP and the ICE servers: tried with real pictures, which have to come back the same."""

from __future__ import annotations

import asyncio
import ssl
import time
from typing import TYPE_CHECKING

import av
from aioice import stun
from aioice.turn import create_turn_endpoint
from aiortc.rtcicetransport import parse_stun_turn_uri

from odyssey_nb.client.control import Control
from odyssey_nb.diagnosis.loopback import MediaError, through_the_codec, through_webrtc
from odyssey_nb.kernel.processes import is_here

if TYPE_CHECKING:
    from odyssey_nb.diagnosis.patient import Chart, Patient
    from odyssey_nb.wire.control import IceServer

LOOP_SECONDS = 10.0
STUN_SECONDS = 3.0
RESEND_SECONDS = 0.5
TURN_SECONDS = 5.0
REINSTALL = "`pip install --force-reinstall av` brings the libraries with it."


async def codec(_patient: Patient, chart: Chart) -> None:
    """H.264 in both directions."""
    try:
        loop = through_the_codec()
    except (av.FFmpegError, ValueError, MediaError) as error:
        chart.fail(f"PyAV {av.__version__} does not do H.264: {error}", REINSTALL)
        return
    milliseconds = loop.first / loop.pictures * 1000
    chart.ok(f"H.264 by PyAV {av.__version__}: {milliseconds:.0f} ms a picture, there and back")


async def udp(_patient: Patient, chart: Chart) -> None:
    """Two peers of this process, over UDP."""
    try:
        loop = await through_webrtc([], relayed=False, seconds=LOOP_SECONDS)
    except TimeoutError:
        chart.fail(
            "no picture came from one peer of this machine to another",
            "A firewall here stops UDP between local programs; allow it for Python.",
        )
    except MediaError as error:
        chart.fail(str(error), REINSTALL)
    else:
        chart.ok(
            f"{loop.pictures} pictures came back unharmed over WebRTC on this machine, "
            f"the first in {loop.first:.1f} s"
        )


async def ice_servers(patient: Patient, chart: Chart) -> None:
    """Every STUN and TURN server that the service names."""
    if not patient.up:
        chart.skip(patient.in_the_way)
        return
    if patient.ice is None:
        async with Control.open(patient.url, patient.api_key) as control:
            patient.ice = await control.ice_servers(patient.url)
    if not patient.ice:
        chart.skip("the service names none")
    async with asyncio.TaskGroup() as group:
        for each in patient.ice:
            for url in [each.urls] if isinstance(each.urls, str) else each.urls:
                work = _turn(url, each, chart) if each.relays else _stun(url, chart)
                group.create_task(work)


async def _stun(url: str, chart: Chart) -> None:
    try:
        where = parse_stun_turn_uri(url)
        began = time.monotonic()
        mapped = await asyncio.wait_for(ask_stun(where["host"], where["port"]), STUN_SECONDS)
    except ValueError:
        chart.warn(f"{url} is no address", "Tell the operator of the service.", of="STUN")
    except (TimeoutError, OSError):
        chart.warn(
            f"{url} does not answer within {STUN_SECONDS:g} s",
            "UDP to it is blocked: allow it, or video has to come by a TURN relay.",
            of="STUN",
        )
    else:
        took = (time.monotonic() - began) * 1000
        nat = "without NAT" if is_here(mapped) else "through NAT"
        chart.ok(f"{url} answers in {took:.0f} ms, {nat}", of="STUN")


class _Asking(asyncio.DatagramProtocol):
    """Waits for the answer to one binding request (RFC 8489 section 6.3.1)."""

    def __init__(self, request: stun.Message) -> None:
        self._request = request
        self.answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        del addr
        try:
            message = stun.parse_message(data)
        except ValueError:
            return
        mapped = message.attributes.get("XOR-MAPPED-ADDRESS")
        ours = message.transaction_id == self._request.transaction_id
        if ours and mapped is not None and not self.answer.done():
            self.answer.set_result(str(mapped[0]))

    def error_received(self, exc: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(exc)


async def ask_stun(host: str, port: int) -> str:
    """Return the address that a STUN server sees us at; the caller sets the deadline.

    Raises:
        OSError: Nothing listens there.
    """
    request = stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST)
    transport, asking = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: _Asking(request), remote_addr=(host, port)
    )
    try:
        while True:
            transport.sendto(bytes(request))
            done, _ = await asyncio.wait([asking.answer], timeout=RESEND_SECONDS)
            if done:
                return asking.answer.result()
    finally:
        transport.close()
        asking.answer.cancel()


async def _turn(url: str, server: IceServer, chart: Chart) -> None:
    """Ask a relay for an address, and send pictures through it."""
    try:
        await asyncio.wait_for(_allocate(url, server), TURN_SECONDS)
    except ValueError:
        chart.warn(f"{url} is no address", "Tell the operator of the service.", of="TURN")
    except stun.TransactionFailed as error:
        code = error.response.attributes.get("ERROR-CODE", (0, ""))[0]
        why = "refuses the credentials" if code == 401 else "refuses"
        chart.fail(
            f"{url} {why} that the service hands out ({code})"
            if code == 401
            else f"{url} refuses ({code})",
            "Service and relay must share the secret: compare --turn-secret-file with the "
            "relay's static-auth-secret, and their clocks.",
            of="TURN",
        )
    except (stun.TransactionError, TimeoutError, OSError):
        chart.fail(
            f"{url} does not answer within {TURN_SECONDS:g} s",
            "See that the relay runs, and that the network lets you reach it.",
            of="TURN",
        )
    else:
        await _relayed(url, server, chart)


async def _allocate(url: str, server: IceServer) -> None:
    where = parse_stun_turn_uri(url)
    secure = where["scheme"] == "turns"
    transport, _ = await create_turn_endpoint(
        asyncio.DatagramProtocol,
        server_addr=(where["host"], where["port"]),
        username=server.username,
        password=server.credential,
        ssl=ssl.create_default_context() if secure else None,
        transport=where["transport"],
    )
    transport.close()


async def _relayed(url: str, server: IceServer, chart: Chart) -> None:
    try:
        loop = await through_webrtc([server], relayed=True, seconds=LOOP_SECONDS)
    except (TimeoutError, MediaError) as error:
        chart.fail(
            f"{url} takes the credentials, but {str(error) or 'no picture came through it'}",
            "See that the relay may send to its own address, and its range of ports is open.",
            of="TURN",
        )
    else:
        chart.ok(
            f"{url} relays: {loop.pictures} pictures came back unharmed, the first in "
            f"{loop.first:.1f} s",
            of="TURN",
        )
