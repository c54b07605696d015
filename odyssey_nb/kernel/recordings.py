"""What streams leave behind, as cells see it."""

from __future__ import annotations

import asyncio
import base64
import io
import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from contextvars import copy_context
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from odyssey_nb.errors import NotFoundError, OdysseyNBError
from odyssey_nb.kernel.aio import Aio
from odyssey_nb.kernel.local_service import address_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator

    from PIL import Image

    from odyssey_nb.client.control import Control
    from odyssey_nb.config import Target
    from odyssey_nb.media.clip import Clip
    from odyssey_nb.wire.recordings import RecordingInfo

T = TypeVar("T")

MOST_SHOWN = 24  # thumbnails in a cell


class Talk(Protocol):
    """Lets something talk to the API, and returns what it returns."""

    def __call__(self, work: Callable[[Control], Awaitable[T]]) -> T:
        """Run `work` to its end."""


@contextmanager
def talking(target: Target) -> Iterator[Talk]:
    """Talk to the API of `target` in the body, on a loop of its own.

    The kernel's loop, which runs already, could not be waited on.
    """
    from odyssey_nb.client.control import Control

    url, key = address_of(target)
    opened = Control.open(url, key)
    with ThreadPoolExecutor(1, thread_name_prefix="odyssey-api") as pool:
        runner = asyncio.Runner()

        def run(work: Coroutine[Any, Any, T]) -> T:
            # Kernels find out by a context variable into which cell a progress bar belongs.
            return pool.submit(runner.run, work, context=copy_context()).result()

        async def do(work: Callable[[Control], Awaitable[T]], control: Control) -> T:
            return await work(control)

        try:
            control = run(opened.__aenter__())
            try:
                yield lambda work: run(do(work, control))
            finally:
                run(opened.__aexit__(None, None, None))
        finally:
            pool.submit(runner.close).result()


def ask(target: Target, work: Callable[[Control], Awaitable[T]]) -> T:
    """Let `work` talk to the API of `target`, and return what it returns."""
    with talking(target) as talk:
        return talk(work)


class Recording:
    """The recording of one stream.

    Attributes:
        stream_id: The stream's id.
        width: Of its pictures, in pixels.
        height: Of its pictures, in pixels.
        started: When the stream began, with its time zone.
        duration: Seconds; None where the service does not know.
    """

    def __init__(self, target: Target, info: RecordingInfo) -> None:
        self.aio = Aio(self, "clip", "save", "thumbnail", "events", "delete")
        self._target = target
        self.stream_id = info.stream_id
        self.width, self.height = info.width, info.height
        self.started = datetime.fromisoformat(info.started_at)
        self.duration = info.duration_seconds

    def clip(self, *, marks: Iterable[dict[str, Any]] = ()) -> Clip:
        """Download it, and return its pictures and what happened, as `Stream.last` does.

        >>> ody.recordings()[0].clip()["snow"].frames.shape

        Args:
            marks: Events that the service does not know, each with its `time`, `type` and `text`.

        Raises:
            NotFoundError: The recording was deleted.
        """
        from odyssey_nb.media.reading import read

        events = sorted([*self.events(), *marks], key=lambda each: float(each["time"]))
        return read(self._fetch("video_url", progress=self.stream_id[:8]), events)

    def save(self, path: str | Path) -> Path:
        """Download the MP4, as it was streamed, and return where it is.

        Raises:
            ValueError: `path` does not end in ``.mp4``.
            NotFoundError: The recording was deleted.
        """
        path = Path(path)
        if path.suffix.lower() != ".mp4":
            raise ValueError(
                f"a recording is saved as .mp4, not {path.suffix or 'without a suffix'!r}"
            )
        data = self._fetch("video_url", progress=path.name)
        partial = path.with_name(f".{path.name}.part")
        partial.write_bytes(data)
        return partial.replace(path)

    def part(self, start: int, length: int) -> tuple[bytes, int]:
        """Return at most `length` bytes of the MP4 from `start` on, and how many it has in all.

        Raises:
            NotFoundError: The recording was deleted.
        """

        async def fetch(control: Control) -> tuple[bytes, int]:
            recording = await control.recording(self.stream_id)
            return await control.part(recording.video_url, start, length)

        return ask(self._target, fetch)

    def thumbnail(self) -> Image.Image:
        """Return a small picture from its middle.

        Raises:
            NotFoundError: The recording was deleted.
        """
        from PIL import Image

        return Image.open(io.BytesIO(self._fetch("thumbnail_url")))

    def events(self) -> list[dict[str, Any]]:
        """Return what happened: start, prompts and end, each with its `time` in seconds.

        Raises:
            NotFoundError: The recording was deleted.
        """
        return [json.loads(line) for line in self._fetch("events_url").splitlines()]

    def delete(self) -> None:
        """Remove it from the service; safe to call again."""
        with suppress(NotFoundError):
            ask(self._target, lambda control: control.delete_recording(self.stream_id))

    @property
    def title(self) -> str:
        """When it began, and how long it is."""
        length = "" if self.duration is None else f" · {self.duration:.0f} s"
        return f"{self.started.astimezone():%d %b %H:%M}{length}"

    def _fetch(self, what: str, *, progress: str = "") -> bytes:
        async def fetch(control: Control) -> bytes:
            recording = await control.recording(self.stream_id)
            return await control.download(getattr(recording, what), progress=progress)

        return ask(self._target, fetch)

    def __repr__(self) -> str:
        seconds = "?" if self.duration is None else f"{self.duration:.1f}"
        return (
            f"<Recording {self.stream_id[:8]} of {self.started:%Y-%m-%d %H:%M}, {seconds} s, "
            f"{self.width} × {self.height}>"
        )


class RecordingList(list[Recording]):
    """Recordings, newest first, with thumbnails in a cell. `total` counts what is not here too."""

    def __init__(self, recordings: list[Recording], total: int, target: Target) -> None:
        super().__init__(recordings)
        self.total = total
        self._target = target

    def __repr__(self) -> str:
        if not self:
            return "no recordings; every stream that ends leaves one"
        lines = [f"{'':>3}  {'recording':<10} {'started':<17} {'length':>8}  size"]
        for number, each in enumerate(self):
            length = "?" if each.duration is None else f"{each.duration:.1f} s"
            lines.append(
                f"{number:>3}  {each.stream_id[:8]:<10} {each.started.astimezone():%Y-%m-%d %H:%M}"
                f"  {length:>8}  {each.width} × {each.height}"
            )
        more = self.total - len(self)
        return "\n".join(lines) + (f"\n     and {more} more" if more > 0 else "")

    def thumbnails(self) -> list[bytes]:
        """Return JPEGs of the first `MOST_SHOWN`; an empty one where a recording was deleted."""
        shown = self[:MOST_SHOWN]

        async def thumbnails(control: Control) -> list[bytes]:
            async def one(recording: Recording) -> bytes:
                with suppress(NotFoundError):  # deleted meanwhile
                    found = await control.recording(recording.stream_id)
                    return await control.download(found.thumbnail_url)
                return b""

            return await asyncio.gather(*map(one, shown))

        return ask(self._target, thumbnails) if shown else []

    def _repr_html_(self) -> str | None:
        try:
            pictures = self.thumbnails()
        except OdysseyNBError:
            return None  # the table will do
        return self.page(pictures)

    def page(self, pictures: list[bytes]) -> str | None:
        """Return a page of thumbnails that needs no kernel; None if there are none.

        The pictures are in it, not behind links: those are signed, and a notebook is saved.
        """
        if not pictures:
            return None
        cards = [
            _card(number, recording, jpeg)
            for number, (recording, jpeg) in enumerate(zip(self, pictures, strict=False))
        ]
        style = "display:flex;flex-wrap:wrap;gap:12px;max-width:1000px"
        return f'<div style="{style}">{"".join(cards)}</div>'


def _card(number: int, recording: Recording, jpeg: bytes) -> str:
    source = f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"
    started = recording.title
    return (
        '<figure style="margin:0;width:230px">'
        f'<img src="{source}" alt="recording {number}, {started}" '
        'style="width:230px;aspect-ratio:20/11;object-fit:contain;border-radius:8px;background:#0003">'
        f'<figcaption style="font-size:12px;opacity:.8">[{number}] {started}</figcaption>'
        "</figure>"
    )
