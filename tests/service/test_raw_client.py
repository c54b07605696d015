"""The service as the protocol describes it, seen by a client that has none of our code."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
import pytest_asyncio

from odyssey_nb.service.worlds.test_pattern import prompt_hash, read
from tests.conftest import API_KEY
from tests.service.raw_client import Candidate, RawClient, strip_candidates, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.conftest import Service

pytestmark = pytest.mark.asyncio(loop_scope="module")

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(shared: Service) -> AsyncIterator[RawClient]:
    """One connected client for the module; each test leaves it without a stream."""
    async with RawClient.connected(shared.url, API_KEY) as client:
        yield client


async def pictures_of(client: RawClient, prompt: str, size: tuple[int, int]) -> list[int]:
    """Wait for pictures that show `prompt`, and return the numbers of three in a row."""
    numbers: list[int] = []
    for _ in range(200):
        frame = await client.picture()
        number, digest = read(frame.to_ndarray(format="rgb24"))
        if digest == prompt_hash(prompt):
            assert (frame.width, frame.height) == size
            numbers.append(number)
            if len(numbers) == 3:
                return numbers
    raise AssertionError(f"no pictures of {prompt!r}")


async def test_the_whole_way(shared: Service) -> None:
    """Connect, start, interact, end, start again portrait on the same track, disconnect."""
    held = shared.held
    async with RawClient.connected(shared.url, API_KEY) as client:
        assert shared.held == held + 1
        started = await client.start("a red  house", portrait=False)
        assert set(started) == {"type", "stream_id", "applied_prompt"}
        assert started["type"] == "stream_started"
        assert UUID.fullmatch(started["stream_id"])
        assert started["applied_prompt"] == "a red house"
        numbers = await pictures_of(client, "a red house", (1280, 704))
        assert numbers == sorted(set(numbers))

        client.send({"type": "update", "prompt": "at night"})
        assert await client.hear() == {"type": "update_acknowledged", "prompt": "at night"}
        later = await pictures_of(client, "at night", (1280, 704))
        assert later == sorted(set(later))
        assert later[0] > numbers[-1]

        assert await client.end() == {"type": "stream_ended"}
        assert len(client.tracks) == 1
        assert client.tracks[0].readyState == "live"

        again = await client.start("a tall tower", portrait=True)
        assert again["type"] == "stream_started"
        assert again["stream_id"] != started["stream_id"]
        fresh = await pictures_of(client, "a tall tower", (704, 1280))
        assert fresh == sorted(set(fresh))
        assert len(client.tracks) == 1
        assert await client.end() == {"type": "stream_ended"}
    await until(lambda: shared.held == held, seconds=1)


async def test_grant_has_the_fields_of_the_protocol(client: RawClient) -> None:
    """The reservation names the signaling server as a WebSocket origin without a trailing slash."""
    grant = client.reservation.grant
    assert re.fullmatch(r"ws://127\.0\.0\.1:\d+", grant["signalling_url"])
    assert grant["capabilities"] == {"image_to_video": True}
    assert grant["model"] == "test_pattern"
    assert isinstance(grant["session_id"], str)


async def test_offer(client: RawClient) -> None:
    """The offer has what every client needs: H.264, a stream id, loopback, a setup role."""
    offer = client.offer
    video, application = re.split(r"(?m)^(?=m=)", offer)[1:]
    formats = re.findall(r"a=fmtp:\d+ (.*)", video)
    h264 = [line for line in formats if "profile-level-id" in line]
    assert h264
    assert all("packetization-mode=1" in line for line in h264)
    assert {re.search(r"profile-level-id=(\w+)", line)[1].lower() for line in h264} <= {
        "42e01f", "42001f",
    }  # fmt: skip
    assert not re.search(r"a=rtpmap:\d+ (VP8|VP9|AV1|H265)", video)
    assert re.search(r"a=msid:\S+ \S+", video)
    assert "a=sendonly" in video
    assert "a=rtcp-mux" in video
    assert re.search(r"nack pli", video)
    assert re.search(r"a=candidate:.* 127\.0\.0\.1 ", offer)
    assert "a=setup:actpass" in offer
    assert "a=group:BUNDLE" in offer
    assert re.match(r"m=application \d+ UDP/DTLS/SCTP webrtc-datachannel", application)
    size = re.search(r"a=max-message-size:(\d+)", application)
    assert size
    assert int(size[1]) >= 65536


async def test_channels(client: RawClient) -> None:
    """There are exactly the two labelled channels, ordered and reliable, and one video track."""
    assert set(client.channels) == {"clientToStreamer", "streamerToClient"}
    for channel in client.channels.values():
        assert channel.ordered
        assert channel.maxRetransmits is None
        assert channel.maxPacketLifeTime is None
        assert not channel.negotiated
    assert [track.kind for track in client.tracks] == ["video"]


async def test_start_while_active(client: RawClient) -> None:
    """A second start is refused, and the running stream goes on and can be steered."""
    await client.start("the first")
    refused = await client.start("the second")
    assert refused["type"] == "interactive_stream_error"
    assert refused["reason"] == "stream_already_active"
    client.send({"type": "update", "prompt": "still the first"})
    assert await client.hear() == {"type": "update_acknowledged", "prompt": "still the first"}
    await pictures_of(client, "still the first", (1280, 704))
    assert await client.end() == {"type": "stream_ended"}


async def test_update_without_stream(client: RawClient) -> None:
    """An update without a stream is answered with an error."""
    client.send({"type": "update", "prompt": "anything"})
    answer = await client.hear()
    assert answer["type"] == "interactive_stream_error"
    assert answer["reason"] == "no_active_stream"
    assert answer["message"]


async def test_end_without_stream(client: RawClient) -> None:
    """An end without a stream is answered with stream_ended; official clients wait for it."""
    assert await client.end() == {"type": "stream_ended"}


@pytest.mark.parametrize("prompt", ["", "  \n\t "])
async def test_empty_prompt(client: RawClient, prompt: str) -> None:
    """A prompt without words is refused at start and at update, and nothing changes."""
    refused = await client.start(prompt)
    assert (refused["type"], refused["reason"]) == ("interactive_stream_error", "empty_prompt")
    assert (await client.start("something"))["type"] == "stream_started"
    client.send({"type": "update", "prompt": prompt})
    refused = await client.hear()
    assert (refused["type"], refused["reason"]) == ("interactive_stream_error", "empty_prompt")
    assert await client.end() == {"type": "stream_ended"}


async def test_missing_fields_have_defaults(client: RawClient) -> None:
    """A start without `portrait` is portrait; unknown fields and null images are taken."""
    client.send(
        {"type": "interactive_stream_start", "prompt": "default", "input_image_base64": None,
         "a_field_of_tomorrow": {"deep": [1]}}
    )  # fmt: skip
    assert (await client.hear())["type"] == "stream_started"
    await pictures_of(client, "default", (704, 1280))
    assert await client.end() == {"type": "stream_ended"}


async def test_nonsense_on_the_channel_is_ignored(client: RawClient) -> None:
    """What is no message of ours gets no answer and harms nothing."""
    for text in ("", "nonsense", "[]", "{}", '{"type": 3}', '{"type": "of_tomorrow"}'):
        client.channels["clientToStreamer"].send(text)
    client.channels["clientToStreamer"].send(b"\x00\xff")
    client.send({"type": "update", "prompt": 7})
    assert await client.end() == {"type": "stream_ended"}


async def test_answers_come_in_order(client: RawClient) -> None:
    """Updates that are sent without waiting are acknowledged one by one, in order."""
    await client.start("many")
    prompts = [f"prompt number {number}" for number in range(10)]
    for prompt in prompts:
        client.send({"type": "update", "prompt": prompt})
    answers = [await client.hear() for _ in prompts]
    assert answers == [{"type": "update_acknowledged", "prompt": prompt} for prompt in prompts]
    assert await client.end() == {"type": "stream_ended"}


@pytest.mark.parametrize("text", ["word ", "\N{SNOWMAN}\N{GRINNING FACE} "])
async def test_large_prompt(client: RawClient, text: str) -> None:
    """A prompt larger than a data-channel message starts a stream; its echo is shortened."""
    prompt = text * 80_000
    await client.post({"type": "interactive_stream_start", "prompt": prompt, "portrait": False})
    started = await client.hear()
    assert started["type"] == "stream_started"
    echo = started["applied_prompt"]
    assert 1000 < len(echo.encode()) < 65_000
    assert prompt.startswith(echo.removesuffix("…"))
    await pictures_of(client, prompt.strip(), (1280, 704))

    steer = text * 3_000
    client.send({"type": "update", "prompt": steer})
    acknowledged = await client.hear()
    assert acknowledged["type"] == "update_acknowledged"
    await pictures_of(client, steer.strip(), (1280, 704))
    assert await client.end() == {"type": "stream_ended"}


async def test_start_over_the_socket(client: RawClient) -> None:
    """A start over the WebSocket is answered over the data channel."""
    await client.post({"type": "interactive_stream_start", "prompt": "by socket"})
    assert (await client.hear())["type"] == "stream_started"
    assert await client.end() == {"type": "stream_ended"}


async def test_start_over_the_socket_before_everything(shared: Service) -> None:
    """A start that comes before the offer was even taken gets its answer on the channel."""
    async with RawClient.open(shared.url, API_KEY) as client:
        await client.post(
            {"type": "interactive_stream_start", "prompt": "too early", "portrait": False}
        )
        await client.take_offer()
        await client.post({"type": "answer", "sdp": await client.answer()})
        await client.ready()
        started = await client.hear()
        assert (started["type"], started["applied_prompt"]) == ("stream_started", "too early")
        await pictures_of(client, "too early", (1280, 704))


@pytest.mark.parametrize("prefix", [True, False], ids=["with prefix", "without prefix"])
@pytest.mark.parametrize("early", [True, False], ids=["before the answer", "after the answer"])
async def test_trickled_candidates(shared: Service, *, prefix: bool, early: bool) -> None:
    """Candidates may come on their own, before or after the answer, among nonsense."""
    nonsense: list[dict[str, object]] = [
        {"type": "ice_candidate", "candidate": "candidate:nonsense", "sdpMid": "0"},
        {"type": "ice_candidate", "candidate": "candidate:1 1 udp x 10.0.0.1 y typ host",
         "sdpMid": "0"},
        {"type": "ice_candidate", "candidate": "candidate:1 1 udp 1 nowhere 9 typ host"},
        {"type": "ice_candidate", "candidate": "candidate:1 1 udp 1 999.1.1.1 9 typ host",
         "sdpMid": "0"},
        {"type": "ice_candidate", "candidate": "candidate:1 1 tcp 1 10.0.0.1 9 typ host tcptype",
         "sdpMid": "no such", "sdpMLineIndex": 77},
        {"type": "ice_candidate", "candidate": 12},
        {"type": "ice_candidate"},
    ]  # fmt: skip
    async with RawClient.open(shared.url, API_KEY) as client:
        await client.take_offer()
        sdp, candidates = strip_candidates(await client.answer())
        assert candidates
        assert "a=candidate" not in sdp
        if not early:
            await client.post({"type": "answer", "sdp": sdp})
        for message in nonsense[:-1]:
            await client.post(message)
        for candidate in candidates:
            await client.post(candidate.message(prefix=prefix))
        await client.post({"type": "ice_candidate", "candidate": "", "sdpMid": "0"})
        if early:
            await client.post({"type": "answer", "sdp": sdp})
        await client.ready()
        await client.post(nonsense[-1])
        for message in nonsense:
            await client.post(message)
        assert (await client.start("trickled"))["type"] == "stream_started"


async def test_mdns_names(shared: Service) -> None:
    """A browser hides its addresses behind names of mDNS; the streamer finds it all the same."""
    async with RawClient.open(shared.url, API_KEY) as client:
        await client.take_offer()
        sdp, candidates = strip_candidates(await client.answer())
        await client.post({"type": "answer", "sdp": sdp})
        for candidate in candidates:
            fields = candidate.text.split(" ")
            fields[4] = f"{uuid4()}.local"
            await client.post(Candidate(" ".join(fields), candidate.mid, candidate.index).message())
        await client.ready()
        assert (await client.start("behind a name"))["type"] == "stream_started"


async def test_nonsense_on_the_socket_is_ignored(client: RawClient) -> None:
    """Text that is no message, unknown types and keepalives are not answered, and harm nothing."""
    for text in ("", "nonsense", "[]", "{}", '{"type": null}', '{"type": "of_tomorrow"}'):
        await client.socket.send_str(text)
    await client.socket.send_bytes(b'{"type": "keepalive"}')
    await client.socket.send_bytes(b"\xff\x00")
    await client.post({"type": "keepalive"})
    assert await client.end() == {"type": "stream_ended"}


async def test_each_stream_counts_from_its_start(client: RawClient) -> None:
    """The next stream's pictures count from zero again, though the track is the same."""
    await client.start("one")
    assert (await pictures_of(client, "one", (1280, 704)))[0] < 15
    await client.end()
    await client.start("two")
    assert (await pictures_of(client, "two", (1280, 704)))[0] < 15
    await client.end()


async def test_leaving_mid_stream(shared: Service) -> None:
    """A client that leaves while a stream runs frees its streamer at once."""
    held = shared.held
    async with RawClient.connected(shared.url, API_KEY) as client:
        await client.start("never ended")
        assert shared.held == held + 1
    await until(lambda: shared.held == held, seconds=1)
