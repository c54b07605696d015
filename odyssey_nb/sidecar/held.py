"""What the sidecar holds, whatever it is: its life, its ring of pictures, and who wants them."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections import deque
from contextlib import suppress
from time import time as now
from typing import TYPE_CHECKING, Any

from odyssey_nb.errors import ConnectionLostError, NotConnectedError, OdysseyNBError
from odyssey_nb.media.ring import Ring
from odyssey_nb.wire import link as wire

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from odyssey_nb.wire.link import Picture

log = logging.getLogger(__name__)

Following = wire.StatusChanged | wire.StreamChanged | wire.Happening | wire.Clocks

MOST_HAPPENINGS = 1000  # remembered; older ones go
CLOCK_STEP = 1e-6  # seconds between two of them at least, also where the clock was set back


class Subscription:
    """A wish for pictures. Without credit they are dropped, up to the next keyframe.

    Who wishes, the kernel or a page, cannot see what never reached it, so the keyframe is asked for
    here, as soon as there is room for it; no service owes one unasked.
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
        """Send `picture` if there is room for it and it can be decoded."""
        if self.credit <= 0 or (self._waiting and not picture.key):
            self._waiting = True
            self.dropped += 1
            if self.credit > 0:
                self._want_keyframe()
            return
        self._waiting = False
        self.credit -= 1
        self._send(picture)


class Held(ABC):
    """Something that shows pictures, from the kernel's request to its end; `run` is its life."""

    def __init__(
        self, request: wire.Connect | wire.Watch, tell: Callable[[wire.FromSidecar], None]
    ) -> None:
        self.name = request.connection
        self._id = request.id
        self._tell = tell
        self._ring = Ring()
        self._happenings: deque[wire.Happening] = deque(maxlen=MOST_HAPPENINGS)
        self._subscriptions: dict[Callable[[Picture], None], Subscription] = {}
        self._followers: list[Callable[[Following], None]] = []
        self._latest: dict[str, Following] = {}  # what a follower that comes later must know
        self.over = asyncio.Event()
        self._newer = asyncio.Event()
        self._leave = asyncio.Event()
        self._answered = False

    @property
    @abstractmethod
    def connected(self) -> bool:
        """Whether it is up, and not on its way up or down."""

    @abstractmethod
    async def _live(self) -> None:
        """Open, answer, and hold until it is over or `_leave` is set."""

    @abstractmethod
    async def _do(self, request: wire.Command) -> wire.Answer:
        """Do what `request` says."""

    @abstractmethod
    def want_keyframe(self) -> None:
        """Ask for a keyframe."""

    async def run(self, before: Awaitable[None]) -> None:
        """Once `before` is over, open, answer, hold, and close when told to or when it is lost."""
        try:
            await before
            await self._live()
        except OdysseyNBError as error:
            self._refuse(error)
        except asyncio.CancelledError:
            self._refuse(ConnectionLostError("connecting was called off"))
            raise
        except Exception:
            log.exception("a connection failed")
            self._refuse(OdysseyNBError("connecting failed"))
        finally:
            self._newer.set()
            self.over.set()

    def _answer(self, text: str = "") -> None:
        self._tell(wire.Answer(id=self._id, text=text))
        self._answered = True

    def _refuse(self, error: OdysseyNBError) -> None:
        if not self._answered:
            self._tell(refusal(self._id, error))

    async def _until(self, over: asyncio.Future[Any]) -> None:
        """Wait until it is over, or told to leave."""
        leave = asyncio.ensure_future(self._leave.wait())
        try:
            await asyncio.wait({leave, over}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            leave.cancel()

    def leave(self) -> None:
        """Let `run` end politely."""
        self._leave.set()

    def hush(self) -> None:
        """Tell the kernel no more: it has let go of this, and given the name to another."""
        self._tell = lambda _: None
        self._subscriptions.clear()

    def give_up(self, error: OdysseyNBError) -> None:
        """Let it be lost for `error`, where a streamer is held."""
        del error

    async def ask(self, request: wire.Command, tell: Callable[[wire.Answer], None]) -> None:
        """Do what `request` says and answer it through `tell`."""
        try:
            answer = await self._do(request)
        except asyncio.CancelledError:
            tell(refusal(request.id, ConnectionLostError("the request was called off")))
            raise
        except OdysseyNBError as error:
            answer = refusal(request.id, error)
        except Exception:
            log.exception("%s failed", request.type)
            answer = refusal(request.id, OdysseyNBError(f"{request.type} failed in the sidecar"))
        tell(answer)

    def _check(self) -> None:
        if not self.connected:
            raise NotConnectedError(f"{self.name!r} is not connected")

    async def _fetch(self, request: wire.Fetch) -> wire.Answer:
        """Return pictures as `request` asks for them."""
        if request.seconds:
            pictures = self._ring.last(request.seconds)
            return wire.Answer(
                id=request.id,
                number=pictures[-1].seq if pictures else 0,
                pictures=pictures[: request.most or None],
                happenings=self._happened(pictures),
            )
        with suppress(TimeoutError):
            async with asyncio.timeout(request.timeout):
                while not (found := self._find(request)):
                    if self._has_ended(request.stream):
                        break
                    if not self.connected:
                        raise ConnectionLostError("the connection was lost")
                    self._newer.clear()
                    await self._newer.wait()
                return wire.Answer(id=request.id, pictures=found)
        return wire.Answer(id=request.id)

    def _find(self, request: wire.Fetch) -> list[Picture]:
        if request.most:
            return self._ring.behind(request.stream, request.after, request.most)
        newest = self._ring.newest
        if newest is None or (newest.stream == request.stream and newest.seq <= request.past):
            return []
        return self._ring.tail(stream=request.stream, after=request.after)

    def _has_ended(self, stream: int) -> bool:
        """Whether nothing more will come of stream number `stream`."""
        latest = self._latest.get("stream_changed")
        if not stream or latest is None or latest.type != "stream_changed":
            return False
        return latest.stream > stream or (
            latest.stream == stream and latest.state == "none" and not latest.continues
        )

    def _remember(self, kind: str, stream: int, time: float, text: str, *, sent: float = 0) -> None:
        before = self._happenings[-1].at if self._happenings else 0
        happening = wire.Happening(
            connection=self.name,
            stream=stream,
            time=time,
            at=max(now(), before + CLOCK_STEP),
            sent=sent,
            kind=kind,
            text=text,
        )
        self._happenings.append(happening)
        self._publish(happening)

    def _happened(self, pictures: list[Picture]) -> list[wire.Happening]:
        """Return what happened while `pictures` were shown, and the prompt before that."""
        if not pictures:
            return []
        first, last = pictures[0], pictures[-1]
        known = [each for each in self._happenings if each.stream == last.stream]
        before = [
            each for each in known if each.time < first.time and each.kind in {"start", "interact"}
        ]
        return before[-1:] + [each for each in known if first.time <= each.time <= last.time]

    def subscribe(self, credit: int, send: Callable[[Picture], None]) -> None:
        """Hand pictures to `send` from the newest keyframe on, by its credit."""
        subscription = Subscription(credit, send, self.want_keyframe)
        self._subscriptions[send] = subscription
        subscription.begin(self._ring.tail())

    def unsubscribe(self, send: Callable[[Picture], None]) -> None:
        """Hand `send` no more pictures."""
        self._subscriptions.pop(send, None)

    def grant(self, pictures: int, send: Callable[[Picture], None]) -> None:
        """There is room for so many more behind `send`."""
        subscription = self._subscriptions.get(send)
        if subscription is not None:
            subscription.credit = min(subscription.most, subscription.credit + pictures)

    def follow(self, follower: Callable[[Following], None]) -> Callable[[], None]:
        """Tell `follower` how it stands and what changes; return what stops it."""
        self._followers.append(follower)
        for event in tuple(self._latest.values()):
            follower(event)
        return lambda: self._followers.remove(follower)

    def seen(self) -> None:
        """Let the kernel know that somebody looks on without it."""
        self._tell(wire.Seen(connection=self.name))

    def _publish(self, event: wire.Event) -> None:
        """Tell the kernel, and whoever follows what it may know."""
        if (
            event.type == "status_changed"
            or event.type == "stream_changed"
            or event.type == "clocks"
        ):
            self._latest[event.type] = event
            self._newer.set()  # who waits for a picture that will not come is told so
            self._tell_followers(event)
        elif event.type == "happening":
            self._tell_followers(event)  # only now: whoever comes later asks the kernel
        self._tell(event)

    def _tell_followers(self, event: Following) -> None:
        for follower in tuple(self._followers):
            follower(event)

    def _take(self, picture: Picture) -> None:
        if not self._ring.put(picture):
            self.want_keyframe()
        self._newer.set()
        for subscription in tuple(self._subscriptions.values()):
            subscription.offer(picture)


def refusal(request: int, error: OdysseyNBError) -> wire.Answer:
    """Return `error` as the answer to a request, so that the kernel raises the same class."""
    return wire.Answer(id=request, error=error.code, message=str(error), hint=error.hint)
