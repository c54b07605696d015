"""Messages between a kernel and its sidecar.

Two lanes share the socket: events and answers are never dropped, pictures flow by subscription and
by the kernel's credit. The first message of each side is `Hello`, and versions must be equal.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from odyssey_nb.wire.codec import Codec

LINK_VERSION = 9
BROADCAST_SECONDS = 10.0  # how long the answer to a start waits until others can watch


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """Who speaks: the link's version, and the package's for the message when they differ."""

    link: int
    version: str
    pid: int
    type: Literal["hello"] = "hello"


@dataclass(frozen=True, slots=True, kw_only=True)
class Connect:
    """Open a connection; `session` events follow before the answer. `timeout` in seconds."""

    id: int
    connection: str
    url: str
    api_key: str
    timeout: float
    lease: str = ""  # the lease's path, removed once the session is gone
    budget: float = 0  # seconds for which it may be held; 0: any
    daily: float = 0  # seconds for which all of this user's may be, in one day; 0: any
    ledger: str = ""  # the path of the file that says how many of those are spent
    type: Literal["connect"] = "connect"

    def __repr__(self) -> str:
        return f"Connect({self.connection!r}, {self.url!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Join a broadcast; what `connection` names is then looked at, not steered."""

    id: int
    connection: str
    url: str
    token: str = field(repr=False)
    timeout: float
    type: Literal["watch"] = "watch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Start a stream; with `broadcast` the answer waits for what others need to watch."""

    id: int
    connection: str
    prompt: str
    portrait: bool
    timeout: float
    image: str = field(default="", repr=False)  # a data URL
    broadcast: bool = False
    bypass_expansion: bool = False
    extend: bool = False  # past every limit, as another stream from the last picture
    type: Literal["start"] = "start"


@dataclass(frozen=True, slots=True, kw_only=True)
class Allow:
    """A connection may be held for `budget` seconds in all; 0: for any time."""

    id: int
    connection: str
    budget: float
    timeout: float
    type: Literal["allow"] = "allow"


@dataclass(frozen=True, slots=True, kw_only=True)
class Interact:
    """Steer the running stream."""

    id: int
    connection: str
    prompt: str
    timeout: float
    type: Literal["interact"] = "interact"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Mark the newest picture; the answer's `time` is that picture's."""

    id: int
    connection: str
    text: str
    timeout: float
    type: Literal["mark"] = "mark"


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """End the running stream."""

    id: int
    connection: str
    timeout: float
    type: Literal["end"] = "end"


@dataclass(frozen=True, slots=True, kw_only=True)
class Continue:
    """Let the stream go on past its next limit, or `always`; one that has ended goes on now."""

    id: int
    connection: str
    timeout: float
    always: bool = False
    type: Literal["continue"] = "continue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Disconnect:
    """Close a connection; also calls off a `Connect` that is under way."""

    id: int
    connection: str
    type: Literal["disconnect"] = "disconnect"


@dataclass(frozen=True, slots=True, kw_only=True)
class Goodbye:
    """Close every connection and end the sidecar; the answer is its last word."""

    id: int
    reason: str
    type: Literal["goodbye"] = "goodbye"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetch:
    """Ask for the newest pictures: those behind `after` if they decode, else from a keyframe.

    Waits up to `timeout` seconds until there is one newer than `after`, and than `past`, in stream
    number `stream`; when that has ended the answer is empty at once. With `most`, ask for the next
    so many behind `after`, and leave none out that is still there. With `seconds`, ask for that
    much of the past instead, from the keyframe before it; nothing is waited for. With both, ask for
    the first `most` of that, the answer's `number` being the seq of its last.
    """

    id: int
    connection: str
    stream: int = 0
    after: int = 0
    past: int = 0
    most: int = 0
    seconds: float = 0
    timeout: float = 0
    type: Literal["fetch"] = "fetch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """Ask how the network from the service is: the answer's `number` packets came, `lost` did not.

    Both count from when the pictures' way was opened, which is anew after a repair.
    """

    id: int
    connection: str
    timeout: float
    type: Literal["traffic"] = "traffic"


@dataclass(frozen=True, slots=True, kw_only=True)
class Admit:
    """Let one page of `origin` look at a connection through a socket of the sidecar's own.

    It shows `token` within `timeout` seconds, and is shown that the sidecar knows `secret`. The
    answer's `number` is the port on 127.0.0.1.
    """

    id: int
    connection: str
    origin: str
    token: str = field(repr=False)
    secret: str = field(repr=False)
    timeout: float
    type: Literal["admit"] = "admit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscribe:
    """Send pictures from the newest keyframe on, at most `credit` of them until more is granted."""

    connection: str
    credit: int
    type: Literal["subscribe"] = "subscribe"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credit:
    """The kernel has taken `pictures` more off the link."""

    connection: str
    pictures: int
    type: Literal["credit"] = "credit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsubscribe:
    """Send no more pictures."""

    connection: str
    type: Literal["unsubscribe"] = "unsubscribe"


@dataclass(frozen=True, slots=True, kw_only=True)
class WantKeyframe:
    """Somebody behind the kernel cannot decode."""

    connection: str
    type: Literal["want_keyframe"] = "want_keyframe"


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One encoded picture.

    `seq` counts from 1 within stream number `stream`; `follows` is the seq it builds on, 0 for a
    keyframe. `time` is in seconds since the stream's first picture, `received` seconds since the
    epoch.
    """

    connection: str
    stream: int
    seq: int
    follows: int
    time: float
    received: float
    data: bytes = field(repr=False)
    type: Literal["picture"] = "picture"

    @property
    def key(self) -> bool:
        """Whether decoding can start here."""
        return self.follows == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """Something that happened to stream number `stream`, at `time` of its pictures.

    Of `kind` "start", "continued", "interact", "mark" or "reconnected"; `at` is in seconds since
    the epoch, and grows from one to the next. So is `sent`, when a prompt was handed to the
    service, which acknowledged it `at`; 0 where nobody knows. What was read from a file has no
    `connection`, and these on the clock of its pictures.
    """

    connection: str = ""
    stream: int
    time: float
    at: float = 0
    sent: float = 0
    kind: str
    text: str  # the applied prompt, the mark's words, or how it was reconnected or continued
    type: Literal["happening"] = "happening"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What became of request `id`: `error` is empty or the code of an error."""

    id: int
    error: str = ""
    message: str = ""
    hint: str = ""
    text: str = ""
    number: int = 0
    lost: int = 0
    time: float = 0
    pictures: list[Picture] = field(default_factory=list)
    happenings: list[Happening] = field(default_factory=list)
    type: Literal["answer"] = "answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusChanged:
    """A connection moved; `message` says more to a human, and `code` names the error it is."""

    connection: str
    status: str
    message: str = ""
    hint: str = ""
    code: str = ""
    type: Literal["status_changed"] = "status_changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionGranted:
    """The service reserved `session_id`, for so many seconds in all.

    Each of its streams lasts `stream_seconds`, and it may have none for `idle_seconds`. With
    `image_to_video` they may start from an image.
    """

    connection: str
    session_id: str
    signaling_url: str = ""
    stream_seconds: float
    connection_seconds: float
    idle_seconds: float
    image_to_video: bool = False
    type: Literal["session_granted"] = "session_granted"


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamChanged:
    """A stream began, took a prompt or ended (`state` none); `reason` says why it ended.

    `extends` is a word of `Extension`. `continues` says past which limit one goes on as another:
    told when the one ends, and as the other begins. `sent` is when the prompt was, in seconds since
    the epoch; 0 where none was.
    """

    connection: str
    stream: int
    state: str
    stream_id: str = ""
    prompt: str = ""
    reason: str = ""
    message: str = ""
    extends: str = ""
    continues: str = ""
    sent: float = 0
    type: Literal["stream_changed"] = "stream_changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class BroadcastStarted:
    """Others can watch stream number `stream`; `playlist` and `page` are empty where there is none.

    All three addresses are opened by `token`, which is in the last two.
    """

    connection: str
    stream: int
    url: str
    token: str = field(repr=False)
    playlist: str = field(default="", repr=False)
    page: str = field(default="", repr=False)
    type: Literal["broadcast_started"] = "broadcast_started"


@dataclass(frozen=True, slots=True, kw_only=True)
class Clocks:
    """When what ends, in epoch seconds; 0: it does not, or there is nothing to end.

    `idle_since` is when the last stream ended that has no successor, and `idle_ends` when the
    connection ends for that. `budget_ends` is when what the user allowed is used up.
    """

    connection: str
    stream_ends: float = 0
    connection_ends: float = 0
    idle_since: float = 0
    idle_ends: float = 0
    budget_ends: float = 0
    type: Literal["clocks"] = "clocks"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A page that looks on without the kernel is visible; it says so every few seconds."""

    connection: str
    type: Literal["seen"] = "seen"


Command = (
    Start | Continue | Allow | Interact | Mark | End | Fetch | Traffic
)  # of one connection; each is answered
Request = Connect | Watch | Command | Disconnect | Goodbye | Admit
FromKernel = Hello | Request | Subscribe | Credit | Unsubscribe | WantKeyframe
Event = (
    StatusChanged | SessionGranted | StreamChanged | BroadcastStarted | Happening | Clocks | Seen
)
FromSidecar = Hello | Answer | Picture | Event

from_kernel: Codec[FromKernel] = Codec(
    Hello, Connect, Watch, Start, Continue, Allow, Interact, Mark, End, Disconnect, Goodbye,
    Fetch, Traffic, Admit, Subscribe, Credit, Unsubscribe, WantKeyframe,
)  # fmt: skip
from_sidecar: Codec[FromSidecar] = Codec(
    Hello, Answer, Picture, StatusChanged, SessionGranted, StreamChanged, BroadcastStarted,
    Happening, Clocks, Seen,
)  # fmt: skip
