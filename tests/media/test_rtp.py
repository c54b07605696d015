"""Pictures over RTP: put together from packets, and through real peer connections."""

from __future__ import annotations

import asyncio
import hashlib
import re
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import numpy as np
import pytest
from aiortc import (
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpReceiver,
    RTCRtpSender,
    RTCSessionDescription,
)
from aiortc.rtp import RtpPacket
from hypothesis import given, settings
from hypothesis import strategies as st

from odyssey_nb.media.h264 import Decoder, Encoder, is_keyframe
from odyssey_nb.media.ice import prepare_ice
from odyssey_nb.media.ring import Sequence
from odyssey_nb.media.rtp import (
    LARGEST,
    PATIENCE,
    PictureAssembler,
    ask_for_keyframe,
    hear_feedback,
    hear_keyframe_requests,
    receive_pictures,
)
from odyssey_nb.service.peer import PictureTrack
from odyssey_nb.service.stream import Hub, StreamEngine
from odyssey_nb.service.worlds.test_pattern import TestPattern
from odyssey_nb.wire.stream import (
    InteractiveStreamEnd,
    InteractiveStreamStart,
    StreamEnded,
    StreamStarted,
)
from odyssey_nb.wire.streamer import StartDecision, StreamOver

ROUND = 1 << 16
WRAP = 1 << 32

pytestmark = pytest.mark.timeout(30)


@dataclass
class Taken:
    """Takes pictures, and lets others wait for them."""

    pictures: list[bytes] = field(default_factory=list)
    timestamps: list[int] = field(default_factory=list)
    lost: list[bool] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def __call__(self, data: bytes, timestamp: int, *, lost: bool) -> None:
        """Take one picture."""
        self.pictures.append(data)
        self.timestamps.append(timestamp)
        self.lost.append(lost)
        self.changed.set()

    async def until(self, count: int) -> None:
        """Wait for `count` pictures."""
        while len(self.pictures) < count:
            self.changed.clear()
            await self.changed.wait()


# Assembly


def content(picture: int, part: int) -> bytes:
    """Return what packet number `part` of a picture carries; no two are the same."""
    return b"<%d.%d>" % (picture, part)


TICKS = 200  # of RTP time between two pictures, so few that only packets count


def packets(
    counts: list[int], first: int = 0, time: int = 0, ticks: int = TICKS
) -> list[RtpPacket]:
    """Return the packets of pictures with so many packets each."""
    made = []
    for picture, count in enumerate(counts):
        for part in range(count):
            packet = RtpPacket(
                payload_type=99,
                marker=int(part == count - 1),
                sequence_number=(first + len(made)) % ROUND,
                timestamp=(time + ticks * picture) % WRAP,
            )
            packet._data = content(picture, part)  # the payload, as aiortc's receiver attaches it
            made.append(packet)
    return made


def wholes(counts: list[int]) -> list[bytes]:
    """Return the pictures of `packets`."""
    return [b"".join(content(n, part) for part in range(each)) for n, each in enumerate(counts)]


def assemble(arriving: list[RtpPacket]) -> tuple[Taken, int]:
    """Let packets arrive; return the pictures, and how often a keyframe was to be asked for."""
    taken = Taken()
    assembler = PictureAssembler(taken)
    asked = 0
    for packet in arriving:
        ask, frame = assembler.add(packet)
        assert frame is None  # what aiortc would decode
        asked += ask
    return taken, asked


counts = st.lists(st.integers(1, 5), min_size=1, max_size=20)
firsts = st.integers(0, ROUND - 1) | st.integers(ROUND - 40, ROUND - 1)


@settings(max_examples=80, deadline=None)
@given(counts=counts, first=firsts, data=st.data())
def test_reordered_and_repeated(counts, first, data):
    """Packets that are late or come twice change nothing: every picture, whole and in order."""
    sent = packets(counts, first, WRAP - 2 * TICKS)
    late = data.draw(st.lists(st.integers(0, 60), min_size=len(sent), max_size=len(sent)))
    order = sorted(range(1, len(sent)), key=lambda n: n + late[n])
    arriving = [sent[0], *(sent[n] for n in order)]
    for again in data.draw(st.lists(st.integers(0, len(sent) - 1), max_size=10)):
        arriving.insert(data.draw(st.integers(1, len(arriving))), sent[again])
    taken, asked = assemble(arriving)
    assert taken.pictures == wholes(counts)
    assert taken.timestamps == [TICKS * (n - 2) % WRAP for n in range(len(counts))]
    assert not any(taken.lost)
    assert asked == 0


@settings(max_examples=80, deadline=None)
@given(counts=counts, first=firsts, data=st.data())
def test_lost(counts, first, data):
    """What is lost for good takes its pictures along, and the next whole one says so."""
    tail = [3] * (PATIENCE // 3 + 2)  # enough for every gap to be given up
    sent = packets([*counts, *tail], first)
    missing = data.draw(st.sets(st.integers(1, sum(counts)), max_size=8))
    late = data.draw(st.lists(st.integers(0, 20), min_size=len(sent), max_size=len(sent)))
    order = sorted(range(1, len(sent)), key=lambda n: n + late[n])
    taken, asked = assemble([sent[0], *(sent[n] for n in order if n not in missing)])
    expected = wholes([*counts, *tail])
    shown = [expected.index(each) for each in taken.pictures]  # fails on a mixed one
    assert shown == sorted(set(shown))
    assert shown[-1] == len(expected) - 1
    before = [-1, *shown]
    assert taken.lost == [now != last + 1 for last, now in zip(before, shown, strict=False)]
    assert (asked > 0) is bool(missing)
    ends = np.cumsum([*counts, *tail])
    for number in set(range(len(expected))) - set(shown):
        begin, end = int(ends[number - 1]) if number else 0, int(ends[number])
        # A picture goes with its own loss, or because the one before ended within the gap.
        assert missing & set(range(begin - 1, end))


def test_retransmission_within_the_patience():
    """A gap is waited for as long as the patience lasts, and then everything comes at once."""
    counts = [1, 2, *[1] * (PATIENCE - 1)]
    sent = packets(counts)
    gap, rest = sent[1], [sent[0], *sent[2:]]
    taken, asked = assemble(rest)
    assert (taken.pictures, asked) == (wholes(counts)[:1], 0)
    taken, asked = assemble([*rest, gap])
    assert (taken.pictures, asked) == (wholes(counts), 0)
    assert not any(taken.lost)


def test_gap_is_given_up_once():
    """One packet more than the patience allows gives the gap up, and asks for one keyframe."""
    counts = [1, 2, *[1] * PATIENCE, 1, 1]
    sent = packets(counts)
    taken, asked = assemble([sent[0], *sent[2:]])
    assert taken.pictures == [wholes(counts)[0], *wholes(counts)[2:]]
    assert taken.lost == [False, True] + [False] * (len(counts) - 3)
    assert asked == 1


def test_a_gap_in_small_pictures_is_given_up_in_time():
    """Half a second is waited for what is missing, also where that is only ten packets."""
    counts = [1, 2, *[1] * 20]
    sent = packets(counts, first=ROUND - 3, time=WRAP - 9000, ticks=4500)
    late, rest = sent[1], [sent[0], *sent[2:]]
    taken, asked = assemble([*rest[:11], late, *rest[11:]])
    assert (taken.pictures, asked) == (wholes(counts), 0)
    taken, asked = assemble([*rest[:14], late, *rest[14:]])
    assert taken.pictures == [wholes(counts)[0], *wholes(counts)[2:]]
    assert (taken.lost.count(True), asked) == (1, 1)


@pytest.mark.parametrize("back", [1500, ROUND // 2 - 100])
def test_a_sender_that_counts_anew(back):
    """A sender that goes on with much lower numbers is followed, after a keyframe."""
    before, after = [2, 2], [3, 1, 1]
    sent = packets(before, first=40_000) + packets(after, first=40_000 - back)
    taken, asked = assemble(sent)
    assert taken.pictures == [*wholes(before), *wholes(after)[1:]]
    assert taken.lost == [False, False, True, False]
    assert asked == 1


def test_what_was_handed_on_is_not_kept():
    """Repeated packets of pictures that are gone do not pile up as if they waited for a gap."""
    sent = packets([1] * (2 * PATIENCE))
    taken, asked = assemble([each for packet in sent for each in (packet, packet)])
    assert taken.pictures == wholes([1] * (2 * PATIENCE))
    assert asked == 0


def test_retransmission_that_comes_too_late():
    """What arrives after its gap was given up is ignored."""
    counts = [1, 2, *[1] * (PATIENCE + 5)]
    sent = packets(counts)
    taken, _ = assemble([sent[0], *sent[2:], sent[1]])
    assert taken.pictures == [wholes(counts)[0], *wholes(counts)[2:]]


@pytest.mark.parametrize("size", [PATIENCE, PATIENCE + 1, 3 * PATIENCE])
def test_large_picture(size):
    """A picture of any number of packets is one picture, and no reason to ask for a keyframe."""
    taken, asked = assemble(packets([1, size, 1]))
    assert taken.pictures == wholes([1, size, 1])
    assert (asked, any(taken.lost)) == (0, False)


@pytest.mark.parametrize("missing", [1, 2, PATIENCE, 2 * PATIENCE, 3 * PATIENCE])
def test_gap_in_a_large_picture(missing):
    """A picture with a gap is never handed on, not even its end, however long it still goes on."""
    counts = [1, 3 * PATIENCE, *[2] * PATIENCE]
    sent = packets(counts)
    del sent[missing]
    taken, asked = assemble(sent)
    # Without its last packet a picture cannot be told from the next, which goes as well.
    skipped = 3 if missing == 3 * PATIENCE else 2
    assert taken.pictures == [wholes(counts)[0], *wholes(counts)[skipped:]]
    assert taken.lost[:2] == [False, True]
    assert asked == 1


def test_sender_without_marker_bits_is_not_waited_for_for_ever():
    """Packets that never end a picture do not fill the memory; a keyframe is asked for."""
    sent = packets([LARGEST + 10, 1, 1])
    taken, asked = assemble(sent)
    assert taken.pictures == [b"<1.0>", b"<2.0>"]
    assert taken.lost == [True, False]
    assert asked == 1


@settings(max_examples=100, deadline=None)
@given(counts=counts, first=firsts, data=st.data())
def test_joining_in_the_middle(counts, first, data):
    """Who joins within a picture gets the end of it, which no decoder sees, and then whole ones."""
    joined = data.draw(st.integers(0, sum(counts) - 1))
    sent = packets(counts, first)[joined:]
    taken, asked = assemble(sent)
    whole, ends = wholes(counts), b"".join(wholes(counts)).endswith
    assert ends(b"".join(taken.pictures))
    assert taken.pictures[1:] == (whole[-len(taken.pictures) :])[1:]
    assert asked == 0
    sequence = Sequence("default", want_keyframe=lambda: None)
    sequence.begin()
    assert sequence.number(taken.pictures[0], 0, lost=taken.lost[0]) is None  # no keyframe


def test_padding_does_not_matter():
    """Packets without a payload, as some senders probe with, leave the pictures as they are."""
    sent = packets([2, 1, 2])
    sent[1]._data = b""
    sent[2]._data = b""
    taken, _ = assemble(sent)
    assert taken.pictures == [b"<0.0>", b"", b"<2.0><2.1>"]


# Through real peer connections


async def eventually(condition: Callable[[], bool], *, seconds: float = 5.0) -> None:
    """Wait until `condition` is true; `seconds` is the longest wait."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


def decoder_threads() -> list[str]:
    """Return aiortc's decoder threads that still run."""
    return [each.name for each in threading.enumerate() if each.name.endswith("-decoder")]


@asynccontextmanager
async def watching(
    track: PictureTrack,
    taken: Taken,
    on_request: Callable[[], None],
    on_sender: Callable[[RTCRtpSender], None] = lambda _: None,
) -> AsyncIterator[tuple[RTCRtpReceiver, str]]:
    """Connect a sender of `track` with a receiver that hands pictures to `taken`.

    Yields the receiver and the offer; both ends are closed on the way out.
    """
    configuration = RTCConfiguration(iceServers=[])
    sender, receiver = RTCPeerConnection(configuration), RTCPeerConnection(configuration)
    try:
        transceiver = sender.addTransceiver(track, direction="sendonly")
        codecs = RTCRtpSender.getCapabilities("video").codecs
        transceiver.setCodecPreferences([c for c in codecs if c.mimeType == "video/H264"])
        hear_keyframe_requests(transceiver.sender, on_request)
        on_sender(transceiver.sender)
        prepare_ice(sender)
        await sender.setLocalDescription(await sender.createOffer())
        offer = sender.localDescription.sdp
        await receiver.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        (incoming,) = [each.receiver for each in receiver.getTransceivers()]
        receive_pictures(incoming, taken)
        prepare_ice(receiver)
        await receiver.setLocalDescription(await receiver.createAnswer())
        answer = RTCSessionDescription(receiver.localDescription.sdp, "answer")
        await sender.setRemoteDescription(answer)
        await eventually(lambda: sender.connectionState == "connected")
        await eventually(lambda: receiver.connectionState == "connected")
        yield incoming, offer
    finally:
        track.stop()
        await asyncio.gather(sender.close(), receiver.close())


def units(data: bytes) -> list[bytes]:
    """Return the units of an access unit without start codes, which RTP does not carry."""
    return [each.rstrip(b"\x00") for each in data.split(b"\x00\x00\x01")[1:]]


def paint(encoder: Encoder, step: int) -> None:
    """Paint noise, so that a picture needs several packets."""
    random = np.random.default_rng(step)
    for plane in encoder.planes:
        plane[:] = random.integers(16, 236, plane.shape)


class Source:
    """An encoder of small noisy pictures in front of a track."""

    def __init__(self) -> None:
        self.encoder = Encoder(320, 192, rate=20)
        self.requests = 0
        self.track = PictureTrack(request_keyframe=self.request)
        self.sent: list[bytes] = []

    def request(self) -> None:
        """Count a request for a keyframe."""
        self.requests += 1

    def send(self, *, key: bool) -> None:
        """Send one more picture."""
        step = len(self.sent)
        paint(self.encoder, step)
        self.sent.append(self.encoder.encode(4500 * step, key=key))
        self.track.put(self.sent[-1], 4500 * step, key)


async def test_pictures_arrive_as_they_were_encoded():
    """Each picture arrives whole and at once, before the next is even sent, and can be decoded."""
    source, taken, decoder = Source(), Taken(), Decoder()
    async with asyncio.timeout(15), watching(source.track, taken, source.request):
        for step in range(10):
            source.send(key=step == 0)
            await taken.until(step + 1)  # nothing follows that could release it
            assert len(taken.pictures) == step + 1
            assert units(taken.pictures[-1]) == units(source.sent[-1])
            assert len(taken.pictures[-1]) > 1300  # more than a packet takes
            assert decoder.decode(taken.pictures[-1]).width == 320
    assert not any(taken.lost)
    assert [is_keyframe(each) for each in taken.pictures] == [True] + [False] * 9
    steps = [(b - a) % WRAP for a, b in zip(taken.timestamps, taken.timestamps[1:], strict=False)]
    assert steps == [4500] * 9


async def test_feedback():
    """A receiver of encoded pictures reports losses, the round trip, and the bandwidth it sees."""
    source, taken = Source(), Taken()
    reports: list[tuple[float, float | None]] = []
    estimates: list[int] = []

    def listen(sender: RTCRtpSender) -> None:
        hear_feedback(
            sender, on_report=lambda *report: reports.append(report), on_estimate=estimates.append
        )

    async with asyncio.timeout(25), watching(source.track, taken, source.request, listen):
        while not estimates or not any(trip is not None for _, trip in reports):
            source.send(key=not source.sent)
            await taken.until(len(source.sent))
            await asyncio.sleep(0.05)  # the pace of the pictures
    assert {lost for lost, _ in reports} == {0}
    assert all(trip is None or trip < 5 for _, trip in reports)
    assert min(estimates) > 10_000


async def test_keyframe_request_reaches_the_encoder():
    """A receiver that asks for a keyframe is heard at the sender, each time."""
    source, taken = Source(), Taken()
    async with (
        asyncio.timeout(15),
        watching(source.track, taken, source.request) as (receiver, _),
    ):
        await ask_for_keyframe(receiver)  # before the first packet nobody knows whom to ask
        source.send(key=True)
        await taken.until(1)
        assert source.requests == 0
        for asked in (1, 2):
            await ask_for_keyframe(receiver)
            await eventually(lambda asked=asked: source.requests >= asked)
        source.send(key=True)
        await taken.until(2)
        assert is_keyframe(taken.pictures[-1])
        assert source.requests == 2


async def test_no_decoder_thread_is_left():
    """The thread that would decode ends while pictures flow, and closing is clean."""
    source, taken = Source(), Taken()
    async with asyncio.timeout(15), watching(source.track, taken, source.request):
        source.send(key=True)
        await taken.until(1)
        await eventually(lambda: not decoder_threads())
        source.send(key=False)
        await taken.until(2)
        assert not decoder_threads()
    assert not decoder_threads()


@pytest.mark.parametrize("found", [[], ["127.0.0.1"]], ids=["nothing", "itself"])
async def test_machine_without_a_network(found, monkeypatch):
    """With nothing but the loopback interface up, the only candidate is 127.0.0.1, and it works."""
    monkeypatch.setattr("aioice.ice.get_host_addresses", lambda use_ipv4, use_ipv6: found)
    source, taken = Source(), Taken()
    async with (
        asyncio.timeout(15),
        watching(source.track, taken, source.request) as (_, offer),
    ):
        source.send(key=True)
        await taken.until(1)
    assert re.findall(r"a=candidate:\S+ 1 udp \d+ (\S+) ", offer) == ["127.0.0.1"]


async def test_loopback_comes_first():
    """On any machine 127.0.0.1 is offered once, in front of what aioice finds by itself."""
    source = Source()
    async with asyncio.timeout(15), watching(source.track, Taken(), source.request) as (_, offer):
        addresses = re.findall(r"a=candidate:\S+ 1 udp \d+ (\S+) ", offer)
    assert addresses[0] == "127.0.0.1"
    assert addresses.count("127.0.0.1") == 1


async def allowed(_start: InteractiveStreamStart) -> StartDecision:
    """Let every stream start."""
    return StartDecision()


async def test_one_encode_for_every_watcher():
    """Owner and second watcher get the same bytes; every picture was painted and encoded once."""
    hub, taken, told, reports = Hub(), [Taken(), Taken()], [], []
    engine = StreamEngine(
        TestPattern, hub, may_start=allowed, tell=told.append, report=reports.append
    )
    tracks = [PictureTrack(request_keyframe=hub.request_keyframe) for _ in taken]
    count = 8
    async with asyncio.timeout(20), AsyncExitStack() as stack:
        for track, each in zip(tracks, taken, strict=True):
            await stack.enter_async_context(watching(track, each, hub.request_keyframe))
            hub.add(track.put)
        running = asyncio.ensure_future(engine.run())
        engine.take(InteractiveStreamStart(prompt="a misty forest", portrait=False))
        for each in taken:
            await each.until(count)
        engine.take(InteractiveStreamEnd())
        await eventually(lambda: any(isinstance(each, StreamEnded) for each in told))
        (over,) = [each for each in reports if isinstance(each, StreamOver)]
        for each in taken:
            await each.until(over.pictures_total)
        running.cancel()
        await asyncio.wait({running})
    hashes = [[hashlib.sha256(data).hexdigest() for data in each.pictures] for each in taken]
    assert hashes[0] == hashes[1]
    assert len(set(hashes[0])) == over.pictures_total == over.encodes_total >= count
    assert [type(each) for each in told] == [StreamStarted, StreamEnded]
    assert [track.dropped for track in tracks] == [0, 0]
    assert not any(taken[0].lost + taken[1].lost)
    decoder = Decoder()
    shown = [decoder.decode(data) for data in taken[0].pictures]
    assert {(frame.width, frame.height) for frame in shown} == {(1280, 704)}
