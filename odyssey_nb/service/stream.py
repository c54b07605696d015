"""Streams: one run of a world after another, each picture encoded once for everybody.

Painting and encoding take turns on one thread, so a world needs no locks and the event loop, which
carries media and signaling, is never held up.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from odyssey_nb.errors import ImageError
from odyssey_nb.media.congestion import BitrateController
from odyssey_nb.media.h264 import BITRATE, CLOCK_RATE, Encoder
from odyssey_nb.media.pacing import Pacer
from odyssey_nb.service import expansion, image
from odyssey_nb.service.recorder import Recorder
from odyssey_nb.service.worlds.base import (
    Planes,
    World,
    WorldFactory,
    expands_prompts,
    rate_of,
    takes_images,
)
from odyssey_nb.wire import stream as wire
from odyssey_nb.wire.streamer import EndStream, StreamBegan, StreamOver, StreamSteered

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from odyssey_nb.service.broadcast import Broadcaster
    from odyssey_nb.wire.streamer import FromStreamer as Report
    from odyssey_nb.wire.streamer import StartDecision

log = logging.getLogger(__name__)

LONGEST_ECHO = 8_000  # characters; every one escaped is still below what any peer takes, 64 KiB
LAST_PICTURE_SECONDS = 1.0  # what a world gets to finish the picture that it is at
BEGIN_SECONDS = 30.0  # what it gets for its first picture
ANSWER_SECONDS = 10.0  # what it gets for every later picture, and to take a prompt
MOST_WAITING = 64  # commands

T = TypeVar("T")


class WorldHangsError(Exception):
    """A world took longer than it may."""


async def _within(seconds: float, work: Awaitable[T]) -> T:
    try:
        async with asyncio.timeout(seconds):
            return await work
    except TimeoutError:
        raise WorldHangsError(f"nothing for {seconds:g} s") from None


class Hub:
    """Where pictures leave: all outlets get the same bytes. Keyframe requests come back here.

    So does what the owner reports of the `line` to them, by which everybody's pictures are
    encoded. Spectators are not asked: one on a bad line must not spoil the stream for its owner and
    all others, and gets what gets through.

    Its `clock`, in seconds, is the one that its streams go by.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._outlets: list[Callable[[bytes, int, bool], None]] = []
        self.keyframe_wanted = False
        self._clock = clock
        self._origin = clock()
        self.line = BitrateController(BITRATE, clock)

    def timestamp(self) -> int:
        """Now, on the clock of this connection's track (90 kHz)."""
        return round((self._clock() - self._origin) * CLOCK_RATE)

    def add(self, outlet: Callable[[bytes, int, bool], None], *, keyframe: bool = True) -> None:
        """Hand every later picture to `outlet` as (data, timestamp, is keyframe).

        One that has the pictures since the newest keyframe needs no other `keyframe`.
        """
        self._outlets.append(outlet)
        if keyframe:
            self.request_keyframe()

    def remove(self, outlet: Callable[[bytes, int, bool], None]) -> None:
        """Hand nothing more to `outlet`."""
        self._outlets.remove(outlet)

    def request_keyframe(self) -> None:
        """Somebody cannot decode; requests that come together are answered by one keyframe."""
        self.keyframe_wanted = True

    def put(self, data: bytes, timestamp: int, *, key: bool) -> None:
        """Hand a picture to every outlet."""
        self.line.sent(len(data))
        for outlet in self._outlets:
            outlet(data, timestamp, key)


class KeyframeClock:
    """Decides which pictures are keyframes: the first, one a second, and on request.

    Requests force at most one keyframe a second, so that a lossy peer cannot eat everybody's
    bitrate.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._last = -rate
        self._forced = -rate

    def is_due(self, step: int, *, wanted: bool) -> bool:
        """Whether picture `step` is to be a keyframe."""
        forced = wanted and step - self._forced >= self._rate
        if not forced and step - self._last < self._rate:
            return False
        if step - self._last < self._rate:
            self._forced = step
        self._last = step
        return True


class Stream:
    """One run of a world. `begin` makes the first picture; `play` goes on until it is cancelled."""

    def __init__(
        self,
        world: World,
        encoder: Encoder,
        hub: Hub,
        turns: ThreadPoolExecutor,
        *,
        rate: int,
        expands: bool,
    ) -> None:
        self.id = str(uuid.uuid4())
        self.pictures = 0
        self.first = b""  # the first of them
        self.encoder = encoder
        self._world = world
        self._hub = hub
        self._turns = turns
        self._expands = expands
        self._rate = rate
        self._ticks = 0  # when pictures could be made; on a narrow line every other is let pass
        self._keyframes = KeyframeClock(rate)
        self._began = hub.timestamp()
        self._recorder: Recorder | None = None

    @classmethod
    async def begin(
        cls,
        factory: WorldFactory,
        start: wire.InteractiveStreamStart,
        hub: Hub,
        media: Path | None = None,
        *,
        patience: float = 0,
    ) -> tuple[Stream, str]:
        """Make the world and its first picture; return the stream and the applied prompt.

        With `media` the stream is recorded, from that picture on; see `Recorder` for `patience`.

        Raises:
            ImageError: The image it should start from cannot be read.
        """
        width, height = wire.PORTRAIT if start.portrait else wire.LANDSCAPE
        rate = rate_of(factory)
        expands = expands_prompts(factory) and not start.bypass_vlm_expansion
        prompt = expansion.expand(start.prompt) if expands else expansion.tidy(start.prompt)
        turns = ThreadPoolExecutor(1, thread_name_prefix="world")
        seed = zlib.crc32(expansion.tidy(start.prompt).encode())

        def make() -> Stream:
            url = start.input_image_base64
            canvas = image.read(url, width, height) if url else None
            world = factory(width=width, height=height, prompt=prompt, seed=seed, image=canvas)
            encoder = Encoder(width, height, rate=rate)
            return cls(world, encoder, hub, turns, rate=rate, expands=expands)

        try:
            loop = asyncio.get_running_loop()
            stream = await _within(BEGIN_SECONDS, loop.run_in_executor(turns, make))
            first = await _within(BEGIN_SECONDS, stream._picture())
        except BaseException:
            turns.shutdown(wait=False)
            raise
        stream.first = first[0]
        if media is not None:
            stream._recorder = recorder = Recorder(media / stream.id, patience=patience)
            recorder.picture(*first, key=True)
            recorder.event("start", first[1], prompt=start.prompt, applied_prompt=prompt)
            hub.add(recorder.picture, keyframe=False)
        return stream, prompt

    @property
    def recorded(self) -> bool:
        """Whether everything so far was written down."""
        return self._recorder is not None and not self._recorder.broken

    def note(self, kind: str, **fields: object) -> None:
        """Write down that something happens now."""
        if self._recorder is not None:
            self._recorder.event(kind, self._hub.timestamp(), **fields)

    async def steer(self, prompt: str) -> str:
        """Let the world take `prompt`, between two pictures; return what it was given."""
        loop = asyncio.get_running_loop()
        applied = expansion.expand_update(prompt) if self._expands else expansion.tidy(prompt)
        await _within(ANSWER_SECONDS, loop.run_in_executor(self._turns, self._world.steer, applied))
        self.note("interact", prompt=prompt, applied_prompt=applied)
        return applied

    async def play(self) -> None:
        """Make pictures at the world's rate, or at half of it while the line is narrow."""
        pacer = Pacer(self._rate, now=time.monotonic())
        while True:
            await asyncio.sleep(pacer.wait(time.monotonic()))
            if self._hub.line.is_narrow and self._ticks % 2:
                self._ticks += 1
            else:
                await self.step()

    async def step(self) -> None:
        """Make the next picture, of the moment that it is on the hub's clock."""
        await _within(ANSWER_SECONDS, self._picture())

    async def close(self, reason: str) -> None:
        """Let the world finish the picture that it is at, its thread go, and the recording end."""
        idle = asyncio.get_running_loop().run_in_executor(self._turns, lambda: None)
        await asyncio.wait([idle], timeout=LAST_PICTURE_SECONDS)
        self._turns.shutdown(wait=False, cancel_futures=True)
        if self._recorder is not None:
            self._hub.remove(self._recorder.picture)
            self.note("end", reason=reason)
            await asyncio.to_thread(self._recorder.close)

    async def _picture(self) -> tuple[bytes, int]:
        step, timestamp = self.pictures, self._hub.timestamp()
        key = self._keyframes.is_due(self._ticks, wanted=self._hub.keyframe_wanted)
        self._ticks += 1
        self.encoder.bitrate = self._hub.line.bitrate
        if key:
            self._hub.keyframe_wanted = False

        def paint() -> bytes:
            planes = Planes(*self.encoder.planes)
            self._world.paint(planes, step=step, time=(timestamp - self._began) / CLOCK_RATE)
            data = self.encoder.encode(timestamp, key=key)
            self.pictures += 1  # here, where it is made: nobody may be left to wait for it
            return data

        data = await asyncio.get_running_loop().run_in_executor(self._turns, paint)
        self._hub.put(data, timestamp, key=key)
        return data, timestamp


class StreamEngine:
    """Runs a connection's streams, and answers what its client asks (protocol section 5.4).

    `tell` sends to the client, `report` to the control plane, which `may_start` asks. Who wants
    others to watch is referred to the `broadcaster`. Commands are taken one after another.
    """

    def __init__(
        self,
        factory: WorldFactory,
        hub: Hub,
        *,
        may_start: Callable[[wire.InteractiveStreamStart], Awaitable[StartDecision]],
        media: Path | None = None,
        broadcaster: Broadcaster | None = None,
        tell: Callable[[wire.FromStreamer], None],
        report: Callable[[Report], None],
    ) -> None:
        self._factory = factory
        self._hub = hub
        self._may_start = may_start
        self._media = media
        self._broadcaster = broadcaster
        self._tell = tell
        self._report = report
        self._inbox: asyncio.Queue[wire.FromClient | EndStream] = asyncio.Queue()
        self._image_waits = False
        self._stream: Stream | None = None
        self._playing: asyncio.Task[None] | None = None

    def take(self, command: wire.FromClient | EndStream) -> None:
        """Queue a command; with `MOST_WAITING` of them, further prompts are refused.

        So is a second image while one waits, for they are large. An end always finds room: a client
        that asks for it waits until it comes. What a client sends beyond all reason goes unheard.
        """
        waiting = self._inbox.qsize()
        if _has_image(command):
            if self._image_waits:
                self._refuse("too_many_requests", "another image is still waiting")
                return
            self._image_waits = waiting < MOST_WAITING
        if command.type == "end_stream" or waiting < MOST_WAITING:
            self._inbox.put_nowait(command)
        elif command.type in {"interactive_stream_start", "update"}:
            self._refuse("too_many_requests", "commands come faster than the world takes them")
        elif waiting < 2 * MOST_WAITING:
            self._inbox.put_nowait(command)

    async def run(self) -> None:
        """Serve commands until cancelled, then end the running stream."""
        try:
            while True:
                await self._serve(await self._inbox.get())  # not kept: it may hold an image
        finally:
            await self._end("disconnected")

    async def _serve(self, command: wire.FromClient | EndStream) -> None:
        match command.type:
            case "interactive_stream_start":
                if _has_image(command):
                    self._image_waits = False
                await self._start(command)
            case "update":
                await self._update(command.prompt)
            case "mark":
                if self._stream is not None:
                    self._stream.note("mark", text=command.text[: wire.LONGEST_MARK])
            case "interactive_stream_end":
                await self._end("client")
                self._tell(wire.StreamEnded())
            case "end_stream":
                await self._break_off(command.reason, command.message)

    async def _start(self, start: wire.InteractiveStreamStart) -> None:
        if self._stream is not None:
            self._refuse("stream_already_active", "a stream is already active on this connection")
            return
        if not start.prompt.strip():
            self._refuse("empty_prompt", "the prompt has no words")
            return
        if _has_image(start) and not takes_images(self._factory):
            self._refuse("image_not_supported", "this world starts from no image; leave it out")
            return
        decision = await self._may_start(start)
        if decision.refused:
            self._refuse(decision.refused, decision.message)
            return
        try:
            stream, applied = await Stream.begin(self._factory, start, self._hub, self._media)
        except ImageError as error:
            self._refuse("invalid_image", error.one_line())
            return
        except Exception:
            log.exception("the world did not start")
            self._refuse("world_failed", "the world did not start")
            return
        self._stream = stream
        self._playing = asyncio.get_running_loop().create_task(self._play(stream, decision))
        width, height = wire.PORTRAIT if start.portrait else wire.LANDSCAPE
        self._report(StreamBegan(stream_id=stream.id, prompt=applied, width=width, height=height))
        self._tell(wire.StreamStarted(stream_id=stream.id, applied_prompt=_echo(applied)))
        if start.broadcast and self._broadcaster is not None:
            self._broadcaster.begin(stream.id, stream.first)

    async def _play(self, stream: Stream, decision: StartDecision) -> None:
        try:
            async with asyncio.timeout(decision.seconds or None):
                await stream.play()
        except TimeoutError:
            self.take(EndStream(reason=decision.ends_for, message=decision.message))
        except Exception:
            log.exception("the world failed")
            self.take(EndStream(reason="world_failed", message="the world stopped working"))

    async def _update(self, prompt: str) -> None:
        if self._stream is None:
            self._refuse("no_active_stream", "there is no active stream to steer")
            return
        if not prompt.strip():
            self._refuse("empty_prompt", "the prompt has no words")
            return
        try:
            applied = await self._stream.steer(prompt)
        except WorldHangsError:
            await self._break_off("world_failed", "the world does not answer any more")
            return
        except Exception:
            log.exception("the world did not take a prompt")
            self._refuse("world_failed", "the world did not take the prompt")
            return
        self._report(StreamSteered(prompt=applied))
        self._tell(wire.UpdateAcknowledged(prompt=_echo(applied)))

    async def _break_off(self, reason: str, message: str) -> None:
        if self._stream is not None:
            await self._end(reason)
            self._refuse(reason, message)
            self._tell(wire.StreamEnded())

    async def _end(self, reason: str) -> None:
        stream, self._stream = self._stream, None
        playing, self._playing = self._playing, None
        if stream is None or playing is None:
            return
        playing.cancel()
        await asyncio.wait([playing])
        if self._broadcaster is not None:
            await self._broadcaster.end()
        await stream.close(reason)
        self._report(
            StreamOver(
                stream_id=stream.id,
                reason=reason,
                pictures_total=stream.pictures,
                encodes_total=stream.encoder.encodes,
            )
        )

    def _refuse(self, reason: str, message: str) -> None:
        self._tell(wire.InteractiveStreamError(reason=reason, message=message))


def _has_image(command: wire.FromClient | EndStream) -> bool:
    return command.type == "interactive_stream_start" and bool(command.input_image_base64)


def _echo(prompt: str) -> str:
    """Return what a client is told of `prompt`, which must fit a data channel (section 18)."""
    return prompt if len(prompt) <= LONGEST_ECHO else prompt[: LONGEST_ECHO - 1] + "…"
