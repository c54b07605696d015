"""Broadcasts as those who watch see them: WHEP by aiortc, HLS by FFmpeg and by hand."""

from __future__ import annotations

import asyncio
import hashlib
import io
import re
import threading
import time
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

import aiohttp
import av
import pytest

from odyssey_nb.media.h264 import Encoder, is_keyframe
from odyssey_nb.media.rtp import receive_pictures
from odyssey_nb.service.playlist import END, LISTED, Playlist, end_playlist, with_token
from tests.conftest import API_KEY
from tests.service.raw_client import RawClient, until
from tests.service.raw_spectator import SDP, RawSpectator
from tests.service.running import running, streamers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.conftest import Service

ORIGIN = {"Origin": "https://somebody.example"}
VIDEO = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"


@asynccontextmanager
async def broadcasting(service: Service) -> AsyncIterator[tuple[RawClient, dict[str, Any]]]:
    """Stream to the world, and yield the owner and what ``broadcast_ready`` says."""
    async with RawClient.connected(service.url, API_KEY) as owner:
        started = await owner.start("a red house", broadcast=True)
        assert started["type"] == "stream_started"
        ready = await owner.hear()
        assert ready["type"] == "broadcast_ready"
        assert ready["webrtc_url"] == f"{service.url}/live/{started['stream_id']}"
        yield owner, ready


def units(data: bytes) -> list[bytes]:
    """Return hashes of the slices of an Annex B access unit, which no remuxing may change."""
    parts = [part.rstrip(b"\0") for part in data.split(b"\0\0\1")]
    return [hashlib.sha256(part).digest() for part in parts if part and part[0] & 31 in (1, 5)]


def access_units(mp4: bytes) -> list[list[bytes]]:
    """Return the hashes of every access unit in an MP4."""
    with av.open(io.BytesIO(mp4)) as file:
        video = file.streams.video[0]
        to_annex_b = av.bitstream.BitStreamFilterContext("h264_mp4toannexb", video)
        packets = [each for packet in file.demux(video) for each in to_annex_b.filter(packet)]
        return [units(bytes(packet)) for packet in packets if packet.size]


async def get(http: aiohttp.ClientSession, url: str, *, status: int = 200) -> bytes:
    """Fetch `url`."""
    async with http.get(url) as response:
        assert response.status == status, (response.status, await response.text())
        return await response.read()


def listed(playlist: str) -> list[str]:
    """Return the segments that a playlist lists."""
    return [line for line in playlist.splitlines() if line and not line.startswith("#")]


async def test_everybody_sees_the_same_pictures(shared: Service) -> None:
    """Owner, three spectators, HLS and MP4 have equal access units, each encoded once."""
    owned: list[bytes] = []
    async with AsyncExitStack() as stack:
        owner, ready = await stack.enter_async_context(broadcasting(shared))
        (receiver,) = (
            each.receiver for each in owner.peer.getTransceivers() if each.kind == "video"
        )
        receive_pictures(receiver, lambda data, _, *, lost: owned.append(data))
        watching = [
            await stack.enter_async_context(
                RawSpectator.watching(owner.http, ready["webrtc_url"], ready["spectator_token"])
            )
            for _ in range(3)
        ]
        for each in watching:
            await each.see(30)
        await until(lambda: len(owned) >= 50)
        assert (await owner.end())["type"] == "stream_ended"
        playlist = (await get(owner.http, ready["broadcast_url"])).decode()
        assert playlist.endswith(END)
        (init,) = re.findall(r'URI="([^"]+)"', playlist)
        parts = [
            await get(owner.http, urljoin(ready["broadcast_url"], name))
            for name in [init, *listed(playlist)]
        ]
        for each in watching:
            await each.lost()
        stream_id = ready["webrtc_url"].rpartition("/")[2]
    recorded = shared.data_dir / "media" / stream_id / "video.mp4"
    await until(recorded.exists)
    mp4, hls = access_units(recorded.read_bytes()), access_units(b"".join(parts))
    assert hls == mp4
    for pictures in ([units(each) for each in seen.pictures] for seen in watching):
        at = mp4.index(pictures[0])
        assert len(pictures) >= 30
        assert pictures == mp4[at : at + len(pictures)]
    mine = [units(each) for each in owned]
    at = mp4.index(mine[0])
    assert mine == mp4[at : at + len(mine)]
    numbers = dict(re.findall(rb"^odyssey_(\w+)_total ([\d.e+]+)$", await metrics(shared), re.M))
    assert numbers[b"pictures"] == numbers[b"encodes"]


async def metrics(service: Service) -> bytes:
    """Return what the service counts."""
    async with aiohttp.ClientSession() as http:
        return await get(http, f"{service.url}/metrics")


async def test_a_spectator_gets_a_keyframe_at_once(shared: Service) -> None:
    """Its first picture is a keyframe, made for it or, just after another, that of the second.

    Counted in the stream's own pictures, of which there are 20 a second, because both ends share
    their processors with other tests.
    """
    async with broadcasting(shared) as (owner, ready), AsyncExitStack() as stack:
        owned: list[bytes] = []
        (receiver,) = (
            each.receiver for each in owner.peer.getTransceivers() if each.kind == "video"
        )
        receive_pictures(receiver, lambda data, _timestamp, *, lost: owned.append(data))
        await until(lambda: len(owned) > 2)
        waits = []
        for _ in range(4):
            spectator = await stack.enter_async_context(
                RawSpectator.watching(owner.http, ready["webrtc_url"], ready["spectator_token"])
            )
            await until(lambda spectator=spectator: "connected" in spectator.states)
            already = len(owned)
            await spectator.see(1)
            first = spectator.pictures[0]
            assert is_keyframe(first)
            await until(lambda first=first: first in owned)
            waits.append(owned.index(first) - already)
        assert min(waits) <= 2  # 100 ms
        assert max(waits) <= 21


async def watching(service: Service) -> int:
    """Return how many spectators the service counts."""
    (found,) = re.findall(rb"^odyssey_spectators ([\d.]+)$", await metrics(service), re.M)
    return int(float(found))


async def test_lost_spectators(tmp_path: Path) -> None:
    """One who never connects is given up in time; one whose connection closes is seen to go."""
    with running(tmp_path, "--limit", "negotiation_seconds=4") as service:
        async with broadcasting(service) as (owner, ready), AsyncExitStack() as stack:
            where = ready["webrtc_url"], ready["spectator_token"]
            joined = RawSpectator.watching(owner.http, *where)
            spectator = await stack.enter_async_context(joined)
            await spectator.see(1)
            address = f"{where[0]}/whep?token={where[1]}"
            offer = spectator.peer.localDescription.sdp
            async with owner.http.post(address, data=offer, headers=SDP) as response:
                assert response.status == 201
            assert await watching(service) == 2  # one of whom will never connect
            async with asyncio.timeout(30):
                while await watching(service) > 1:
                    await asyncio.sleep(0.05)
            seen = len(spectator.pictures)
            await spectator.see(seen + 2)
            await stack.aclose()  # without a DELETE
            async with asyncio.timeout(30):
                while await watching(service):
                    await asyncio.sleep(0.05)


@pytest.mark.newest
async def test_a_streamer_that_hangs(tmp_path: Path) -> None:
    """Whoever wants to watch is told so after ten seconds, and nobody is counted."""
    with running(tmp_path) as service:
        async with broadcasting(service) as (owner, ready):
            address = f"{ready['webrtc_url']}/whep?token={ready['spectator_token']}"
            hanging = streamers(service.pid)
            for each in hanging:
                each.suspend()
            try:
                async with owner.http.post(address, data="v=0", headers=SDP) as response:
                    assert response.status == 504
                assert await watching(service) == 0
            finally:
                for each in hanging:
                    each.resume()


def test_old_segments_go(tmp_path: Path) -> None:
    """However long a stream is, its folder has the listed segments and as many before them."""
    encoder, written = Encoder(64, 64, rate=2), threading.Event()
    playlist = Playlist(tmp_path / "live", on_written=lambda _: written.set())
    for second in range(40):
        playlist.picture(encoder.encode(second * 90_000, key=True), second * 90_000, True)
    assert written.wait(10)
    playlist.close()
    text = (tmp_path / "live" / "index.m3u8").read_text()
    segments = sorted((tmp_path / "live").glob("segment*.m4s"))
    assert len(listed(text)) == LISTED
    assert LISTED <= len(segments) <= 2 * LISTED + 2
    assert {Path(each).name for each in listed(text)} <= {each.name for each in segments}


async def test_whep(shared: Service) -> None:
    """The answer is H.264 without sound; a browser may read Location, and DELETE works once."""
    async with (
        broadcasting(shared) as (owner, ready),
        RawSpectator.watching(
            owner.http, ready["webrtc_url"], ready["spectator_token"]
        ) as spectator,
    ):
        assert shared.held == 1  # the owner's: who watches needs none
        video, audio = (
            part.partition("\r\nm=")[0] for part in spectator.answer.split("\r\nm=")[1:3]
        )
        assert "sendonly" in video
        assert "H264/90000" in video
        assert "VP8" not in video
        assert "a=msid" in video
        assert "a=inactive" in audio
        assert ready["spectator_token"] not in spectator.resource
        await spectator.see(10)
        assert await spectator.leave() == 204
        await spectator.lost()
        assert await spectator.leave() == 404
        origin = "{0.scheme}://{0.netloc}".format(urlsplit(ready["webrtc_url"]))
        assert b"iceServers" in await get(owner.http, f"{origin}/config")
        preflight = {**ORIGIN, "Access-Control-Request-Headers": "content-type"}
        for url, method in (
            (f"{ready['webrtc_url']}/whep?token=x", "POST"),
            (spectator.resource, "DELETE"),
        ):
            asked = {**preflight, "Access-Control-Request-Method": method}
            async with owner.http.options(url, headers=asked) as response:
                assert response.status == 200
                assert method in response.headers["Access-Control-Allow-Methods"]
        async with owner.http.post(
            f"{ready['webrtc_url']}/whep", data="", headers={**SDP, **ORIGIN}
        ) as response:
            assert response.status == 401
            assert response.headers["Access-Control-Allow-Origin"] == "*"
            assert "Location" in response.headers["Access-Control-Expose-Headers"]


REFUSED: tuple[tuple[str, str | bytes, dict[str, str], int], ...] = (
    ("{url}/whep?token=wrong", "v=0", SDP, 401),
    ("{url}/whep", "v=0", SDP, 401),
    ("{url}x/whep?token={token}", "v=0", SDP, 404),
    ("{url}/whep?token={token}", "v=0", {"Content-Type": "text/plain"}, 415),
    ("{url}/whep?token={token}", "no description", SDP, 400),
    ("{url}/whep?token={token}", b"\xff", SDP, 400),
    ("{url}/whep?token={token}", VIDEO, SDP, 400),
    ("{url}/whep?token={token}", "v" * 100_000, SDP, 413),
)


async def test_refused_offers(owned: tuple[RawClient, dict[str, Any]]) -> None:
    """Each kind of bad offer has its status, and the stream goes on."""
    owner, ready = owned
    for path, body, headers, status in REFUSED:
        url = path.format(url=ready["webrtc_url"], token=ready["spectator_token"])
        async with owner.http.post(url, data=body, headers=headers) as response:
            assert response.status == status, path
            assert ready["spectator_token"] not in await response.text()


@pytest.fixture
async def owned(shared: Service) -> AsyncIterator[tuple[RawClient, dict[str, Any]]]:
    """A broadcast that runs."""
    async with broadcasting(shared) as found:
        yield found


async def test_hls(owned: tuple[RawClient, dict[str, Any]]) -> None:
    """The playlist lists seconds that FFmpeg decodes, hands the token on, and is not cached."""
    owner, ready = owned
    async with owner.http.get(ready["broadcast_url"], headers=ORIGIN) as response:
        assert response.status == 200
        assert response.headers["Cache-Control"] == "no-cache"
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert response.content_type == "application/vnd.apple.mpegurl"
        playlist = await response.text()
    assert "#EXT-X-TARGETDURATION:1\n" in playlist
    assert "#EXT-X-PROGRAM-DATE-TIME:" in playlist
    assert "#EXT-X-INDEPENDENT-SEGMENTS" in playlist
    assert END not in playlist
    for name, kind in ((listed(playlist)[0], "video/iso.segment"), ("init.mp4", "video/mp4")):
        bare, _, token = name.partition("?token=")
        assert token in ("", ready["spectator_token"])
        url = urljoin(ready["broadcast_url"], bare)
        assert urlsplit(url).query == ""
        await get(owner.http, url, status=401)
        async with owner.http.get(f"{url}?token={ready['spectator_token']}") as response:
            assert response.status == 200
            assert response.content_type == kind
    for name in ("segment999.m4s", "..%2Findex.m3u8", ".index.m3u8.tmp", "events.jsonl"):
        url = urljoin(ready["broadcast_url"], name)
        await get(owner.http, f"{url}?token={ready['spectator_token']}", status=404)


async def test_the_list_slides(owned: tuple[RawClient, dict[str, Any]]) -> None:
    """Segments come once a second; a stream's directory does not grow without end."""
    owner, ready = owned
    began = time.monotonic()
    durations: list[float] = []
    while len(durations) < 3:
        playlist = (await get(owner.http, ready["broadcast_url"])).decode()
        durations = [float(each) for each in re.findall(r"#EXTINF:([\d.]+)", playlist)]
    assert time.monotonic() - began < 10
    # On a busy machine pictures come late, and with them keyframes; it must round to what is told.
    assert durations == pytest.approx([1.0] * 3, abs=0.45)


async def test_a_stream_without_broadcast(shared: Service) -> None:
    """It cannot be watched, and its owner is told of none."""
    async with RawClient.connected(shared.url, API_KEY) as owner:
        started = await owner.start("a red house")
        url = f"{shared.url}/live/{started['stream_id']}"
        await get(owner.http, f"{url}/index.m3u8", status=404)
        async with owner.http.post(f"{url}/whep", data="v=0", headers=SDP) as response:
            assert response.status == 404
        assert (await owner.end())["type"] == "stream_ended"


async def test_after_the_end(shared: Service) -> None:
    """Nobody can join any more, while what was listed can still be fetched, under one token."""
    async with broadcasting(shared) as (owner, first):
        await owner.end()
        address = f"{first['webrtc_url']}/whep?token={first['spectator_token']}"
        async with owner.http.post(address, data="v=0", headers=SDP) as response:
            assert response.status == 404
        await owner.start("another", broadcast=True)
        second = await owner.hear()
        assert second["spectator_token"] != first["spectator_token"]
        await get(owner.http, first["broadcast_url"])
        mixed = first["broadcast_url"].replace(first["spectator_token"], second["spectator_token"])
        await get(owner.http, mixed, status=401)


@pytest.mark.newest
@pytest.mark.parametrize("victim", ["streamer", "service"])
async def test_a_killed_process(tmp_path: Path, victim: str) -> None:
    """The list of a killed streamer is ended; a killed service's segments go when it starts."""
    with running(tmp_path) as service:
        async with RawClient.open(service.url, API_KEY) as owner:
            await owner.take_offer()
            await owner.post({"type": "answer", "sdp": await owner.answer()})
            await owner.ready()
            await owner.start("a red house", broadcast=True)
            ready = await owner.hear()
            folder = service.data_dir / "broadcasts" / ready["webrtc_url"].rpartition("/")[2]
            if victim == "service":
                service.process.kill()
            for each in streamers(service.pid):
                each.kill()
            if victim == "streamer":
                await until(lambda: (folder / "index.m3u8").read_text().endswith(END))
                assert (await get(owner.http, ready["broadcast_url"])).endswith(END.encode())
        assert folder.exists()
    if victim == "service":
        with running(tmp_path) as service:
            assert not folder.exists()
    assert not folder.exists()  # also when it is stopped politely
    said = (tmp_path / "said").read_text()
    assert ready["spectator_token"] not in said


async def test_too_many_spectators(tmp_path: Path) -> None:
    """Beyond the limit an offer is refused with 503, until somebody leaves."""
    with running(tmp_path, "--limit", "spectators=1") as service:
        async with broadcasting(service) as (owner, ready):
            where = ready["webrtc_url"], ready["spectator_token"]
            async with RawSpectator.watching(owner.http, *where) as spectator:
                await spectator.see(1)
                address = f"{where[0]}/whep?token={where[1]}"
                offer = spectator.peer.localDescription.sdp
                async with owner.http.post(address, data=offer, headers=SDP) as response:
                    assert response.status == 503
                await spectator.leave()
                await spectator.lost()
            async with RawSpectator.watching(owner.http, *where) as spectator:
                await spectator.see(1)


def test_the_token_is_handed_on() -> None:
    """Every address in a playlist has the token, and nothing else changes."""
    playlist = '#EXTM3U\n#EXT-X-MAP:URI="init.mp4"\n#EXTINF:1.0,\nsegment0.m4s\n'
    assert with_token(playlist, "t") == (
        '#EXTM3U\n#EXT-X-MAP:URI="init.mp4?token=t"\n#EXTINF:1.0,\nsegment0.m4s?token=t\n'
    )


def test_a_list_is_ended_once(tmp_path: Path) -> None:
    """The end is written under a list that has none; where there is no list there is none then."""
    playlist = tmp_path / "index.m3u8"
    end_playlist(tmp_path)
    assert not playlist.exists()
    playlist.write_text("#EXTM3U\n")
    end_playlist(tmp_path)
    end_playlist(tmp_path)
    assert playlist.read_text() == f"#EXTM3U\n{END}"
