"""Messages between the service's control plane and its streamer processes.

Signaling and stream messages pass through unchanged; these are the ones that only we need.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from odyssey_nb.wire.codec import Codec
from odyssey_nb.wire.control import IceServer
from odyssey_nb.wire.signaling import Answer, IceCandidate, Offer
from odyssey_nb.wire.stream import InteractiveStreamError, InteractiveStreamStart


@dataclass(frozen=True, slots=True, kw_only=True)
class Negotiate:
    """Build the peer for a session and offer.

    Each stream is recorded in a folder of `media`; with an empty one nothing is. Those that are
    broadcast leave their segments in a folder of `broadcasts`, and are found below `origin`.
    """

    session_id: str
    world: str
    media: str = ""
    broadcasts: str = ""
    origin: str = ""
    spectators: int = 0  # of one stream, at most
    join_seconds: float = 30  # what a spectator gets to connect
    ice_servers: list[IceServer] = field(default_factory=list)
    type: Literal["negotiate"] = "negotiate"


@dataclass(frozen=True, slots=True, kw_only=True)
class AskStart:
    """May a stream start? `number` finds the answer again."""

    number: int
    bypass_expansion: bool = False
    type: Literal["ask_start"] = "ask_start"


@dataclass(frozen=True, slots=True, kw_only=True)
class StartDecision:
    """The answer to an `AskStart`.

    Either it is refused, for `refused`, or it may run for `seconds` (0: as long as it likes) and
    then ends for `ends_for`. Both are reasons of protocol section 5.2.
    """

    number: int = 0
    refused: str = ""
    message: str = ""
    seconds: float = 0
    ends_for: str = "session_timeout"
    type: Literal["start_decision"] = "start_decision"


@dataclass(frozen=True, slots=True, kw_only=True)
class EndStream:
    """End the running stream from the service's side, for `reason`."""

    reason: str
    message: str
    type: Literal["end_stream"] = "end_stream"


class NotAdmitted(StrEnum):
    """Why somebody may not watch."""

    UNKNOWN = "unknown"  # there is no such broadcast, or not any more
    WRONG_TOKEN = "wrong_token"
    FULL = "full"
    NOT_UNDERSTOOD = "not_understood"  # the offer is no SDP, or wants no H.264
    LATE = "late"  # the streamer did not answer in time


@dataclass(frozen=True, slots=True, kw_only=True)
class SpectatorOffer:
    """Somebody wants to watch the broadcast of a stream; `id` names them from now on."""

    id: str
    stream_id: str
    sdp: str
    type: Literal["spectator_offer"] = "spectator_offer"


@dataclass(frozen=True, slots=True, kw_only=True)
class DismissSpectator:
    """A spectator leaves, or does not wait for an answer any more."""

    id: str
    type: Literal["dismiss_spectator"] = "dismiss_spectator"


@dataclass(frozen=True, slots=True, kw_only=True)
class BroadcastBegan:
    """Who has the token may watch a stream."""

    stream_id: str
    token: str = field(repr=False)
    type: Literal["broadcast_began"] = "broadcast_began"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpectatorAnswer:
    """The answer to a `SpectatorOffer`, or why there is none."""

    id: str
    sdp: str = ""
    refused: NotAdmitted | None = None
    type: Literal["spectator_answer"] = "spectator_answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpectatorGone:
    """A spectator who was answered does not watch any more, or never came."""

    id: str
    stream_id: str
    type: Literal["spectator_gone"] = "spectator_gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """The streamer process is warm: everything slow is imported."""

    type: Literal["ready"] = "ready"


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerConnected:
    """Media and data channels are up."""

    type: Literal["peer_connected"] = "peer_connected"


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerLost:
    """The peer connection failed; the signaling socket or its clock decides what follows."""

    type: Literal["peer_lost"] = "peer_lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamBegan:
    """A stream runs."""

    stream_id: str
    prompt: str
    width: int
    height: int
    type: Literal["stream_began"] = "stream_began"


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSteered:
    """The world took a prompt."""

    prompt: str
    type: Literal["stream_steered"] = "stream_steered"


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamPaced:
    """The session's streams, now and later ones, are encoded for so many bit/s, at that rate."""

    bitrate: int
    pictures_per_second: float
    type: Literal["stream_paced"] = "stream_paced"


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamOver:
    """A stream ended for `reason`; every picture was encoded once, whoever watched."""

    stream_id: str
    reason: str
    pictures_total: int
    encodes_total: int
    type: Literal["stream_over"] = "stream_over"


FromControl = (
    Negotiate
    | StartDecision
    | EndStream
    | SpectatorOffer
    | DismissSpectator
    | Answer
    | IceCandidate
    | InteractiveStreamStart
)
FromStreamer = (
    Ready
    | Offer
    | IceCandidate
    | PeerConnected
    | PeerLost
    | AskStart
    | StreamBegan
    | StreamSteered
    | StreamPaced
    | StreamOver
    | BroadcastBegan
    | SpectatorAnswer
    | SpectatorGone
    | InteractiveStreamError
)

from_control: Codec[FromControl] = Codec(
    Negotiate,
    StartDecision,
    EndStream,
    SpectatorOffer,
    DismissSpectator,
    Answer,
    IceCandidate,
    InteractiveStreamStart,
)
from_streamer: Codec[FromStreamer] = Codec(
    Ready,
    Offer,
    IceCandidate,
    PeerConnected,
    PeerLost,
    AskStart,
    StreamBegan,
    StreamSteered,
    StreamPaced,
    StreamOver,
    BroadcastBegan,
    SpectatorAnswer,
    SpectatorGone,
    InteractiveStreamError,
)
