"""A connection as the sidecar holds it: client, ring of pictures, and who wants them."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from odyssey_nb.client.client import AsyncClient
from odyssey_nb.errors import ConnectionLostError, NotConnectedError, OdysseyNBError
from odyssey_nb.media.ring import Ring
from odyssey_nb.sidecar.lease import drop_lease, read_note
from odyssey_nb.wire import link as wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from odyssey_nb.wire.link import Picture

log = logging.getLogger(__name__)

MOST_HAPPENINGS = 1000  # remembered; older ones go


class Subscription:
    """The kernel's wish for pictures. Without credit they are dropped, up to the next keyframe.

    The kernel cannot see what never reached it, so the keyframe is asked for here, as soon as there
    is room for it; no service owes one unasked.
    """

    def __init__(
        self, credit: int, send: Callable[[Picture], None], want_keyframe: Callable[[], None]
    ) -> None:
        self.credit = self.most = credit
        self.dropped = 0  # pictures
        self._send = send
        self._want_keyframe = want_keyframe
        self._waiting = True

    def begin(self, tail: list[Picture]) -> None:
        """Send the pictures since the newest keyframe; more than there is room for are left out."""
        if len(tail) > self.credit:
            self._want_keyframe()
            return
        for picture in tail:
            self.offer(picture)

    def offer(self, picture: Picture) -> None:
        """Send `picture` if the kernel has room for it and can decode it."""
        if self.credit <= 0 or (self._waiting and not picture.key):
            self._waiting = True
            self.dropped += 1
            if self.credit > 0:
                self._want_keyframe()
            return
        self._waiting = False
        self.credit -= 1
        self._send(picture)


class HeldConnection:
    """A connection from its `Connect` to its end; `run` is its whole life."""

    def __init__(self, request: wire.Connect, tell: Callable[[wire.FromSidecar], None]) -> None:
        self.name = request.connection
        self._request = request
        self._tell = tell
        self._client: AsyncClient | None = None
        self._ring = Ring()
        self._happenings: deque[wire.Happening] = deque(maxlen=MOST_HAPPENINGS)
        self._subscription: Subscription | None = None
        self._newer = asyncio.Event()
        self._leave = asyncio.Event()
        self._starts: set[asyncio.Task[Any]] = set()  # that run or wait for their turn
        self._turn = asyncio.Lock()  # to start or end a stream, in the order of the requests

    @property
    def connected(self) -> bool:
        """Whether the connection is up, and not on its way up or down."""
        return self._client is not None

    async def run(self) -> None:
        """Connect, answer, hold, and disconnect when told to or when the connection is lost."""
        request = self._request
        answered = False
        try:
            async with AsyncClient.open(
                request.url,
                request.api_key,
                name=self.name,
                timeout=request.timeout,
                on_event=self._follow,
                on_picture=self._take,
                ended_by=self._ended_by,
            ) as client:
                self._client = client
                self._tell(wire.Answer(id=request.id, text=client.session_id))
                answered = True
                await self._until_over(client)
        except OdysseyNBError as error:
            if not answered:
                self._tell(refusal(request.id, error))
        except asyncio.CancelledError:
            if not answered:
                self._tell(refusal(request.id, ConnectionLostError("connecting was called off")))
            raise
        except Exception:
            log.exception("a connection failed")
            if not answered:
                self._tell(refusal(request.id, OdysseyNBError("connecting failed")))
        finally:
            self._client = None
            self._newer.set()
            if request.lease:
                drop_lease(Path(request.lease))

    def _ended_by(self) -> str:
        return read_note(Path(self._request.lease)) if self._request.lease else ""

    async def _until_over(self, client: AsyncClient) -> None:
        leave = asyncio.ensure_future(self._leave.wait())
        ends: set[asyncio.Future[Any]] = {leave, client.lost}
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            leave.cancel()

    def leave(self) -> None:
        """Let `run` end politely."""
        self._leave.set()

    async def ask(self, request: wire.Command) -> None:
        """Do what `request` says and answer it."""
        try:
            answer = await self._do(request)
        except asyncio.CancelledError:
            self._tell(refusal(request.id, ConnectionLostError("the request was called off")))
            raise
        except OdysseyNBError as error:
            answer = refusal(request.id, error)
        except Exception:
            log.exception("%s failed", request.type)
            answer = refusal(request.id, OdysseyNBError(f"{request.type} failed in the sidecar"))
        self._tell(answer)

    async def _do(self, request: wire.Command) -> wire.Answer:
        client = self._client
        if client is None:
            raise NotConnectedError(f"{self.name!r} is not connected")
        match request.type:
            case "start":
                return wire.Answer(id=request.id, text=await self._start(client, request))
            case "interact":
                applied = await client.interact(request.prompt, timeout=request.timeout)
                return wire.Answer(id=request.id, text=applied)
            case "mark":
                time = await client.mark(request.text)
                self._remember("mark", client.stream_number, time, request.text)
                return wire.Answer(id=request.id, time=time)
            case "end":
                for each in self._starts:
                    each.cancel()  # nobody waits for it any more; it takes back what it has begun
                async with self._turn:
                    await client.end(timeout=request.timeout)
                return wire.Answer(id=request.id)
            case "fetch":
                pictures = await self._fetch(request)
                happened = self._happened(pictures) if request.seconds else []
                return wire.Answer(id=request.id, pictures=pictures, happenings=happened)

    async def _start(self, client: AsyncClient, request: wire.Start) -> str:
        task = asyncio.current_task()
        assert task is not None
        self._starts.add(task)
        try:
            async with self._turn:
                stream = await client.start(
                    request.prompt,
                    orientation="portrait" if request.portrait else "landscape",
                    image=request.image or None,
                    timeout=request.timeout,
                )
                return stream.prompt
        finally:
            self._starts.discard(task)

    async def _fetch(self, request: wire.Fetch) -> list[Picture]:
        if request.seconds:
            return self._ring.last(request.seconds)
        with suppress(TimeoutError):
            async with asyncio.timeout(request.timeout):
                while not (found := self._ring.tail(stream=request.stream, after=request.after)):
                    if self._client is None:
                        raise ConnectionLostError("the connection was lost")
                    self._newer.clear()
                    await self._newer.wait()
                return found
        return []

    def subscribe(self, credit: int) -> None:
        """Send pictures from the newest keyframe on."""
        self._subscription = Subscription(credit, self._tell, self.want_keyframe)
        self._subscription.begin(self._ring.tail())

    def unsubscribe(self) -> None:
        """Send no more pictures."""
        self._subscription = None

    def grant(self, pictures: int) -> None:
        """The kernel has room for so many more."""
        if self._subscription is not None:
            subscription = self._subscription
            subscription.credit = min(subscription.most, subscription.credit + pictures)

    def want_keyframe(self) -> None:
        """Ask the streamer for a keyframe."""
        if self._client is not None:
            self._client.want_keyframe()

    def _follow(self, event: wire.Event) -> None:
        """Pass an event on, and remember what it says about the stream's prompt."""
        if event.type == "stream_changed" and event.state == "streaming" and event.prompt:
            newest, begins = self._ring.newest, event.stream_id != ""
            shown = newest is not None and newest.stream == event.stream and not begins
            time = newest.time if shown and newest is not None else 0.0
            self._remember("start" if begins else "interact", event.stream, time, event.prompt)
        self._tell(event)

    def _remember(self, kind: str, stream: int, time: float, text: str) -> None:
        self._happenings.append(wire.Happening(stream=stream, time=time, kind=kind, text=text))

    def _happened(self, pictures: list[Picture]) -> list[wire.Happening]:
        """Return what happened while `pictures` were shown."""
        if not pictures:
            return []
        first, last = pictures[0], pictures[-1]
        return [
            each
            for each in self._happenings
            if each.stream == last.stream and first.time <= each.time <= last.time
        ]

    def _take(self, picture: Picture) -> None:
        if not self._ring.put(picture):
            self.want_keyframe()
        self._newer.set()
        if self._subscription is not None:
            self._subscription.offer(picture)


def refusal(request: int, error: OdysseyNBError) -> wire.Answer:
    """Return `error` as the answer to a request, so that the kernel raises the same class."""
    return wire.Answer(id=request, error=error.code, message=str(error), hint=error.hint)
