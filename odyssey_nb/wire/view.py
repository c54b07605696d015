"""Messages between a page and the sidecar, on a socket of their own: a view that needs no kernel.

The page speaks first, with `Enter`; after the sidecar's `Welcome` both use messages of the link as
JSON texts. Pictures come as binary frames.
"""

from __future__ import annotations

import hmac
import json
import struct
from dataclasses import dataclass, field
from typing import Literal

from odyssey_nb.wire.codec import Codec
from odyssey_nb.wire.link import (
    Answer,
    Clocks,
    Continue,
    Credit,
    Disconnect,
    End,
    Happening,
    Interact,
    Mark,
    Picture,
    Seen,
    StatusChanged,
    StreamChanged,
    Subscribe,
    Traffic,
    Unsubscribe,
    WantKeyframe,
)

_LENGTH = struct.Struct(">I")


@dataclass(frozen=True, slots=True, kw_only=True)
class Enter:
    """The page's first word: the token that it got through the kernel, and any words to prove."""

    token: str = field(repr=False)
    nonce: str
    type: Literal["enter"] = "enter"


@dataclass(frozen=True, slots=True, kw_only=True)
class Welcome:
    """The sidecar's first word; `proof` shows that it has the secret which the page has."""

    proof: str
    type: Literal["welcome"] = "welcome"


# No `Start`: the kernel, which knows what a connection was opened with, also opens it again.
FromPage = (
    Enter
    | Continue
    | Interact
    | Mark
    | Traffic
    | End
    | Disconnect
    | Subscribe
    | Credit
    | Unsubscribe
    | WantKeyframe
    | Seen
)
ToPage = Welcome | Answer | StatusChanged | StreamChanged | Happening | Clocks

from_page: Codec[FromPage] = Codec(
    Enter,
    Continue,
    Interact,
    Mark,
    Traffic,
    End,
    Disconnect,
    Subscribe,
    Credit,
    Unsubscribe,
    WantKeyframe,
    Seen,
)
to_page: Codec[ToPage] = Codec(Welcome, Answer, StatusChanged, StreamChanged, Happening, Clocks)


def prove(secret: str, nonce: str) -> str:
    """Return what only who knows `secret` can say to `nonce`: HMAC-SHA-256 in hexadecimal."""
    return hmac.digest(secret.encode(), nonce.encode(), "sha256").hex()


def pack(picture: Picture, sent: float) -> bytes:
    """Return a picture's binary frame: the length of its header (32 bits), header, H.264 data.

    `sent` is in milliseconds since the epoch, as is the header's `came`, when it was received.
    """
    header = json.dumps(
        {
            "stream": picture.stream,
            "seq": picture.seq,
            "follows": picture.follows,
            "key": picture.key,
            "time": picture.time,
            "came": picture.received * 1000,
            "sent": sent,
        }
    ).encode()
    return b"".join((_LENGTH.pack(len(header)), header, picture.data))
