"""The states of a connection and of a stream, and the only legal moves between them."""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """A connection's state, in the words of the official SDKs (protocol section 9.1)."""

    DISCONNECTED = "disconnected"
    AUTHENTICATING = "authenticating"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    RECONNECTING = "reconnecting"
    FAILED = "failed"


class StreamState(StrEnum):
    """A stream's state within its connection."""

    NONE = "none"
    STARTING = "starting"
    STREAMING = "streaming"
    ENDING = "ending"


class Extension(StrEnum):
    """Past how many limits a stream goes on, as another stream."""

    NONE = ""
    ONCE = "once"
    ALWAYS = "always"


MOVES: dict[Status, frozenset[Status]] = {
    Status.DISCONNECTED: frozenset({Status.AUTHENTICATING, Status.CONNECTING}),
    Status.AUTHENTICATING: frozenset({Status.CONNECTING, Status.FAILED, Status.DISCONNECTED}),
    Status.CONNECTING: frozenset({Status.CONNECTED, Status.FAILED, Status.DISCONNECTED}),
    Status.CONNECTED: frozenset({Status.RECONNECTING, Status.FAILED, Status.DISCONNECTED}),
    Status.RECONNECTING: frozenset({Status.CONNECTED, Status.FAILED, Status.DISCONNECTED}),
    Status.FAILED: frozenset({Status.AUTHENTICATING, Status.CONNECTING, Status.DISCONNECTED}),
}

STREAM_MOVES: dict[StreamState, frozenset[StreamState]] = {
    StreamState.NONE: frozenset({StreamState.STARTING}),
    StreamState.STARTING: frozenset({StreamState.STREAMING, StreamState.NONE}),
    StreamState.STREAMING: frozenset({StreamState.ENDING, StreamState.NONE}),
    StreamState.ENDING: frozenset({StreamState.NONE}),
}


class IllegalMoveError(AssertionError):
    """A state machine was asked for a move that its table does not have."""


def advance(now: Status, to: Status) -> Status:
    """Return `to` if it may follow `now`; compared by value, so reloads do no harm."""
    if str(to) not in {str(each) for each in MOVES[Status(str(now))]}:
        raise IllegalMoveError(f"connection: {now} -> {to}")
    return to


def advance_stream(now: StreamState, to: StreamState) -> StreamState:
    """Return `to` if a stream may move there from `now`."""
    if str(to) not in {str(each) for each in STREAM_MOVES[StreamState(str(now))]}:
        raise IllegalMoveError(f"stream: {now} -> {to}")
    return to
