"""A connection as cells see it."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any

from odyssey_nb.errors import NO_IMAGES, ImageError, NotConnectedError, StreamError
from odyssey_nb.kernel.aio import ConnectionAio
from odyssey_nb.kernel.hidden import HiddenClock, HiddenWatch
from odyssey_nb.kernel.link import GRACE, Waiter
from odyssey_nb.kernel.runtime import runtime
from odyssey_nb.kernel.stream import Stream
from odyssey_nb.wire import link as wire
from odyssey_nb.wire.status import Status

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from odyssey_nb.config import Target
    from odyssey_nb.kernel.hidden import WhenHidden
    from odyssey_nb.kernel.leases import Lease, LeaseInfo
    from odyssey_nb.kernel.link import SidecarLink
    from odyssey_nb.kernel.manager import ConnectionManager
    from odyssey_nb.media.image import Source

log = logging.getLogger(__name__)

START_SECONDS = 30.0
END_SECONDS = 10.0
ORIENTATIONS = ("landscape", "portrait")
CREDIT = 40  # pictures that may be on their way to us
GRANT = 10  # taken pictures after which new credit is sent


def is_portrait(orientation: str) -> bool:
    """Return whether it is the upright one.

    Raises:
        ValueError: It is none of `ORIENTATIONS`.
    """
    if orientation not in ORIENTATIONS:
        raise ValueError(f"orientation is one of {ORIENTATIONS}, not {orientation!r}")
    return orientation == "portrait"


class Connection:
    """A reserved streamer. Streams run one after another on it; `disconnect` frees it.

    Attributes:
        name: What it is called in ``ody.connect(name)``.
        target: Which service it goes to, as a user would say it.
        status: Its state, one of the words of `Status`.
        history: Every state it had.
        stage: What it is busy with, in words; empty when with nothing.
        stream: The active stream, or None.
        applied_prompt: The prompt that the world applied last.
        takes_images: Whether its streams may start from an image.
        problem: Why it failed or why its last stream ended early, in one line; else empty.
        hidden: Ends what nobody sees.
    """

    def __init__(
        self,
        manager: ConnectionManager,
        link: SidecarLink,
        lease: Lease,
        *,
        name: str,
        target: str,
        access: Target,
        when_hidden: WhenHidden,
    ) -> None:
        self.name = name
        self.target = target
        self.status: str = Status.DISCONNECTED
        self.history: list[str] = []
        self.stage = ""
        self.stream: Stream | None = None
        self.applied_prompt = ""
        self.problem = ""
        self.session_id = ""
        self.takes_images = False
        self.signaling_url = ""
        self.opened_by_this_call = True
        self.orientation = ORIENTATIONS[0]
        self.stream_ends = 0.0  # by the service's limit, in epoch seconds; 0: unknown
        self.aio = ConnectionAio(self)
        self.hidden = HiddenWatch(self, HiddenClock(when_hidden, attended=self._is_attended))
        self.released: float | None = None  # seconds that the kernel's goodbye took
        self._manager = manager
        self.link = link
        self.access = access  # for releasing from outside
        self._lease = lease
        self._listeners: list[Callable[[], None]] = []
        self._viewers: list[Callable[[wire.Picture], None]] = []
        self._viewing = threading.Lock()
        self._taken = 0
        self._blocks: list[bool] = []

    def start(
        self,
        prompt: str,
        *,
        orientation: str = "landscape",
        image: Source | None = None,
        timeout: float = START_SECONDS,
    ) -> Stream:
        """Start a stream, and return it when its first picture is there.

        A stream that runs on this connection is ended first, so a cell can be re-run.

        Args:
            prompt: The world in words.
            orientation: "landscape" (1280 x 704 pixels) or "portrait" (704 x 1280).
            image: What the world starts from: a path, the bytes of a file, a PIL image, or an
                array (height, width, 3) of uint8 or of floats from 0 to 1. It is turned upright,
                scaled to cover the picture and cut at its centre.
            timeout: Longest wait, in seconds.

        Raises:
            EmptyPromptError: The prompt has no words.
            ImageError: The image cannot be read, or streams here start from none.
            NotConnectedError: The connection is closed.
            StreamError, LimitError: The service refused.
        """
        beginning = self.beginning(prompt, orientation=orientation, image=image, timeout=timeout)
        beginning.prepare()
        try:
            beginning.ask()
            return beginning.wait()
        except KeyboardInterrupt:
            beginning.call_off()
            raise

    def beginning(
        self,
        prompt: str,
        *,
        orientation: str = "landscape",
        image: Source | None = None,
        timeout: float = START_SECONDS,
    ) -> Beginning:
        """Return the steps of `start`, for whoever takes them one by one; nothing is done yet."""
        return Beginning(self, prompt, orientation, image, timeout)

    def disconnect(self) -> None:
        """End what runs and free the streamer; safe to call again."""
        self._manager.disconnect(self.name, only=self)

    @property
    def is_open(self) -> bool:
        """Whether it can be used."""
        return self.status == "connected" and self.link.usable

    def request(
        self, kind: type[Any], *, timeout: float, grace: float = GRACE, **fields: Any
    ) -> wire.Answer:
        """Ask the sidecar something about this connection; see `SidecarLink.ask`."""
        waiter = self.post(kind, timeout=timeout, **fields)
        return self.link.collect(waiter, timeout + grace)

    def post(self, kind: type[Any], *, timeout: float, **fields: Any) -> Waiter[wire.Answer]:
        """Ask the sidecar something without waiting for its answer; see `SidecarLink.post`."""
        self.link.check_process()
        if not self.is_open:
            raise NotConnectedError(f"the connection {self.name!r} is {self.status}")
        self.hidden.clock.touch()

        def make(number: int) -> wire.Request:
            request: wire.Request = kind(id=number, connection=self.name, timeout=timeout, **fields)
            return request

        return self.link.post(make)

    def _is_attended(self) -> bool:
        """Whether somebody is here though no view says so: a cell's author, or spectators."""
        # How many watch a broadcast only the service knows, so it always counts as watched.
        return bool(runtime().cells) or getattr(self.stream, "broadcast", None) is not None

    def say(self, text: str) -> None:
        """Tell the user what a call did to this connection."""
        self._manager.say(f"{self.name}: {text}")

    def seen(self) -> float:
        """A view of it is visible now; return for how many seconds nobody had attended."""
        return self.hidden.seen()

    def was_released(self, seconds: float) -> None:
        """The goodbye to the service took so long; views that outlive this kernel tell it."""
        self.released = seconds
        self._changed()

    def explain(self, problem: str) -> None:
        """Tell why something ended that the user did not end."""
        self.problem = problem
        self._changed()

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
        match event.type:
            case "status_changed":
                self._follow_status(event)
            case "session_granted":
                self.session_id = event.session_id
                self.signaling_url = event.signaling_url
                self._stream_seconds = event.stream_seconds
                self.takes_images = event.image_to_video
                self._lease.name_session(event.session_id)
            case "stream_changed":
                self._follow_stream(event)
        self._changed()

    def _follow_status(self, event: wire.StatusChanged) -> None:
        if not self.history or self.history[-1] != event.status:
            self.history.append(event.status)
        self.status = event.status
        self.stage = event.message if event.status in {"authenticating", "connecting"} else ""
        if event.status == "failed":
            self.problem = f"{event.message}. {event.hint}".strip(". ")
        if event.status in {"disconnected", "failed"}:
            self.stream = None
        if event.status == "disconnected":
            self._manager.forget(self)

    def _follow_stream(self, event: wire.StreamChanged) -> None:
        if event.prompt:
            self.applied_prompt = event.prompt
        if event.state == "starting":
            self.stage = "starting the stream"
        elif event.state == "streaming" and self.stream is None:
            self.stage = ""
            self.stream_ends = time.time() + self._stream_seconds if self._stream_seconds else 0.0
            self.stream = Stream(self, event.stream, event.stream_id)
        elif event.state == "none":
            self.stage = ""
            self.stream = None
            if event.reason not in {"ended", "not_started", "connection_lost"}:
                self.problem = event.message or event.reason

    def sidecar_lost(self) -> None:
        """The sidecar is gone, and the connection with it."""
        self.status = Status.DISCONNECTED
        self.history.append("disconnected")
        self.stream = None
        self.problem = "the sidecar process is gone. Connect again with ody.connect()"
        self._changed()

    @property
    def lease_info(self) -> LeaseInfo:
        """What the lease says."""
        return self._lease.info

    @property
    def lease_path(self) -> Path:
        """Where the lease is."""
        return self._lease.path

    def close_lease(self) -> None:
        """Drop the lease; the session is gone, or somebody else's to release."""
        self.hidden.close()
        self._lease.drop()

    def _changed(self) -> None:
        for listener in tuple(self._listeners):
            try:
                listener()
            except Exception:
                log.exception("a listener of %r failed", self.name)

    def __enter__(self) -> Connection:
        self._blocks.append(self.opened_by_this_call)
        return self

    def __exit__(self, *_: object) -> None:
        if self._blocks.pop():
            self.disconnect()

    def __repr__(self) -> str:
        what = f", stream {self.stream.number}" if self.stream is not None else ""
        return f"<Connection {self.name!r} to the {self.target}: {self.status}{what}>"


class Beginning:
    """A stream on its way: prepare, ask, wait; or call it off at any time after asking."""

    def __init__(
        self,
        connection: Connection,
        prompt: str,
        orientation: str,
        image: Source | None,
        timeout: float,
    ) -> None:
        self._connection = connection
        self._portrait = is_portrait(orientation)
        self._prompt, self._orientation, self._timeout = prompt, orientation, timeout
        self._image, self._url = image, ""
        self._waiter: Waiter[wire.Answer] | None = None

    def prepare(self) -> None:
        """Read the image, then end the stream that runs, so that a cell can be run again."""
        if self._image is not None and self._prompt.strip():
            if self._connection.is_open and not self._connection.takes_images:
                raise ImageError(NO_IMAGES)
            from odyssey_nb.media.image import pack

            self._url = pack(self._image, portrait=self._portrait)
        running = self._connection.stream
        if running is not None and self._prompt.strip():
            running.end()
            self._connection.say("the running stream was replaced")

    def ask(self) -> None:
        """Ask for the stream; does not wait."""
        connection = self._connection
        if connection.is_open:
            connection.problem = ""
            connection.orientation = self._orientation
        self._waiter = connection.post(
            wire.Start,
            timeout=self._timeout,
            prompt=self._prompt,
            portrait=self._portrait,
            image=self._url,
        )

    def wait(self) -> Stream:
        """Wait until its first picture is there; to be called once."""
        assert self._waiter is not None
        connection = self._connection
        connection.link.collect(self._waiter, self._timeout + GRACE)
        if connection.stream is None:
            raise StreamError(connection.problem or "the stream ended as it began")
        return connection.stream

    def call_off(self) -> None:
        """Whoever stops waiting has no stream: end what the sidecar may have started by now."""
        connection = self._connection
        if connection.link.usable:
            connection.link.post(
                lambda n: wire.End(id=n, connection=connection.name, timeout=END_SECONDS)
            )
