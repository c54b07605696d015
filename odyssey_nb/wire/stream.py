"""Messages of the two data channels (protocol section 5)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from odyssey_nb.wire.codec import Codec

CLIENT_TO_STREAMER = "clientToStreamer"
STREAMER_TO_CLIENT = "streamerToClient"

LANDSCAPE = (1280, 704)  # width, height in pixels (protocol section 6)
PORTRAIT = (704, 1280)
PICTURES_PER_SECOND = 20  # one per 50 ms: model overview page (protocol section 8)
LARGEST_IMAGE = 25 * 1024 * 1024  # bytes of an encoded image (protocol section 6)

LONGEST_MARK = 200  # characters


@dataclass(frozen=True, slots=True, kw_only=True)
class InteractiveStreamStart:
    """Begin a stream."""

    prompt: str = ""
    portrait: bool = True
    input_image_base64: str | None = None
    broadcast: bool = False
    bypass_vlm_expansion: bool | None = None
    type: Literal["interactive_stream_start"] = "interactive_stream_start"


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """Steer the running stream."""

    prompt: str
    type: Literal["update"] = "update"


@dataclass(frozen=True, slots=True, kw_only=True)
class InteractiveStreamEnd:
    """End the running stream."""

    type: Literal["interactive_stream_end"] = "interactive_stream_end"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Remember this moment of the running stream. Our own addition: others ignore it unanswered."""

    text: str = ""
    type: Literal["mark"] = "mark"


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamStarted:
    """The first picture is encoded; `applied_prompt` is what the world took."""

    stream_id: str
    applied_prompt: str | None = None
    type: Literal["stream_started"] = "stream_started"


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateAcknowledged:
    """The prompt acts from now on; `prompt` is what the world took."""

    prompt: str
    type: Literal["update_acknowledged"] = "update_acknowledged"


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamEnded:
    """The stream is over; may come unasked."""

    type: Literal["stream_ended"] = "stream_ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class BroadcastReady:
    """Others can watch: by WHEP at ``{webrtc_url}/whep``, by HLS at `broadcast_url` if given.

    `watch_url` is our own addition, which others ignore: a page for people without a notebook.
    """

    webrtc_url: str
    spectator_token: str = field(repr=False)
    broadcast_url: str | None = field(default=None, repr=False)  # the token is in it
    watch_url: str | None = field(default=None, repr=False)  # and in this
    type: Literal["broadcast_ready"] = "broadcast_ready"


@dataclass(frozen=True, slots=True, kw_only=True)
class InteractiveStreamError:
    """A start or update was refused, or the stream failed."""

    reason: str = "unknown"
    message: str = ""
    type: Literal["interactive_stream_error"] = "interactive_stream_error"


FromClient = InteractiveStreamStart | Update | InteractiveStreamEnd | Mark
FromStreamer = (
    StreamStarted | UpdateAcknowledged | StreamEnded | BroadcastReady | InteractiveStreamError
)

from_client: Codec[FromClient] = Codec(InteractiveStreamStart, Update, InteractiveStreamEnd, Mark)
from_streamer: Codec[FromStreamer] = Codec(
    StreamStarted, UpdateAcknowledged, StreamEnded, BroadcastReady, InteractiveStreamError
)
