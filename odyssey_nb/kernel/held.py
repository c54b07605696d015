"""What the sidecar holds for this kernel, as it is followed here: its events and its pictures."""

from __future__ import annotations

import logging
import secrets
import threading
from abc import ABC, abstractmethod
from collections import deque
from typing import TYPE_CHECKING, Any

from odyssey_nb.errors import BudgetError, NotConnectedError, OdysseyNBError
from odyssey_nb.kernel.link import GRACE
from odyssey_nb.wire import link as wire
from odyssey_nb.wire.status import Status

if TYPE_CHECKING:
    from collections.abc import Callable

    from odyssey_nb.kernel.hidden import HiddenWatch
    from odyssey_nb.kernel.link import SidecarLink, Waiter
    from odyssey_nb.kernel.manager import ConnectionManager

log = logging.getLogger(__name__)

ORIENTATIONS = ("landscape", "portrait")
FIRST = ("authenticating", "connecting")  # one of these is its first status
BUSY = (*FIRST, "reconnecting")  # statuses that say what they are at
CREDIT = 40  # pictures that may be on their way to us
GRANT = 10  # taken pictures after which new credit is sent
ADMIT_SECONDS = 10.0  # in which a page must have come
MOST_HAPPENINGS = 200  # remembered here


class Held(ABC):
    """Something that is open in the sidecar, under a name.

    Attributes:
        name: What it is called.
        target: Which service it goes to, as a user would say it.
        status: Its state, one of the words of `Status`.
        history: Every state it had.
        stage: What it is busy with, in words; empty when with nothing.
        applied_prompt: The prompt that the world applied last; empty where that is not told.
        happenings: The newest `MOST_HAPPENINGS` things that happened to its streams.
        orientation: That of its pictures, where it is known.
        problem: Why it failed or why its last stream ended early, in one line; else empty.
        clocks: When what ends, as the sidecar told it last.
        extends: Past how many limits its stream goes on: a word of `Extension`.
        at_limit: Whether its last stream has ended at one.
        was_left: Whether this kernel ended it, as it has not ended by itself.
        released: How many seconds the goodbye of a kernel that ends took; None before.
        hidden: Ends what nobody sees; None where nothing is held that anybody waits for.
    """

    hidden: HiddenWatch | None = None

    def __init__(
        self, manager: ConnectionManager, link: SidecarLink, *, name: str, target: str
    ) -> None:
        self.name = name
        self.target = target
        self.status: str = Status.DISCONNECTED
        self.history: list[str] = []
        self.stage = ""
        self.applied_prompt = ""
        self.problem = ""
        self.happenings: deque[wire.Happening] = deque(maxlen=MOST_HAPPENINGS)
        self._failed_for = ""  # the code of the error
        self.orientation = ORIENTATIONS[0]
        self.clocks = wire.Clocks(connection=name)
        self.extends, self.at_limit = "", False
        self.was_left = False
        self.released: float | None = None
        self.link = link
        self._manager = manager
        self._listeners: list[Callable[[], None]] = []
        self._viewers: list[Callable[[wire.Picture], None]] = []
        self._viewing = threading.Lock()
        self._taken = 0

    @property
    def is_open(self) -> bool:
        """Whether it is up, or being repaired."""
        return self.status in {"connected", "reconnecting"} and self.link.usable

    @property
    def broke(self) -> bool:
        """Whether it was lost, unlike one that has ended as it should."""
        return not self.link.usable or "failed" in self.history[-2:]

    @property
    @abstractmethod
    def streaming(self) -> bool:
        """Whether pictures are coming."""

    def request(
        self, kind: type[Any], *, timeout: float, grace: float = GRACE, **fields: Any
    ) -> wire.Answer:
        """Ask the sidecar something about it; see `SidecarLink.ask`."""
        waiter = self.post(kind, timeout=timeout, **fields)
        return self.link.collect(waiter, timeout + grace)

    def post(self, kind: type[Any], *, timeout: float, **fields: Any) -> Waiter[wire.Answer]:
        """Ask the sidecar something without waiting for its answer; see `SidecarLink.post`."""
        self.check()

        def make(number: int) -> wire.Request:
            request: wire.Request = kind(id=number, connection=self.name, timeout=timeout, **fields)
            return request

        return self.link.post(make)

    def check(self) -> None:
        """Raise NotConnectedError unless it is open, ForkedProcessError in a forked child."""
        self.link.check_process()
        if not self.is_open:
            raise self.closed()

    @property
    def ended_itself(self) -> bool:
        """Whether it has ended, and neither this kernel nor its budget wanted that."""
        wanted = self.was_left or self._failed_for == BudgetError.code
        return not self.is_open and bool(self.problem) and not wanted

    def closed(self) -> OdysseyNBError:
        """Return what to raise at whoever uses it although it is closed: that, and why."""
        why, _, hint = self.problem.partition(". ")
        if self._failed_for == BudgetError.code:
            return BudgetError(why, hint=hint)
        what = f"the connection {self.name!r} is {self.status}"
        return NotConnectedError(f"{what}: {why}" if why else what, hint=hint or None)

    def say(self, text: str) -> None:
        """Tell the user what a call did to it."""
        self._manager.say(f"{self.name}: {text}")

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener` after every change, on the link's thread; return what stops it."""
        self._listeners.append(listener)

        def stop() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return stop

    def view(self, viewer: Callable[[wire.Picture], None]) -> Callable[[], None]:
        """Hand pictures to `viewer` on the link's thread, from the newest keyframe on.

        Pictures travel only while somebody views. Every new viewer makes the others see the
        pictures since the newest keyframe again. Returns what stops it.
        """
        with self._viewing:
            self._viewers.append(viewer)
            self._taken = 0
            if self.is_open:
                self.link.tell(wire.Subscribe(connection=self.name, credit=CREDIT))

        def stop() -> None:
            with self._viewing:
                if viewer not in self._viewers:
                    return
                self._viewers.remove(viewer)
                if not self._viewers and self.is_open:
                    self.link.tell(wire.Unsubscribe(connection=self.name))

        return stop

    def want_keyframe(self) -> None:
        """A viewer cannot decode."""
        if self.is_open:
            self.link.tell(wire.WantKeyframe(connection=self.name))

    def admit(self, origin: str) -> tuple[int, str, str]:
        """Let one page of `origin` look and steer without this kernel between.

        Returns:
            The port on 127.0.0.1, a token that opens it once, and a secret that the sidecar proves
            to know.
        """
        token, secret = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
        answer = self.request(
            wire.Admit, timeout=ADMIT_SECONDS, origin=origin, token=token, secret=secret
        )
        return answer.number, token, secret

    def take_picture(self, picture: wire.Picture) -> None:
        """Hand on a picture; the link's thread calls it."""
        for viewer in tuple(self._viewers):
            viewer(picture)
        self._taken += 1
        if self._taken >= GRANT and self.link.usable:
            self.link.tell(wire.Credit(connection=self.name, pictures=GRANT))
            self._taken = 0

    def take_event(self, event: wire.Event) -> None:
        """Follow an event; the link's thread calls it."""
        begins = event.type == "status_changed" and event.status in FIRST
        if not (self.history or begins):
            return  # it was under way when the name was another's
        if event.type == "status_changed":
            self._follow_status(event)
        elif event.type == "clocks":
            self.clocks = event
        elif event.type == "happening":
            self.happenings.append(event)
        else:
            self._follow(event)
        self._changed()

    def _follow_status(self, event: wire.StatusChanged) -> None:
        if not self.history or self.history[-1] != event.status:
            self.history.append(event.status)
        self.status = event.status
        self.stage = event.message if event.status in BUSY else ""
        if event.status == "failed":
            self.problem = f"{event.message}. {event.hint}".strip(". ")
            self._failed_for = event.code
        if event.status in {"disconnected", "failed"}:
            self._no_stream()
        if event.status == "disconnected":
            self._manager.forget(self)

    @abstractmethod
    def _follow(self, event: wire.Event) -> None:
        """Follow what is no change of status."""

    @abstractmethod
    def _no_stream(self) -> None:
        """What streamed has ended."""

    def sidecar_lost(self) -> None:
        """The sidecar is gone, and this with it."""
        self.status = Status.DISCONNECTED
        self.history.append("disconnected")
        self.clocks = wire.Clocks(connection=self.name)
        self._no_stream()
        self.problem = "the sidecar process is gone. Connect again with ody.connect()"
        self._changed()

    @abstractmethod
    def close_lease(self) -> None:
        """Drop what says that it is held; it is gone, or somebody else's to release."""

    def _changed(self) -> None:
        for listener in tuple(self._listeners):
            try:
                listener()
            except Exception:
                log.exception("a listener of %r failed", self.name)
