"""Messages of the signaling WebSocket (protocol section 3)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

from odyssey_nb.wire.codec import Codec, UnsignedShort
from odyssey_nb.wire.stream import InteractiveStreamStart


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """The streamer's session description; exactly one per socket."""

    sdp: str
    type: Literal["offer"] = "offer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The client's session description."""

    sdp: str
    type: Literal["answer"] = "answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class IceCandidate:
    """One trickled candidate; an empty `candidate` says that there are no more."""

    candidate: str = ""
    sdpMid: str | None = None
    sdpMLineIndex: UnsignedShort | None = None
    type: Literal["ice_candidate"] = "ice_candidate"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalingProblem:
    """A fatal problem, told before the server closes the socket."""

    reason: str = "unknown"
    type: Literal["error"] = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepAlive:
    """A sign of life, every 10 s."""

    type: Literal["keepalive"] = "keepalive"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientDisconnecting:
    """The client leaves on purpose; its slot is free at once."""

    type: Literal["client_disconnecting"] = "client_disconnecting"


class CloseCode(IntEnum):
    """Why a socket was closed (protocol section 3.6)."""

    NORMAL = 1000
    BAD_TOKEN = 4001
    UNKNOWN_SESSION = 4004
    HEARTBEAT = 4008
    IDLE = 4009
    DURATION = 4010
    REPLACED = 4013
    QUOTA = 4029
    STREAMER_LOST = 4503


ENDED_BY_OWNER = "ended_by_owner"  # a problem's reason: the account ended it, but not its client

# What a problem's reason, or a stream's, says of the limit that is reached.
LIMITS = {
    "session_timeout": "the stream's limit",
    "duration_limit_reached": "the connection's limit",
}

FromServer = Offer | IceCandidate | SignalingProblem
FromClient = Answer | IceCandidate | KeepAlive | ClientDisconnecting | InteractiveStreamStart

from_server: Codec[FromServer] = Codec(Offer, IceCandidate, SignalingProblem)
from_client: Codec[FromClient] = Codec(
    Answer, IceCandidate, KeepAlive, ClientDisconnecting, InteractiveStreamStart
)
