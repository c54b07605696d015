"""A connection's streams, one after another: start, steer, mark and end them."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from odyssey_nb import errors
from odyssey_nb.client.session import START_SECONDS
from odyssey_nb.client.stream import Exchange, stream_error
from odyssey_nb.media.ring import Sequence
from odyssey_nb.wire import stream as wire
from odyssey_nb.wire.link import BroadcastStarted, StreamChanged
from odyssey_nb.wire.signaling import LIMITS
from odyssey_nb.wire.status import Extension, StreamState, advance_stream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from odyssey_nb.media.image import Source
    from odyssey_nb.wire.link import Event, Picture

COMMAND_SECONDS = 10.0


class ClientStream:
    """A stream that runs. `prompt` is what the world applied last."""

    def __init__(self, streams: Streams, stream_id: str, prompt: str) -> None:
        self._streams = streams
        self.id = stream_id
        self.prompt = prompt

    async def interact(self, prompt: str, *, timeout: float = COMMAND_SECONDS) -> str:  # noqa: ASYNC109
        """Steer with `prompt` and return what the world applied; see `AsyncClient.interact`."""
        self.prompt = await self._streams.interact(prompt, timeout=timeout)
        return self.prompt

    async def mark(self, text: str = "") -> float:
        """Mark this moment; see `AsyncClient.mark`."""
        return await self._streams.mark(text)

    async def broadcast(self, *, timeout: float = COMMAND_SECONDS) -> wire.BroadcastReady:  # noqa: ASYNC109
        """Wait until others can watch; see `AsyncClient.broadcast`."""
        return await self._streams.broadcast(timeout=timeout)

    async def end(self) -> None:
        """End the stream; the connection stays."""
        await self._streams.end()


class Streams(ABC):
    """What a client's streams are asked and what they answer; the connection is a subclass's."""

    def __init__(
        self, name: str, on_event: Callable[[Event], None], on_picture: Callable[[Picture], None]
    ) -> None:
        self.name = name
        self.stream_state = StreamState.NONE
        self.takes_images = False
        self._lost: asyncio.Future[errors.OdysseyNBError] = (
            asyncio.get_running_loop().create_future()
        )
        self._on_event, self._on_picture = on_event, on_picture
        self._sequence = Sequence(name, want_keyframe=self.want_keyframe)
        self._starts: Exchange[wire.StreamStarted] = Exchange("start")
        self._interacts: Exchange[str] = Exchange("interact")
        self._ends: Exchange[None] = Exchange("end")
        self._broadcast: asyncio.Future[wire.BroadcastReady] | None = None  # where it was asked for
        self._problem: wire.InteractiveStreamError | None = None
        self._portrait = False  # whether the newest is
        self._bypass: bool | None = None  # what its start said of the expansion of prompts
        self._applied = ""  # the prompt that it applied last
        self.extends = Extension.NONE
        self._continues = ""  # past which limit it goes on, until it does

    @abstractmethod
    def want_keyframe(self) -> None:
        """Ask for a keyframe."""

    @abstractmethod
    async def _send(self, message: wire.FromClient) -> None:
        """Send `message` to the streamer, or raise ConnectionLostError."""

    @abstractmethod
    def _check(self) -> None:
        """Raise ConnectionLostError unless streams can be asked for something."""

    @abstractmethod
    def _go_on(self, reason: str) -> bool:
        """The stream reaches the limit that `reason` names; return whether another one follows."""

    @property
    def lost(self) -> asyncio.Future[errors.OdysseyNBError]:
        """Why the connection was lost, once it is for good; may be waited for and given up."""
        return asyncio.shield(self._lost)

    @property
    def stream_number(self) -> int:
        """Counts the connection's streams, from 1; 0 before the first."""
        return self._sequence.stream

    async def start(
        self,
        prompt: str,
        *,
        orientation: str = "landscape",
        image: Source | None = None,
        broadcast: bool = False,
        bypass_expansion: bool = False,
        extend: bool = False,
        timeout: float = START_SECONDS,  # noqa: ASYNC109
    ) -> ClientStream:
        """Start a stream and return it once its first picture is made.

        Args:
            prompt: The world in words.
            orientation: "landscape" (1280 x 704 pixels) or "portrait" (704 x 1280).
            image: What it starts from; see `media.image.pack`.
            broadcast: Let others watch; `broadcast` tells where, once they can.
            bypass_expansion: Take the prompts as they are (protocol section 5.5); a privilege.
            extend: Go on past the limits of stream and connection, as another stream; see `extend`.
            timeout: Longest wait for the answer, in seconds.

        Raises:
            EmptyPromptError: The prompt has no words.
            ImageError: The image cannot be read, or streams here start from none.
            PrivilegeError: The account may not bypass the expansion of prompts.
            StreamActiveError: A stream is active already; it goes on.
            AnswerTimeoutError: No answer in time; the stream is called off.
            StreamError, LimitError: The service refused.
        """
        if not prompt.strip():
            raise errors.EmptyPromptError
        portrait, url = orientation == "portrait", None
        if image is not None:
            if not self.takes_images:
                raise errors.ImageError(errors.NO_IMAGES)
            from odyssey_nb.media.image import (
                pack,  # here: without images, a sidecar needs no Pillow
            )

            url = await asyncio.to_thread(pack, image, portrait=portrait)
        self._check()
        message = wire.InteractiveStreamStart(
            prompt=prompt,
            portrait=portrait,
            input_image_base64=url,
            broadcast=broadcast,
            bypass_vlm_expansion=bypass_expansion or None,
        )
        stream = await self._begin(message, timeout=timeout)
        self._extend(Extension.ALWAYS if extend else Extension.NONE)
        return stream

    def _extend(self, extends: Extension) -> None:
        if extends != self.extends:
            self.extends = extends
            self._tell_stream()

    async def _begin(
        self,
        start: wire.InteractiveStreamStart,
        *,
        timeout: float,  # noqa: ASYNC109
    ) -> ClientStream:
        if self.stream_state != StreamState.NONE:
            raise errors.StreamActiveError("a stream is already active")
        prompt, self._portrait = start.prompt, start.portrait
        self._bypass = start.bypass_vlm_expansion
        self._move_stream(StreamState.STARTING, prompt=prompt, stream=self._sequence.begin())
        loop = asyncio.get_running_loop()
        self._broadcast = loop.create_future() if start.broadcast else None
        try:
            started = await self._starts.ask(self._send, start, timeout=timeout)
        except BaseException as error:
            self._move_stream(StreamState.NONE, reason="not_started")
            if isinstance(error, (errors.AnswerTimeoutError, asyncio.CancelledError)):
                with suppress(errors.ConnectionLostError):
                    await self._send(wire.InteractiveStreamEnd())  # it may have begun unheard
            raise
        applied = prompt if started.applied_prompt is None else started.applied_prompt
        self._move_stream(StreamState.STREAMING, prompt=applied, stream_id=started.stream_id)
        return ClientStream(self, started.stream_id, applied)

    @asynccontextmanager
    async def stream(
        self,
        prompt: str,
        *,
        orientation: str = "landscape",
        image: Source | None = None,
        broadcast: bool = False,
        bypass_expansion: bool = False,
    ) -> AsyncIterator[ClientStream]:
        """Start a stream, and end it on the way out."""
        stream = await self.start(
            prompt,
            orientation=orientation,
            image=image,
            broadcast=broadcast,
            bypass_expansion=bypass_expansion,
        )
        try:
            yield stream
        finally:
            if not self._lost.done():
                await self.end()

    async def interact(self, prompt: str, *, timeout: float = COMMAND_SECONDS) -> str:  # noqa: ASYNC109
        """Steer the stream with `prompt`, and return the prompt that the world applied.

        Calls that come together are sent one after another, in order.

        Raises:
            EmptyPromptError: The prompt has no words.
            NoStreamError: There is no active stream.
            AnswerTimeoutError: No acknowledgement in time.
        """
        if not prompt.strip():
            raise errors.EmptyPromptError
        self._check()
        if self.stream_state != StreamState.STREAMING:
            raise errors.NoStreamError("there is no active stream")
        sent = 0.0

        async def send(message: wire.FromClient) -> None:
            nonlocal sent
            sent = time.time()  # now is its turn
            await self._send(message)

        applied = await self._interacts.ask(send, wire.Update(prompt=prompt), timeout=timeout)
        self._tell_stream(sent, prompt=applied)
        return applied

    async def mark(self, text: str = "") -> float:
        """Mark the newest picture of the stream; return its time, in seconds since the first.

        Our local service writes the mark into the recording; others know no marks.

        Raises:
            UsageError: The text is too long.
            NoStreamError: There is no active stream.
        """
        if len(text) > wire.LONGEST_MARK:
            raise errors.UsageError(
                f"a mark has at most {wire.LONGEST_MARK} characters, not {len(text)}",
                hint="Mark the moment with a few words, and write the rest in a cell.",
            )
        self._check()
        if self.stream_state != StreamState.STREAMING:
            raise errors.NoStreamError("there is no active stream")
        await self._send(wire.Mark(text=text))
        return self._sequence.time

    async def broadcast(self, *, timeout: float = COMMAND_SECONDS) -> wire.BroadcastReady:  # noqa: ASYNC109
        """Wait until others can watch the running stream, and return where.

        Raises:
            UsageError: It was started without `broadcast`.
            NoStreamError: There is no active stream, or it ended meanwhile.
            AnswerTimeoutError: It is not to be watched yet after `timeout` seconds.
        """
        if self.stream_state != StreamState.STREAMING:
            raise errors.NoStreamError("there is no active stream")
        if self._broadcast is None:
            raise errors.UsageError(
                "this stream is not broadcast", hint="Start it with broadcast=True."
            )
        await asyncio.wait([self._broadcast], timeout=timeout)
        if not self._broadcast.done():
            raise errors.AnswerTimeoutError(f"nobody can watch yet after {timeout:g} s")
        if self._broadcast.cancelled():
            raise errors.NoStreamError("the stream ended meanwhile")
        return self._broadcast.result()

    async def end(self, *, timeout: float = COMMAND_SECONDS) -> None:  # noqa: ASYNC109
        """End the running stream; without one, do nothing."""
        self._check()
        if self.stream_state != StreamState.STREAMING:
            return
        self._move_stream(StreamState.ENDING)
        try:
            await self._ends.ask(self._send, wire.InteractiveStreamEnd(), timeout=timeout)
        finally:
            self._stream_is_over("ended")

    def _take(self, message: wire.FromStreamer) -> None:
        """Take what the streamer says."""
        match message.type:
            case "stream_started":
                self._interacts.settle()
                self._ends.settle()
                self._starts.answer(message)
            case "update_acknowledged":
                self._interacts.answer(message.prompt)
            case "stream_ended":
                if self.stream_state == StreamState.NONE:
                    self._starts.settle()  # it answers the end that called a start off
                problem = None if self._ends.answer(None) else self._problem
                if problem is None:
                    self._stream_is_over("ended")
                else:
                    self._stream_is_over(problem.reason, problem.message)
            case "broadcast_ready":
                self._broadcast_is_ready(message)
            case "interactive_stream_error":
                error = stream_error(message)
                # What answers a steering that came too late says nothing about a start.
                late = message.reason == "no_active_stream"
                for each in (self._interacts,) if late else (self._starts, self._interacts):
                    each.refuse(error)
                self._problem = None if late else message

    def _broadcast_is_ready(self, message: wire.BroadcastReady) -> None:
        waiting = self._broadcast
        if waiting is None or waiting.done():
            return
        waiting.set_result(message)
        self._on_event(
            BroadcastStarted(
                connection=self.name,
                stream=self.stream_number,
                url=message.webrtc_url,
                token=message.spectator_token,
                playlist=message.broadcast_url or "",
                page=message.watch_url or "",
            )
        )

    def _take_picture(self, data: bytes, timestamp: int, *, lost: bool) -> None:
        """Take an encoded picture."""
        picture = self._sequence.number(data, timestamp, lost=lost)
        if picture is not None:
            self._on_picture(picture)

    def _break_off(self, error: errors.OdysseyNBError, *, for_good: bool) -> None:
        """The way to the streamer is gone, and its stream: fail whatever waits for either."""
        for exchange in (self._starts, self._interacts, self._ends):
            exchange.settle()
            if for_good:
                exchange.lose(error)
            else:
                exchange.give_up(error)
        self._stream_is_over("connection_lost")

    def _stream_is_over(self, reason: str, message: str = "") -> None:
        self._problem = None
        if self._broadcast is not None:
            self._broadcast.cancel()
        if self.stream_state in {StreamState.STREAMING, StreamState.ENDING}:
            if reason in LIMITS and self._go_on(reason):
                self._continues = LIMITS[reason]
            elif reason != "connection_lost":
                self.extends = Extension.NONE
            self._move_stream(StreamState.NONE, reason=reason, message=message)
            self._interacts.give_up(errors.NoStreamError("the stream ended meanwhile"))

    def _move_stream(self, to: StreamState, *, stream: int | None = None, **more: str) -> None:
        self.stream_state = advance_stream(self.stream_state, to)
        self._tell_stream(**more)

    def _tell_stream(self, sent: float = 0, /, **more: str) -> None:
        self._applied = more.get("prompt", self._applied)
        self._on_event(
            StreamChanged(
                connection=self.name,
                stream=self._sequence.stream,
                state=str(self.stream_state),
                extends=str(self.extends),
                continues=self._continues,
                sent=sent,
                **more,  # type: ignore[arg-type]  # only texts are passed, and never the type
            )
        )
