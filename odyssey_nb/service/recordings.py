"""Recordings: what streams leave behind, from a growing file to one that is whole."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Self

import av
from av.video.frame import PictureType
from PIL import Image
from sqlalchemy import Select, func, select
from sqlalchemy.exc import SQLAlchemyError

from odyssey_nb.media.pixels import Pixels
from odyssey_nb.media.video import WHOLE
from odyssey_nb.service.database import StreamRow
from odyssey_nb.service.recorder import EVENTS, GROWING_VIDEO

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine
    from pathlib import Path

    from odyssey_nb.service.database import Database
    from odyssey_nb.service.limits import Limits
    from odyssey_nb.service.storage import Storage

log = logging.getLogger(__name__)

VIDEO, PREVIEW, THUMBNAIL = "video.mp4", "preview.mp4", "thumbnail.jpg"
FILES = (VIDEO, PREVIEW, THUMBNAIL, EVENTS)
SMALL = 320  # pixels of a preview's longer side
PREVIEW_RATE, PREVIEW_PICTURES = 10, 80  # pictures per second, and of them at most
SERVICE_LOST = "service_lost"  # why a stream ended whose service was killed
DAY = 86_400  # seconds
LOOKED_AT = 32  # recordings at a time, of those that may have to go
WHOLE_SECONDS = 2.0  # longest wait for a recording to be whole


def finalise(folder: Path) -> tuple[int, float]:
    """Make the recording in `folder` whole; return its pictures and seconds.

    The packets are those that were streamed. Of a recording whose writer was killed, what is there
    is enough; doing it again does no harm.

    Raises:
        ValueError: There is not one picture.
    """
    growing, video, partial = folder / GROWING_VIDEO, folder / VIDEO, folder / f".{VIDEO}"
    try:
        if growing.exists():
            _remux(growing, partial)
            partial.replace(video)
            growing.unlink()
        pictures, duration, keyframes = _look(video)
    except (av.FFmpegError, OSError) as error:
        partial.unlink(missing_ok=True)
        raise ValueError("the recording has no picture") from error
    _write_thumbnail(folder / THUMBNAIL, keyframes[len(keyframes) // 2])
    _write_preview(folder / PREVIEW, keyframes)
    return pictures, duration


def _remux(source: Path, target: Path) -> None:
    with (
        av.open(str(source)) as file,
        av.open(str(target), "w", format="mp4", options=WHOLE) as whole,
    ):
        stream = file.streams.video[0]
        copy = whole.add_stream_from_template(stream)
        for packet in file.demux(stream):
            if packet.size:
                packet.stream = copy
                whole.mux(packet)


def _look(video: Path) -> tuple[int, float, list[av.VideoFrame]]:
    """Return the number of pictures, the seconds, and small copies of some keyframes."""
    with av.open(str(video)) as file:
        stream = file.streams.video[0]
        pictures = stream.frames
        duration = float((stream.duration or 0) * (stream.time_base or 0))
        stream.codec_context.skip_frame = "NONKEY"
        stream.codec_context.thread_count = 1  # the other cores are the streams'
        every = max(1, math.ceil(duration / PREVIEW_PICTURES))  # there is a keyframe each second
        scale = SMALL / max(stream.width, stream.height)
        width, height = (round(side * scale / 2) * 2 for side in (stream.width, stream.height))
        pixels = Pixels()
        keyframes = [
            pixels.convert(frame, "yuv", size=(width, height))
            for number, frame in enumerate(file.decode(stream))
            if number % every == 0
        ]
    if not keyframes:
        raise ValueError("the recording has no picture")
    return pictures, duration, keyframes


def _write_thumbnail(path: Path, picture: av.VideoFrame) -> None:
    partial = path.with_name(f".{path.name}")
    Image.fromarray(Pixels().array(picture, "rgb")).save(partial, "JPEG", quality=80)
    partial.replace(path)


def _write_preview(path: Path, pictures: list[av.VideoFrame]) -> None:
    """Write the keyframes in quick succession."""
    partial = path.with_name(f".{path.name}")
    with av.open(str(partial), "w", format="mp4", options=WHOLE) as file:
        stream = file.add_stream("libx264", rate=PREVIEW_RATE)
        stream.width, stream.height = pictures[0].width, pictures[0].height
        stream.pix_fmt = "yuv420p"
        stream.codec_context.thread_count = 1
        stream.options = {"preset": "veryfast", "crf": "28"}
        for number, picture in enumerate(pictures):
            picture.pts, picture.time_base = number, Fraction(1, PREVIEW_RATE)
            picture.pict_type = PictureType.NONE  # or each would be a keyframe again
            file.mux(stream.encode(picture))
        file.mux(stream.encode())
    partial.replace(path)


class Recordings:
    """Every stream's row and files. One at a time is made whole, off the event loop.

    Whenever one is, those that are too old or too much go, oldest first. It is done on a thread of
    their own: what decoding and encoding took (12 MB) stays with a thread for the next time.
    """

    def __init__(
        self,
        database: Database,
        storage: Storage,
        limits: Limits,
        thread: ThreadPoolExecutor,
        *,
        clock: Callable[[], float],
    ) -> None:
        self._database = database
        self.storage = storage
        self._limits = limits
        self._clock = clock
        self._thread = thread
        self._writing: dict[str, str] = {}  # streams that run or are being made whole, and whose
        self._changed = asyncio.Event()  # set, and replaced, whenever one is

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        database: Database,
        storage: Storage,
        limits: Limits,
        *,
        clock: Callable[[], float] = time.time,
    ) -> AsyncIterator[Self]:
        """Make whole what a service that was killed left behind, and be there for more.

        On the way out the one that is being made whole gets done; what waits is left for the next
        service.
        """
        thread = ThreadPoolExecutor(1, thread_name_prefix="recordings")
        try:
            recordings = cls(database, storage, limits, thread, clock=clock)
            await recordings._recover()
            yield recordings
        finally:
            await asyncio.to_thread(thread.shutdown, cancel_futures=True)

    def began(
        self, stream_id: str, *, account: str, session_id: str, width: int, height: int
    ) -> Coroutine[Any, Any, None]:
        """A stream runs; its entry is made by what is returned."""
        self._writing[stream_id] = account
        now = self._clock()
        row = StreamRow(
            id=stream_id, account=account, session_id=session_id, width=width, height=height,
            started=now, last_seen=now,
        )  # fmt: skip

        return self._enter(row)

    async def _enter(self, row: StreamRow) -> None:
        def insert() -> None:
            with self._database.begin() as session:
                session.add(row)

        try:
            await asyncio.to_thread(insert)
        except SQLAlchemyError:  # a full disk, say; the stream itself is worth more
            log.exception("stream %s will leave no recording", row.id)

    async def over(self, stream_id: str, reason: str) -> None:
        """A stream has ended and its writer with it: make the recording whole."""
        ended = self._clock()  # before its turn comes, which is no time of use
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, self._over, stream_id, reason, ended)
        self._writing.pop(stream_id, None)
        self._changed.set()
        self._changed = asyncio.Event()

    async def _recover(self) -> None:
        def find() -> list[str]:
            with self._database.begin() as session:
                unended = select(StreamRow.id).where(StreamRow.state == "writing")
                return list(session.scalars(unended))

        for stream_id in await asyncio.to_thread(find):
            await self.over(stream_id, SERVICE_LOST)

    async def find(self, stream_id: str, account: str) -> StreamRow | None:
        """Return an ended stream of `account` that has a recording.

        One that is still written is waited for a moment: its client may ask the instant it ends.
        """
        mine = select(StreamRow).where(StreamRow.account == account, StreamRow.id == stream_id)

        def ask() -> StreamRow | None:
            with self._database.begin() as session:
                return session.scalars(mine).one_or_none()

        with suppress(TimeoutError):
            async with asyncio.timeout(WHOLE_SECONDS):
                while True:
                    changed, writing = self._changed, self._writing.get(stream_id) == account
                    row = await asyncio.to_thread(ask)
                    if row is not None and row.state == "ready":
                        return row
                    if not writing:
                        return None
                    await changed.wait()
        return None

    async def page(self, account: str, *, limit: int, offset: int) -> tuple[list[StreamRow], int]:
        """Return some of the account's recordings, newest first, and how many there are."""
        mine = _mine(account)
        newest = mine.order_by(StreamRow.started.desc(), StreamRow.id).limit(limit).offset(offset)

        def ask() -> tuple[list[StreamRow], int]:
            with self._database.begin() as session:
                total = session.scalar(select(func.count()).select_from(mine.subquery())) or 0
                return list(session.scalars(newest)), total

        return await asyncio.to_thread(ask)

    def count(self) -> dict[str, int]:
        """Return how many streams there are of each state; it blocks."""
        by_state = select(StreamRow.state, func.count()).group_by(StreamRow.state)
        with self._database.begin() as session:
            return dict(session.execute(by_state).all())

    async def delete(self, stream_id: str, account: str) -> bool:
        """Remove a recording of `account` and its files; return whether there was one."""

        def remove() -> bool:
            with self._database.begin() as session:
                row = session.scalars(_mine(account).where(StreamRow.id == stream_id)).one_or_none()
                if row is None:
                    return False
                row.state, row.size = "deleted", 0
            self.storage.delete(stream_id)
            return True

        return await asyncio.to_thread(remove)

    def _over(self, stream_id: str, reason: str, ended: float) -> None:
        pictures: int | None
        duration: float | None
        try:
            pictures, duration = finalise(self.storage.folder(stream_id))
            state = "ready"
        except (ValueError, OSError) as error:
            log.warning("stream %s left no recording: %s", stream_id, error)
            pictures = duration = None
            state = "lost"
        with self._database.begin() as session:
            row = session.get(StreamRow, stream_id)
            if row is None or row.state != "writing":
                return
            if reason == SERVICE_LOST:  # nobody knows when; its pictures tell, or who saw it last
                ended = max(row.started + (duration or 0), row.last_seen or 0)
            row.ended = ended
            row.reason, row.state = reason, state
            row.frame_count, row.duration = pictures, duration
            row.size = self.storage.size(stream_id)
        self.retire()

    def retire(self) -> None:
        """Let go of what is too old, or too much, oldest first; it blocks."""
        ready = StreamRow.state == "ready"
        oldest = self._clock() - self._limits.recording_days * DAY
        most = self._limits.recording_gigabytes * 1e9
        # As a rule none has to go, and what is looked at must not grow with what is kept.
        oldest_first = (
            select(StreamRow)
            .where(ready)
            .order_by(StreamRow.started, StreamRow.id.desc())
            .execution_options(yield_per=LOOKED_AT)
        )
        gone = []
        with self._database.begin() as session:
            total = session.scalar(select(func.sum(StreamRow.size)).where(ready)) or 0
            with session.scalars(oldest_first) as rows:
                for row in rows:
                    if total <= most and row.started >= oldest:
                        break
                    total -= row.size
                    gone.append(row.id)
                    row.state, row.size = "deleted", 0
        for stream_id in gone:
            self.storage.delete(stream_id)


def _mine(account: str) -> Select[StreamRow]:
    return select(StreamRow).where(StreamRow.account == account, StreamRow.state == "ready")
