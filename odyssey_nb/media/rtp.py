"""What we need from the private parts of aiortc about RTP; `ice` has what we need about ICE.

Four seams, each on an instance, checked on the lowest and the newest supported aiortc:

- `receive_pictures`: aiortc releases a picture only when the next one begins (33 to 50 ms later)
  and decodes it on a thread. Ours is released on the RTP marker bit (RFC 6184 section 5.1) and
  never decoded here.
- `ask_for_keyframe`: sends the Picture Loss Indication that aiortc keeps to itself (RFC 4585
  section 6.3.1).
- `hear_keyframe_requests`: a sender fed with packets drops such requests; here they reach the
  encoder.
- `hear_feedback`: aiortc's senders keep to themselves what share of their packets is lost (RFC
  3550 section 6.4.1) and the bandwidth that the other end believes in (REMB,
  draft-alvestrand-rmcat-remb-03).
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiortc import RTCRtpReceiver, RTCRtpSender
    from aiortc.rtcrtpparameters import RTCRtpCodecCapability
    from aiortc.rtp import AnyRtcpPacket

_ROUND = 1 << 16  # RTP sequence numbers
_TICKS = 1 << 32  # RTP timestamps
LONGEST_TRIP = 60.0  # seconds; a round trip beyond it is an older report's, or a clock that jumped
PATIENCE = 192  # packets that may arrive beyond a gap, while it may be filled: about 0.5 s
PATIENT_TICKS = 45_000  # of RTP time that they may span: 0.5 s, where a picture is a few packets
MISORDER = 1000  # packets; one that is older still is of a sender that began to count anew
LARGEST = 8192  # packets of one picture, 10 MB: beyond it the sender has forgotten the marker bit


class OnPicture(Protocol):
    """Takes one access unit; `timestamp` is 1/90000 s modulo 2**32, `lost` tells of a gap."""

    def __call__(self, data: bytes, timestamp: int, *, lost: bool) -> None:
        """Take it; called on the event loop, must return at once."""


class RtpPacket(Protocol):
    """What is read of aiortc's packets; `_data` is the payload without its RTP framing."""

    sequence_number: int
    timestamp: int
    marker: int
    _data: bytes


class PictureAssembler:
    """Puts RTP packets together to access units, in order, released by the marker bit.

    Stands in for aiortc's jitter buffer. Pictures behind a gap wait for the retransmission; after
    `PATIENCE` packets or half a second the gap is given up and the next picture says `lost`.
    """

    def __init__(self, on_picture: OnPicture) -> None:
        self._on_picture = on_picture
        self._packets: dict[int, RtpPacket] = {}  # beyond a gap, by sequence number
        self._parts: list[bytes] = []  # the picture under way
        self._next: int | None = None  # sequence number that comes next
        self._headless = False  # what comes next belongs to a picture whose beginning is gone
        self._lost = False

    def add(self, packet: RtpPacket) -> tuple[bool, None]:
        """Take a packet; return whether to ask for a keyframe, and no frame to decode."""
        sequence = packet.sequence_number
        if self._next is None:
            self._next = sequence
        behind = (self._next - sequence) % _ROUND
        if 0 < behind <= MISORDER:
            return False, None  # older than what was released
        anew = MISORDER < behind <= _ROUND // 2
        if anew:
            self._packets.clear()
            self._next = sequence
            self._give_up()
        self._packets[sequence] = packet
        self._release()
        overdue = self._is_overdue(packet)
        if overdue:
            self._give_up()
            self._release()
        return anew or overdue, None

    def _is_overdue(self, newest: RtpPacket) -> bool:
        """Whether what is missing has been waited for long enough."""
        if len(self._packets) > PATIENCE or len(self._parts) > LARGEST:
            return True
        if not self._packets:
            return False
        oldest = next(iter(self._packets.values()))  # the first that came beyond the gap
        return PATIENT_TICKS < (newest.timestamp - oldest.timestamp) % _TICKS < _TICKS // 2

    def _release(self) -> None:
        """Take what is in order, and hand on every picture that is whole."""
        assert self._next is not None
        while (packet := self._packets.pop(self._next, None)) is not None:
            self._next = (self._next + 1) % _ROUND
            self._parts.append(packet._data)
            if packet.marker:
                parts, self._parts = self._parts, []
                if self._headless:
                    self._headless = False
                    continue
                lost, self._lost = self._lost, False
                self._on_picture(b"".join(parts), packet.timestamp, lost=lost)

    def _give_up(self) -> None:
        """Go on behind the gap, with what follows the first marker there."""
        start = self._next
        assert start is not None
        if self._packets:
            self._next = min(self._packets, key=lambda sequence: (sequence - start) % _ROUND)
        self._parts.clear()
        self._headless = self._lost = True


def h264_codecs() -> list[RTCRtpCodecCapability]:
    """Return what a transceiver is to prefer, so that nothing but H.264 is agreed on."""
    from aiortc import RTCRtpSender

    wanted = {"video/H264", "video/rtx"}
    found = RTCRtpSender.getCapabilities("video").codecs
    return [each for each in found if each.mimeType in wanted]


def receive_pictures(receiver: RTCRtpReceiver, on_picture: OnPicture) -> None:
    """Hand encoded pictures of `receiver` to `on_picture`; call before media flows."""
    vars(receiver)["_RTCRtpReceiver__jitter_buffer"] = PictureAssembler(on_picture)
    # The sentinel ends the decoder thread as soon as it starts; nobody will feed it.
    vars(receiver)["_RTCRtpReceiver__decoder_queue"].put(None)


async def ask_for_keyframe(receiver: RTCRtpReceiver) -> None:
    """Ask the sender for a keyframe; does nothing before its first packet."""
    for source in receiver.getSynchronizationSources():
        await receiver._send_rtcp_pli(source.source)


def hear_keyframe_requests(sender: RTCRtpSender, on_request: Callable[[], None]) -> None:
    """Call `on_request` when the other end of `sender` asks for a keyframe."""
    vars(sender)["_send_keyframe"] = on_request


def hear_feedback(
    sender: RTCRtpSender,
    *,
    on_report: Callable[[float, float | None], None],
    on_estimate: Callable[[int], None],
) -> None:
    """Hand on what the other end of `sender` reports, some once a second.

    Args:
        sender: Whose packets the reports are about.
        on_report: Takes the share of packets that are missing since the last report, 0 to 1, and
            the round trip in seconds, at most one picture too long; ``None`` before it is known.
        on_estimate: Takes the bandwidth that the other end believes in, in bit/s.
    """
    from aiortc.clock import current_ntp_time
    from aiortc.rtp import RTCP_PSFB_APP, RtcpPsfbPacket, RtcpRrPacket, unpack_remb_fci

    handle: Any = sender._handle_rtcp_packet

    async def handled(packet: AnyRtcpPacket) -> None:
        await handle(packet)
        if isinstance(packet, RtcpRrPacket):
            for report in packet.reports:
                if report.ssrc == sender._ssrc:
                    # RFC 3550 section 6.4.1, in 1/65536 s.
                    trip = (current_ntp_time() >> 16) - report.lsr - report.dlsr
                    seconds = trip % _TICKS / 65536
                    known = report.lsr != 0 and seconds < LONGEST_TRIP
                    on_report(report.fraction_lost / 256, seconds if known else None)
        elif isinstance(packet, RtcpPsfbPacket) and packet.fmt == RTCP_PSFB_APP:
            with suppress(ValueError):  # others use this kind of packet too
                on_estimate(unpack_remb_fci(packet.fci)[0])

    vars(sender)["_handle_rtcp_packet"] = handled
