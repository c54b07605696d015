"""A connection as cells see it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from odyssey_nb.config import where
from odyssey_nb.errors import NO_IMAGES, ConcurrentLimitError, ImageError, StreamError
from odyssey_nb.kernel.aio import ConnectionAio
from odyssey_nb.kernel.broadcast import Broadcast
from odyssey_nb.kernel.held import ORIENTATIONS, Held
from odyssey_nb.kernel.hidden import HiddenClock, HiddenWatch
from odyssey_nb.kernel.link import GRACE, Waiter
from odyssey_nb.kernel.runtime import runtime
from odyssey_nb.kernel.stream import Stream
from odyssey_nb.kernel.tables import clock
from odyssey_nb.wire import link as wire
from odyssey_nb.wire.signaling import LIMITS

if TYPE_CHECKING:
    from pathlib import Path

    from odyssey_nb.config import Target
    from odyssey_nb.kernel.hidden import WhenHidden
    from odyssey_nb.kernel.leases import Lease, LeaseInfo
    from odyssey_nb.kernel.link import SidecarLink
    from odyssey_nb.kernel.manager import ConnectionManager
    from odyssey_nb.media.image import Source

START_SECONDS = 30.0
END_SECONDS = 10.0


def is_portrait(orientation: str) -> bool:
    """Return whether it is the upright one.

    Raises:
        ValueError: It is none of `ORIENTATIONS`.
    """
    if orientation not in ORIENTATIONS:
        raise ValueError(f"orientation is one of {ORIENTATIONS}, not {orientation!r}")
    return orientation == "portrait"


class Connection(Held):
    """A reserved streamer. Streams run one after another on it; `disconnect` frees it.

    Attributes:
        stream: The active stream, or None.
        takes_images: Whether its streams may start from an image.
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
        super().__init__(manager, link, name=name, target=target)
        self.stream: Stream | None = None
        self.session_id = ""
        self.takes_images = False
        self.asked: dict[str, bool] = {}  # for its newest stream, besides prompt and picture
        self.signaling_url = ""
        self.opened_by_this_call = True
        self.aio = ConnectionAio(self)
        self.hidden: HiddenWatch = HiddenWatch(
            self, HiddenClock(when_hidden, attended=self._is_attended), changed=self._changed
        )
        self.access = access  # for releasing from outside
        self._lease = lease
        self._blocks: list[bool] = []

    def start(
        self,
        prompt: str,
        *,
        orientation: str = "landscape",
        image: Source | None = None,
        broadcast: bool = False,
        bypass_expansion: bool = False,
        extend: bool = False,
        timeout: float = START_SECONDS,
    ) -> Stream:
        """Start a stream, and return it when its first picture is there.

        A stream that runs on this connection is ended first, so a cell can be re-run.

        >>> stream = conn.start("a misty forest at dawn", extend=True)

        Args:
            prompt: The world in words.
            orientation: "landscape" (1280 x 704 pixels) or "portrait" (704 x 1280).
            image: What the world starts from: a path, the bytes of a file, a PIL image, or an
                array (height, width, 3) of uint8 or of floats from 0 to 1. It is turned upright,
                scaled to cover the picture and cut at its centre.
            broadcast: Let others watch; the stream's `broadcast` says where.
            bypass_expansion: Let the service take prompts as they are, where the account may.
            extend: Let it go on past the service's limits until it is ended, as `Stream.extend`
                does; also those of the connection, for which another one then takes its place.
            timeout: Longest wait, in seconds.

        Raises:
            EmptyPromptError: The prompt has no words.
            ImageError: The image cannot be read, or streams here start from none.
            NotConnectedError: The connection is closed.
            PrivilegeError: The account may not bypass the expansion of prompts.
            StreamError, LimitError: The service refused.
        """
        beginning = self.beginning(
            prompt,
            orientation=orientation,
            image=image,
            broadcast=broadcast,
            bypass_expansion=bypass_expansion,
            extend=extend,
            timeout=timeout,
        )
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
        broadcast: bool = False,
        bypass_expansion: bool = False,
        extend: bool = False,
        timeout: float = START_SECONDS,
    ) -> Beginning:
        """Return the steps of `start`, for whoever takes them one by one; nothing is done yet."""
        return Beginning(
            self,
            prompt,
            orientation,
            image,
            timeout,
            broadcast=broadcast,
            bypass_expansion=bypass_expansion,
            extend=extend,
        )

    def disconnect(self) -> None:
        """End what runs and free the streamer; safe to call again."""
        self._manager.disconnect(self.name, only=self)

    @property
    def streaming(self) -> bool:
        """Whether a stream runs."""
        return self.stream is not None

    @property
    def remaining(self) -> float | None:
        """Seconds until a limit or its budget ends the connection; None once it is closed.

        One without a stream ends sooner.

        >>> conn.remaining
        3541.7
        """
        return self.left("connection_ends", "idle_ends", "budget_ends")

    def left(self, *clocks: str) -> float | None:
        """Return the seconds until the first of `clocks`, fields of `wire.Clocks`, is due."""
        due = [when for each in clocks if (when := getattr(self.clocks, each))]
        return max(0.0, min(due) - time.time()) if due and self.is_open else None

    def post(self, kind: type[Any], *, timeout: float, **fields: Any) -> Waiter[wire.Answer]:
        """Ask the sidecar something without waiting for its answer; see `SidecarLink.post`."""
        self.check()
        if kind is not wire.End:  # which is also what comes of it that nobody attends
            self.hidden.clock.touch()
        return super().post(kind, timeout=timeout, **fields)

    def _is_attended(self) -> bool:
        """Whether somebody is here though no view says so: a cell's author, or spectators."""
        # How many watch a broadcast only the service knows, so it always counts as watched.
        watched = self.stream is not None and self.stream.broadcast is not None
        return bool(runtime().cells) or watched

    def was_released(self, seconds: float) -> None:
        """The goodbye to the service took so long; views that outlive this kernel tell it."""
        self.released = seconds
        self._changed()

    def explain(self, problem: str) -> None:
        """Tell why something ended that the user did not end."""
        self.problem = problem
        self.was_left = False
        self._changed()

    def name_holders(self, error: ConcurrentLimitError) -> None:
        """Let `error` say who holds what the account may have."""
        self._manager.name_holders(error, self.access.url or "")

    def _follow(self, event: wire.Event) -> None:
        match event.type:
            case "session_granted":
                self.session_id = event.session_id
                self.signaling_url = event.signaling_url
                self.takes_images = event.image_to_video
                self._lease.name_session(event.session_id, event.signaling_url)
            case "stream_changed":
                self._follow_stream(event)
                self._lease.use(streaming=self.stream is not None)
            case "seen":
                self.hidden.seen()
            case "broadcast_started":
                if self.stream is not None and self.stream.number == event.stream:
                    self.stream.broadcast = Broadcast(
                        event.url, event.token, event.playlist, event.page
                    )

    def _follow_stream(self, event: wire.StreamChanged) -> None:
        if event.prompt:
            self.applied_prompt = event.prompt
        self.extends = event.extends
        if event.state == "starting":
            self.at_limit = False
            if self.stream is None:
                self.stage = "starting the stream"
            else:
                self.stream.go_on(event.stream)
        elif event.state == "streaming" and self.stream is not None:
            self.stream.id = event.stream_id or self.stream.id
        elif event.state == "streaming":
            self.stage = ""
            self.stream = Stream(self, event.stream, event.stream_id)
        elif event.state == "none" and not event.continues:
            self.stage = ""
            self.at_limit = event.reason in LIMITS
            if self.stream is not None:
                self.stream.ended_for = event.reason
            self._no_stream()
            if event.reason not in {"ended", "not_started", "connection_lost"}:
                self.problem = event.message or event.reason

    def _no_stream(self) -> None:
        stream, self.stream = self.stream, None
        if stream is not None:
            stream.drop_pictures()

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

    def __enter__(self) -> Connection:
        self._blocks.append(self.opened_by_this_call)
        return self

    def __exit__(self, *_: object) -> None:
        if self._blocks.pop():
            self.disconnect()

    def __repr__(self) -> str:
        what = f", stream {self.stream.number}" if self.stream is not None else ""
        left = self.remaining
        until = "" if left is None else f", {clock(left)} left"
        return f"<Connection {self.name!r} to {where(self.target)}: {self.status}{what}{until}>"


class Beginning:
    """A stream on its way: prepare, ask, wait; or call it off at any time after asking."""

    def __init__(
        self,
        connection: Connection,
        prompt: str,
        orientation: str,
        image: Source | None,
        timeout: float,
        *,
        broadcast: bool,
        bypass_expansion: bool,
        extend: bool,
    ) -> None:
        self._connection = connection
        self._portrait = is_portrait(orientation)
        self._prompt, self._orientation, self._timeout = prompt, orientation, timeout
        self._image, self._url = image, ""
        self._broadcast, self._bypass_expansion = broadcast, bypass_expansion
        self._extend = extend
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
            connection.asked = {
                "broadcast": self._broadcast,
                "bypass_expansion": self._bypass_expansion,
                "extend": self._extend,
            }
        self._waiter = connection.post(
            wire.Start,
            timeout=self._timeout,
            prompt=self._prompt,
            portrait=self._portrait,
            image=self._url,
            broadcast=self._broadcast,
            bypass_expansion=self._bypass_expansion,
            extend=self._extend,
        )

    def wait(self) -> Stream:
        """Wait until its first picture is there; to be called once."""
        assert self._waiter is not None
        connection = self._connection
        longer = wire.BROADCAST_SECONDS if self._broadcast else 0
        try:
            connection.link.collect(self._waiter, self._timeout + longer + GRACE)
        except ConcurrentLimitError as error:
            connection.name_holders(error)
            raise
        if connection.stream is None:
            raise StreamError(connection.problem or "the stream ended as it began")
        if self._broadcast and connection.stream.broadcast is None:
            connection.say("nobody can watch yet; stream.broadcast says where once they can")
        return connection.stream

    def call_off(self) -> None:
        """Whoever stops waiting has no stream: end what the sidecar may have started by now."""
        connection = self._connection
        if connection.link.usable:
            connection.link.post(
                lambda n: wire.End(id=n, connection=connection.name, timeout=END_SECONDS)
            )
