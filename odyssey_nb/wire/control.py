"""Bodies of the HTTP API (protocol section 2)."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyExchange:
    """``POST /auth/token``."""

    api_key: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessToken:
    """The answer to `KeyExchange`; `expires_in` in seconds."""

    access_token: str = field(repr=False)
    expires_in: float = 3600
    token_type: object = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """A place that could serve us; `ping_url` answers any GET."""

    id: str
    ping_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Regions:
    """``GET /regions``."""

    regions: list[Region] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRequest:
    """``POST /sessions/request``; latencies in whole milliseconds by region id."""

    region_latencies: dict[str, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What the reserved streamer can do."""

    image_to_video: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionGrant:
    """A reserved streamer. The API spells ``signalling_url`` with two l (protocol section 0.2).

    Only what is needed is looked at closely: whoever cannot read a grant cannot give it back.
    """

    session_id: str
    signalling_url: str
    capabilities: object = None  # as `Capabilities`; anything else means none (section 2.4)
    model: object = None
    region: object = None
    stream_seconds: object = None  # our addition: how long each stream may last
    connection_seconds: object = None  # our addition: how long the session may, from its socket on
    idle_seconds: object = None  # our addition: how long it may without a stream

    @property
    def image_to_video(self) -> bool:
        """Whether streams may start from an image."""
        return isinstance(self.capabilities, dict) and bool(self.capabilities.get("image_to_video"))

    @property
    def longest_stream(self) -> float | None:
        """How long each stream may last, in seconds; None where the service does not tell."""
        return _seconds(self.stream_seconds)

    @property
    def longest_connection(self) -> float | None:
        """How long the session may last, in seconds; None where the service does not tell."""
        return _seconds(self.connection_seconds)

    @property
    def longest_idle(self) -> float | None:
        """How long it may have no stream, in seconds; None where the service does not tell."""
        return _seconds(self.idle_seconds)


def _seconds(told: object) -> float | None:
    return float(told) if isinstance(told, (int, float)) and told > 0 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionTokenRequest:
    """``POST /sessions/token``."""

    session_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionToken:
    """A JWT that opens the session's signaling socket; `expires_in` in seconds."""

    session_token: str = field(repr=False)
    expires_in: float = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class IceServer:
    """One entry of the ICE configuration."""

    urls: str | list[str]
    username: str | None = None
    credential: str | None = field(default=None, repr=False)

    @property
    def relays(self) -> bool:
        """Whether it is a TURN server."""
        urls = [self.urls] if isinstance(self.urls, str) else self.urls
        return any(each.startswith("turn") for each in urls)


@dataclass(frozen=True, slots=True, kw_only=True)
class IceConfig:
    """``GET {signaling}/config``; the field's name is the browser API's."""

    iceServers: list[IceServer] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageProblem:
    """The body of a 429 (protocol section 2.11)."""

    error: str
    message: str
    action: str
    action_url: str = ""
    details: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageRefusal:
    """A refusal with 429."""

    detail: UsageProblem


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Any other refusal, in words."""

    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Invalid:
    """A refusal with 422: in words, or one entry for each parameter that is wrong."""

    detail: str | list[dict[str, object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionInfo:
    """One live session, as ``GET /sessions`` lists it; seconds since it began.

    `idle_seconds` counts from the last prompt or the last stream's end. `address` and `port` are
    the far end of its signaling socket, none while it has no socket: by them its owner finds the
    process that holds it. `clocks` says how many seconds are left until it ends for which reason;
    ``session_timeout`` is the end of its stream alone.
    """

    session_id: str
    state: str
    seconds: float
    stream_id: str | None = None
    stream_seconds: float | None = None
    prompt: str | None = None
    idle_seconds: float = 0
    address: str | None = None
    port: int | None = None
    clocks: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sessions:
    """``GET /sessions``: the caller's live sessions. Our own addition to the protocol."""

    sessions: list[SessionInfo] = field(default_factory=list)
