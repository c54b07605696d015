"""What streams leave behind, read back with libraries that are not ours."""

from __future__ import annotations

import hashlib
import io
import json
import time
from typing import TYPE_CHECKING, Any

import aiohttp
import av
import numpy as np
import pytest
from PIL import Image
from sqlalchemy import event

from odyssey_nb import errors
from odyssey_nb.client.client import AsyncClient
from odyssey_nb.client.control import Control
from odyssey_nb.client.retry import Patience
from odyssey_nb.service.database import Database, StreamRow
from odyssey_nb.service.limits import Limits
from odyssey_nb.service.recordings import Recordings
from odyssey_nb.service.storage import Storage
from odyssey_nb.service.worlds.test_pattern import prompt_hash, read
from tests.conftest import API_KEY
from tests.service.raw_client import until
from tests.service.running import OTHER_KEY, running, streamers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from odyssey_nb.wire.link import Picture
    from odyssey_nb.wire.recordings import Recording
    from tests.conftest import Service

HASTY = Patience(resume=0.5, renew=0.5)  # to give up


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service for the module; recordings pile up in it."""
    with running(tmp_path_factory.mktemp("shared")) as service:
        yield service


@pytest.fixture
async def control(shared: Service) -> AsyncIterator[Control]:
    """The API as the key's account sees it."""
    async with Control.open(shared.url, API_KEY) as control:
        yield control


async def streamed(service: Service, count: int = 25, **options: Any) -> tuple[str, list[Picture]]:
    """Run a stream of at least so many pictures with a prompt in the middle of it."""
    pictures: list[Picture] = []
    async with (
        AsyncClient.open(service.url, API_KEY, on_picture=pictures.append) as client,
    ):
        stream = await client.start("a  red house", **options)
        await until(lambda: len(pictures) >= count // 2)
        await stream.interact("at night")
        await until(lambda: len(pictures) >= count)
        await stream.end()
    return stream.id, pictures


async def recorded(control: Control, stream_id: str) -> Recording:
    """Wait until a recording is whole, and return it."""

    async def find() -> Recording | None:
        try:
            return await control.recording(stream_id)
        except errors.NotFoundError:
            return None

    deadline = time.monotonic() + 10
    while (found := await find()) is None:
        assert time.monotonic() < deadline, "the recording was not made whole"
    return found


def units(data: bytes) -> list[bytes]:
    """Return hashes of the slices of an Annex B access unit, which no remuxing may change."""
    parts = [part.rstrip(b"\0") for part in data.split(b"\0\0\1")]
    return [hashlib.sha256(part).digest() for part in parts if part and part[0] & 31 in (1, 5)]


async def test_the_video_is_what_was_streamed(shared: Service, control: Control) -> None:
    """The MP4 holds the owner's own access units, decodes to growing numbers, and is seekable."""
    stream_id, pictures = await streamed(shared)
    found = await recorded(control, stream_id)
    data = await control.download(found.video_url)
    with av.open(io.BytesIO(data)) as file:
        video = file.streams.video[0]
        assert (video.codec_context.name, video.width, video.height) == ("h264", 1280, 704)
        to_annex_b = av.bitstream.BitStreamFilterContext("h264_mp4toannexb", video)
        packets = [each for packet in file.demux(video) for each in to_annex_b.filter(packet)]
        kept = [units(bytes(packet)) for packet in packets if packet.size]
    assert len(kept) == found.frame_count
    sent = [units(picture.data) for picture in pictures]
    assert kept[: len(sent)] == sent
    with av.open(io.BytesIO(data)) as file:
        shown = [read(frame.to_ndarray(format="rgb24")) for frame in file.decode(video=0)]
        file.seek(0)
        assert next(file.decode(video=0)).pts == 0
    assert [number for number, _ in shown] == list(range(len(shown)))
    assert {prompt for _, prompt in shown} == {prompt_hash("a red house"), prompt_hash("at night")}
    assert found.duration_seconds == pytest.approx(len(shown) / 20, abs=0.4)
    assert data.index(b"moov") < data.index(b"mdat"), "players begin before they have it all"


async def test_events_thumbnail_and_preview(shared: Service, control: Control) -> None:
    """Events have given and applied prompts on the stream's time; the pictures are small ones."""
    stream_id, _ = await streamed(shared, count=45, orientation="portrait")
    found = await recorded(control, stream_id)
    lines = (await control.download(found.events_url)).splitlines()
    start, interact, end = map(json.loads, lines)
    assert start == {
        "time": 0, "type": "start", "prompt": "a  red house", "applied_prompt": "a red house"
    }  # fmt: skip
    assert (interact["type"], interact["applied_prompt"]) == ("interact", "at night")
    assert 0.5 < interact["time"] < end["time"]
    assert (end["type"], end["reason"]) == ("end", "client")

    thumbnail = Image.open(io.BytesIO(await control.download(found.thumbnail_url)))
    assert (thumbnail.format, thumbnail.size) == ("JPEG", (176, 320))
    with av.open(io.BytesIO(await control.download(found.preview_url))) as file:
        preview = [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
    assert len(preview) >= 2
    assert preview[0].shape == (320, 176, 3)
    assert np.abs(preview[0].astype(int) - preview[-1]).mean() > 0.5, "it moves"


async def test_asked_for_the_instant_it_ends(shared: Service, control: Control) -> None:
    """Who asks as the stream ends gets the recording and not a 404; a live stream has none yet."""
    async with AsyncClient.open(shared.url, API_KEY) as client:
        for _ in range(3):
            stream = await client.start("a forest")
            await stream.end()
            assert (await control.recording(stream.id)).frame_count
        stream = await client.start("a sea")
        with pytest.raises(errors.NotFoundError):
            await control.recording(stream.id)


async def test_the_list_is_the_callers_newest_first(shared: Service, control: Control) -> None:
    """Pages go back in time; nobody sees, opens or deletes what is another account's."""
    first, _ = await streamed(shared, count=4)
    second, _ = await streamed(shared, count=4)
    await recorded(control, first)
    await recorded(control, second)
    page = await control.recordings(limit=1)
    assert [each.stream_id for each in page.recordings] == [second]
    assert page.total >= 2
    (older,) = (await control.recordings(limit=1, offset=1)).recordings
    assert older.stream_id == first
    assert (older.width, older.height, older.started_at[-1]) == (1280, 704, "Z")
    with pytest.raises(errors.ConnectError, match="limit"):
        await control.recordings(limit=101)
    with pytest.raises(errors.ConnectError, match="offset"):
        await control.recordings(offset=2**64)

    async with Control.open(shared.url, OTHER_KEY) as other:
        assert (await other.recordings()).total == 0
        for act in (other.recording, other.delete_recording):
            with pytest.raises(errors.NotFoundError):
                await act(second)
    await control.delete_recording(second)
    with pytest.raises(errors.NotFoundError):
        await control.recording(second)
    assert not (shared.data_dir / "media" / second).exists()
    assert [each.stream_id for each in (await control.recordings(limit=1)).recordings] == [first]


async def test_links(shared: Service, control: Control) -> None:
    """A link gives ranges, is refused when anything in it was changed, and stands in no log."""
    stream_id, _ = await streamed(shared, count=4)
    found = await recorded(control, stream_id)
    assert found.video_url is not None
    async with aiohttp.ClientSession() as http:
        async with http.get(found.video_url, headers={"Range": "bytes=4-7"}) as response:
            assert response.status == 206
            assert await response.read() == b"ftyp"
            assert response.headers["Content-Type"] == "video/mp4"
        for changed in (found.video_url[:-1], found.video_url.replace("video", "events")):
            async with http.get(changed) as response:
                assert response.status == 403
    said = (shared.data_dir.parent / "said").read_text()
    assert "signature" not in said
    assert "signature" not in repr(found)


async def test_links_expire(tmp_path: Path) -> None:
    """After its time a link opens nothing."""
    with running(tmp_path, "--limit", "recording_url_seconds=1") as service:
        stream_id, _ = await streamed(service, count=4)
        async with Control.open(service.url, API_KEY) as control:
            found = await recorded(control, stream_id)
            await control.download(found.video_url)

            async def expired() -> bool:
                try:
                    await control.download(found.video_url)
                except errors.NotFoundError:
                    return True
                return False

            deadline = time.monotonic() + 5
            while not await expired():
                assert time.monotonic() < deadline


@pytest.mark.newest
@pytest.mark.parametrize("victim", ["streamer", "service"])
async def test_a_killed_process_costs_at_most_the_last_second(tmp_path: Path, victim: str) -> None:
    """What was written before SIGKILL is a recording: at once, or at the service's next start."""
    pictures: list[Picture] = []
    with running(tmp_path) as service:
        with pytest.raises(errors.ConnectionLostError):
            async with AsyncClient.open(
                service.url, API_KEY, on_picture=pictures.append, patience=HASTY
            ) as client:
                stream = await client.start("a forest")
                await until(lambda: len(pictures) >= 50)
                if victim == "service":
                    service.process.kill()
                for each in streamers(service.pid):
                    each.kill()
                seen = len(pictures)
                raise await client.lost
        if victim == "streamer":
            async with Control.open(service.url, API_KEY) as control:
                found = await recorded(control, stream.id)
    if victim == "service":
        with running(tmp_path) as service:
            async with Control.open(service.url, API_KEY) as control:
                found = await recorded(control, stream.id)
    assert found.frame_count is not None
    assert seen - 25 <= found.frame_count <= seen + 10


async def test_stopping_the_service_keeps_the_running_stream(tmp_path: Path) -> None:
    """SIGTERM ends streams politely: the recording is whole before the process is gone."""
    pictures: list[Picture] = []
    with running(tmp_path) as service:
        with pytest.raises(errors.ConnectionLostError):
            async with AsyncClient.open(service.url, API_KEY, on_picture=pictures.append) as client:
                stream = await client.start("a forest")
                await until(lambda: len(pictures) >= 10)
                began = time.monotonic()
                service.process.terminate()
                raise await client.lost
        assert service.process.wait(10) == 0
        assert time.monotonic() - began < 5
    folder = service.data_dir / "media" / stream.id
    assert {each.name for each in folder.iterdir()} == {
        "video.mp4", "preview.mp4", "thumbnail.jpg", "events.jsonl"
    }  # fmt: skip
    assert json.loads((folder / "events.jsonl").read_text().splitlines()[-1])["type"] == "end"


async def test_old_recordings_give_way(tmp_path: Path, database_url: str) -> None:
    """What is too old goes, and beyond the room there is the oldest; files and rows alike."""
    now = 100 * 86_400.0
    limits = Limits(recording_days=30, recording_gigabytes=250e-9)
    storage = Storage(tmp_path / "media", "secret")
    with Database.open(database_url) as database:
        async with Recordings.open(database, storage, limits, clock=lambda: now) as recordings:
            ages = {"old": 31, "large": 20, "small": 10, "new": 1}
            for name, days in ages.items():
                size = 200 if name == "large" else 100
                storage.folder(name).mkdir()
                (storage.folder(name) / "video.mp4").write_bytes(bytes(size))
                with database.begin() as session:
                    session.add(
                        StreamRow(
                            id=name, account="a", session_id="s", width=2, height=2,
                            started=now - days * 86_400, state="ready", size=size,
                        )
                    )  # fmt: skip
            await recordings.began("last", account="a", session_id="s", width=2, height=2)
            await recordings.over("last", "client")
            rows, total = await recordings.page("a", limit=9, offset=0)
            assert [each.id for each in rows] == ["new", "small"]
            assert total == 2
            assert not storage.folder("old").exists()
            assert not storage.folder("large").exists()
            assert storage.size("new") == 100


async def test_what_stays_is_not_looked_at(tmp_path: Path, database_url: str) -> None:
    """However many recordings are kept, letting go of the oldest loads but a few of them."""
    limits = Limits(recording_days=30, recording_gigabytes=290e-9)
    loaded: list[str] = []
    with Database.open(database_url) as database:
        async with Recordings.open(
            database, Storage(tmp_path / "media", "s"), limits
        ) as recordings:
            with database.begin() as session:
                session.add_all(
                    StreamRow(
                        id=f"{number:03}", account="a", session_id="s", width=2, height=2,
                        started=time.time() - number, state="ready", size=1,
                    )
                    for number in range(300)
                )  # fmt: skip

            def note(row: StreamRow, _context: object) -> None:
                loaded.append(row.id)

            event.listen(StreamRow, "load", note)
            try:
                recordings.retire()
            finally:
                event.remove(StreamRow, "load", note)
            assert set(loaded) >= {f"{number}" for number in range(290, 300)}
            assert len(loaded) < 100
            assert recordings.count() == {"deleted": 10, "ready": 290}
