"""The client: one connection, its streams one after another, with a deadline on everything."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from odyssey_nb import errors
from odyssey_nb.client.control import Control
from odyssey_nb.client.peer import Peer
from odyssey_nb.client.reservation import holding, reserve
from odyssey_nb.client.retry import ATTEMPTS, delay, is_loopback
from odyssey_nb.client.signaling import Signaling, SocketLostError
from odyssey_nb.client.stream import Exchange, stream_error
from odyssey_nb.concurrency import background
from odyssey_nb.config import local_key, resolve_target
from odyssey_nb.discovery import published_service
from odyssey_nb.media.ring import Sequence
from odyssey_nb.wire import stream as wire
from odyssey_nb.wire.link import BroadcastStarted, SessionGranted, StatusChanged, StreamChanged
from odyssey_nb.wire.signaling import ENDED_BY_OWNER, CloseCode
from odyssey_nb.wire.status import Status, StreamState, advance, advance_stream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from odyssey_nb.media.image import Source
    from odyssey_nb.wire.control import SessionGrant
    from odyssey_nb.wire.link import Event, Picture

log = logging.getLogger(__name__)

CONNECT_SECONDS = 45.0
QUEUE_SECONDS = 30.0
AFTER_QUEUE_SECONDS = 2.0  # of the time to connect, kept for what follows the wait for a streamer
START_SECONDS = 30.0
COMMAND_SECONDS = 10.0
DOCUMENTED_STREAM_SECONDS = 150.0  # protocol section 8; for a service that does not say
CHANNEL_BYTES = 16_384  # what any data channel takes; a larger start goes over the WebSocket
FAREWELL_SECONDS = 0.5  # what a running stream's end may take on the way out


class ClientStream:
    """A stream that runs. `prompt` is what the world applied last."""

    def __init__(self, client: AsyncClient, stream_id: str, prompt: str) -> None:
        self._client = client
        self.id = stream_id
        self.prompt = prompt

    async def interact(self, prompt: str, *, timeout: float = COMMAND_SECONDS) -> str:  # noqa: ASYNC109
        """Steer with `prompt` and return what the world applied; see `AsyncClient.interact`."""
        self.prompt = await self._client.interact(prompt, timeout=timeout)
        return self.prompt

    async def mark(self, text: str = "") -> float:
        """Mark this moment; see `AsyncClient.mark`."""
        return await self._client.mark(text)

    async def broadcast(self, *, timeout: float = COMMAND_SECONDS) -> wire.BroadcastReady:  # noqa: ASYNC109
        """Wait until others can watch; see `AsyncClient.broadcast`."""
        return await self._client.broadcast(timeout=timeout)

    async def end(self) -> None:
        """End the stream; the connection stays."""
        await self._client.end()


class AsyncClient:
    """A connection to a service. An instance exists only while it is connected.

    Events reach `on_event` and pictures `on_picture` on the event loop; both must return at once.
    `history` lists every status that the connection had; `takes_images` says whether its streams
    may start from one.
    """

    def __init__(
        self,
        name: str,
        *,
        on_event: Callable[[Event], None] = lambda _: None,
        on_picture: Callable[[Picture], None] = lambda _: None,
        ended_by: Callable[[], str] = str,
    ) -> None:
        self.name = name
        self.status = Status.DISCONNECTED
        self.stream_state = StreamState.NONE
        self.history: list[str] = []
        self.session_id = ""
        self.takes_images = False
        self.lost: asyncio.Future[errors.OdysseyNBError] = (
            asyncio.get_running_loop().create_future()
        )
        self._on_event, self._on_picture = on_event, on_picture
        self._ended_by = ended_by
        self._sequence = Sequence(name, want_keyframe=self.want_keyframe)
        self._starts: Exchange[wire.StreamStarted] = Exchange("start")
        self._interacts: Exchange[str] = Exchange("interact")
        self._ends: Exchange[None] = Exchange("end")
        self._broadcast: asyncio.Future[wire.BroadcastReady] | None = None  # where it was asked for
        self._problem: wire.InteractiveStreamError | None = None
        self._peer: Peer
        self._signaling: Signaling
        self._keyframe_asked = -1.0

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        url: str | None = None,
        api_key: str | None = None,
        *,
        name: str = "default",
        timeout: float = CONNECT_SECONDS,  # noqa: ASYNC109
        queue_timeout: float = QUEUE_SECONDS,
        on_event: Callable[[Event], None] = lambda _: None,
        on_picture: Callable[[Picture], None] = lambda _: None,
        ended_by: Callable[[], str] = str,
    ) -> AsyncIterator[AsyncClient]:
        """Connect, and disconnect on the way out, whatever happens in between.

        Args:
            url: The API's base URL; None takes ODYSSEY_API_URL, or the local service if it runs.
            api_key: None takes ODYSSEY_API_KEY, or the local service's key.
            name: What the connection is called in events.
            timeout: Longest time to connect, in seconds.
            queue_timeout: Longest wait for a free streamer within it, in seconds.
            on_event: Takes status, session and stream events.
            on_picture: Takes every encoded picture that can be decoded.
            ended_by: Says who released the session from outside; empty if nobody did.

        Raises:
            AuthError: The key was refused.
            LimitError: The account's limits refuse another connection.
            NoStreamerError: No streamer became free in time.
            ConnectError: Service, signaling or WebRTC did not come up.
        """
        url, api_key = _address(url, api_key)
        client = cls(name, on_event=on_event, on_picture=on_picture, ended_by=ended_by)
        try:
            async with AsyncExitStack() as stack:
                client._advance(Status.AUTHENTICATING)
                try:
                    async with asyncio.timeout(timeout):
                        control = await stack.enter_async_context(Control.open(url, api_key))
                        await control.authenticate()
                        client._advance(Status.CONNECTING, "waiting for a streamer")
                        # Less than all the time, or a long queue would look like a broken network.
                        queue_timeout = min(queue_timeout, timeout - AFTER_QUEUE_SECONDS)
                        signaling = await client._establish(control, queue_timeout, stack)
                except TimeoutError:
                    raise errors.NegotiationError(f"not connected within {timeout:g} s") from None
                async with background(client._listen(signaling), client._watch()):
                    client._advance(Status.CONNECTED)
                    try:
                        yield client
                    finally:
                        await client._farewell()
        except errors.OdysseyNBError as error:
            if client.status not in {Status.CONNECTED, Status.FAILED}:
                client._advance(Status.FAILED, str(error), error.hint)
            raise
        finally:
            client._lose(errors.ConnectionLostError("the connection was closed"))
            if client.status != Status.DISCONNECTED:
                client._advance(Status.DISCONNECTED)

    async def _establish(
        self, control: Control, queue_timeout: float, stack: AsyncExitStack
    ) -> Signaling:
        """Get a session and bring its peer up; one that fails is given back for a fresh one."""
        for attempt in range(1, ATTEMPTS + 1):
            grant = await reserve(control, queue_timeout=queue_timeout)
            self._on_event(
                SessionGranted(
                    connection=self.name,
                    session_id=grant.session_id,
                    signaling_url=grant.signalling_url,
                    stream_seconds=grant.longest_stream or DOCUMENTED_STREAM_SECONDS,
                    image_to_video=grant.image_to_video,
                )
            )
            self.takes_images = grant.image_to_video
            try:
                async with AsyncExitStack() as own:
                    signaling = await self._open_session(control, grant, own)
                    await self._negotiate(signaling)
                    stack.push_async_exit(own.pop_all())
                    self.session_id = grant.session_id
                    return signaling
            except (errors.NegotiationError, SocketLostError) as error:
                log.info("attempt %d to connect failed", attempt)
                if attempt == ATTEMPTS:
                    if isinstance(error, SocketLostError):
                        raise errors.NegotiationError("signaling closed too early") from None
                    raise
            await asyncio.sleep(delay(attempt))
        raise AssertionError

    async def _open_session(
        self, control: Control, grant: SessionGrant, stack: AsyncExitStack
    ) -> Signaling:
        self._say("opening the session")
        hold = await stack.enter_async_context(holding(control, grant))
        token = await control.session_token(grant.session_id)
        local = is_loopback(grant.signalling_url)
        servers = [] if local else await control.ice_servers(grant.signalling_url)
        # The goodbye goes out before the peer closes, which may take its time.
        self._peer = await stack.enter_async_context(
            Peer.open(servers, on_picture=self._take_picture, on_message=self._take)
        )
        self._signaling = hold.signaling = await stack.enter_async_context(
            Signaling.open(control.http, grant.signalling_url, grant.session_id, token)
        )
        return hold.signaling

    async def _negotiate(self, signaling: Signaling) -> None:
        self._say("negotiating video")
        ready = asyncio.ensure_future(self._peer.ready())
        try:
            while not ready.done():
                receive = asyncio.ensure_future(signaling.receive())
                try:
                    await asyncio.wait({ready, receive}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    if not receive.done():
                        receive.cancel()
                        await asyncio.wait([receive])
                if receive.cancelled():
                    break
                message = receive.result()
                if message.type == "offer":
                    await signaling.send(await self._peer.answer(message))
                elif message.type == "ice_candidate":
                    await self._peer.add_candidate(message)
                else:
                    raise errors.NegotiationError(f"the service says {message.reason}")
        finally:
            ready.cancel()

    async def start(
        self,
        prompt: str,
        *,
        orientation: str = "landscape",
        image: Source | None = None,
        broadcast: bool = False,
        timeout: float = START_SECONDS,  # noqa: ASYNC109
    ) -> ClientStream:
        """Start a stream and return it once its first picture is made.

        Args:
            prompt: The world in words.
            orientation: "landscape" (1280 x 704 pixels) or "portrait" (704 x 1280).
            image: What it starts from; see `media.image.pack`.
            broadcast: Let others watch; `broadcast` tells where, once they can.
            timeout: Longest wait for the answer, in seconds.

        Raises:
            EmptyPromptError: The prompt has no words.
            ImageError: The image cannot be read, or streams here start from none.
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
        if self.stream_state != StreamState.NONE:
            raise errors.StreamActiveError("a stream is already active")
        self._move_stream(StreamState.STARTING, prompt=prompt, stream=self._sequence.begin())
        start = wire.InteractiveStreamStart(
            prompt=prompt, portrait=portrait, input_image_base64=url, broadcast=broadcast
        )
        loop = asyncio.get_running_loop()
        self._broadcast = loop.create_future() if broadcast else None
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
    ) -> AsyncIterator[ClientStream]:
        """Start a stream, and end it on the way out."""
        stream = await self.start(prompt, orientation=orientation, image=image, broadcast=broadcast)
        try:
            yield stream
        finally:
            if not self.lost.done():
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
        applied = await self._interacts.ask(self._send, wire.Update(prompt=prompt), timeout=timeout)
        self._tell_stream(prompt=applied)
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

    @property
    def stream_number(self) -> int:
        """Counts the connection's streams, from 1; 0 before the first."""
        return self._sequence.stream

    def want_keyframe(self) -> None:
        """Ask for a keyframe, at most once in half a second: each costs every watcher."""
        now = asyncio.get_running_loop().time()
        if now - self._keyframe_asked >= 0.5:
            self._keyframe_asked = now
            self._peer.want_keyframe()

    async def _send(self, message: wire.FromClient) -> None:
        if message.type == "interactive_stream_start" and (
            message.input_image_base64
            or not self._peer.is_open
            or len(wire.from_client.to_json(message).encode()) > CHANNEL_BYTES
        ):
            # Its answer comes over the data channel all the same (protocol section 5.3).
            try:
                await self._signaling.send(message, within=START_SECONDS)
            except SocketLostError:
                raise errors.ConnectionLostError("the connection to the service is gone") from None
            return
        self._peer.send(message)

    def _check(self) -> None:
        if self.lost.done():
            raise errors.ConnectionLostError("the connection is lost")

    def _take(self, message: wire.FromStreamer) -> None:
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

    def _stream_is_over(self, reason: str, message: str = "") -> None:
        self._problem = None
        if self._broadcast is not None:
            self._broadcast.cancel()
        if self.stream_state in {StreamState.STREAMING, StreamState.ENDING}:
            self._move_stream(StreamState.NONE, reason=reason, message=message)
            self._interacts.give_up(errors.NoStreamError("the stream ended meanwhile"))

    def _take_picture(self, data: bytes, timestamp: int, *, lost: bool) -> None:
        picture = self._sequence.number(data, timestamp, lost=lost)
        if picture is not None:
            self._on_picture(picture)

    async def _listen(self, signaling: Signaling) -> None:
        try:
            while True:
                message = await signaling.receive()
                if message.type == "error":
                    lost = f"the service says {message.reason}"
                    self._lose(self._loss(lost, outside=message.reason == ENDED_BY_OWNER))
                    return
        except SocketLostError as error:
            lost = f"signaling closed ({error.code})"
            self._lose(self._loss(lost, outside=error.code == CloseCode.REPLACED))

    def _loss(self, lost: str, *, outside: bool) -> errors.ConnectionLostError:
        """Return the error for a session that is `lost`; whoever ended it on purpose is named."""
        who = self._ended_by()
        if who or outside:
            return errors.EndedOutsideError(f"ended from outside{who and f' by {who}'}")
        return errors.ConnectionLostError(lost)

    async def _watch(self) -> None:
        await self._peer.lost.wait()
        self._lose(self._loss("the video connection broke", outside=False))

    def _lose(self, error: errors.OdysseyNBError) -> None:
        if self.lost.done():
            return
        self.lost.set_result(error)
        for exchange in (self._starts, self._interacts, self._ends):
            exchange.lose(error)
        if self.status == Status.CONNECTED:
            self._stream_is_over("connection_lost")
            self._advance(Status.FAILED, str(error), error.hint)

    async def _farewell(self) -> None:
        if self.stream_state == StreamState.STREAMING and not self.lost.done():
            with suppress(errors.OdysseyNBError):
                await self.end(timeout=FAREWELL_SECONDS)
        if not self.lost.done():
            self.lost.set_result(errors.ConnectionLostError("the connection was closed"))
            for exchange in (self._starts, self._interacts, self._ends):
                exchange.lose(self.lost.result())

    def _advance(self, to: Status, message: str = "", hint: str = "") -> None:
        self.status = advance(self.status, to)
        self.history.append(str(to))
        self._on_event(
            StatusChanged(connection=self.name, status=str(to), message=message, hint=hint)
        )

    def _say(self, message: str) -> None:
        """Tell what the current status is busy with."""
        self._on_event(
            StatusChanged(connection=self.name, status=str(self.status), message=message)
        )

    def _move_stream(self, to: StreamState, *, stream: int | None = None, **more: str) -> None:
        self.stream_state = advance_stream(self.stream_state, to)
        self._tell_stream(**more)

    def _tell_stream(self, **more: str) -> None:
        self._on_event(
            StreamChanged(
                connection=self.name,
                stream=self._sequence.stream,
                state=str(self.stream_state),
                **more,  # type: ignore[arg-type]  # only texts are passed, and never the type
            )
        )


def _address(url: str | None, api_key: str | None) -> tuple[str, str]:
    if url is not None and api_key is not None:
        return url.rstrip("/"), api_key
    target = resolve_target(url=url, api_key=api_key)
    if target.url is not None and target.api_key is not None:
        return target.url, target.api_key
    found = published_service()
    if found is None:
        raise errors.ConnectError(
            "no local service runs",
            hint="Start one with odyssey-nb serve, or give url and api_key.",
        )
    return found.url, local_key(Path(found.data_dir))
