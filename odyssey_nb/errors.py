"""Everything that can go wrong, as one tree.

OdysseyNBError
├── UsageError                   the caller asked for something that cannot be
│   ├── NotConnectedError        there is no connection of that name
│   ├── NoStreamError            there is no active stream
│   ├── StreamActiveError        a stream is already active
│   ├── EmptyPromptError         the prompt has no words
│   ├── ImageError               the image cannot be read, or this world takes none
│   ├── ScriptError              a simulation's script breaks a rule
│   ├── CannotCancelError        the simulation has gone too far to be called off
│   ├── SweepBusyError           somebody runs the sweep already
│   ├── UnknownVerbError         no such verb
│   ├── UnknownWorldError        no such world
│   └── SettingError             a setting has a value it cannot have
├── AuthError                    the key or token was refused
│   └── PrivilegeError           the account may not do that
├── ConnectError                 the service could not be reached or did not behave
│   ├── NegotiationError         signaling or WebRTC did not come up
│   └── ServiceStartError        the local service did not start
├── NotFoundError                there is no such thing, or it is somebody else's
├── WatchError                   a broadcast cannot be watched
│   ├── SpectatorTokenError      its token is another
│   ├── BroadcastEndedError      there is no such broadcast, or not any more
│   └── BroadcastFullError       it has as many spectators as it may have
├── CrowdError                   others cannot steer the stream
├── NoStreamerError              no streamer became free in time
├── LimitError                   the account's limits refuse it
│   ├── ConcurrentLimitError     too many connections at once
│   ├── MonthlyLimitError        the month's hours are used up
│   ├── StreamLimitError         the stream is longer than the account allows
│   ├── BudgetError              the minutes that the user allowed are used up
│   ├── SuspendedError           the account is suspended
│   ├── RateLimitError           too many requests
│   └── SimulationQueueError     too many simulations wait or run
├── StreamError                  the world or its streamer refused or failed
├── SimulationError              a simulation did not come to its end
│   ├── SimulationFailedError    it failed
│   └── SimulationCancelledError it was cancelled
├── ConnectionLostError          the connection ended while something waited on it
│   └── EndedOutsideError        somebody else ended it on purpose
├── AnswerTimeoutError           no answer came in time
└── LinkError                    kernel and sidecar lost or misunderstood each other
    └── ForkedProcessError       a forked child used its parent's connection

Messages are lower-case facts; `hint` is the next thing to do; `code` is what travels between
processes.
"""

from __future__ import annotations

import copyreg
from typing import ClassVar


class OdysseyNBError(Exception):
    """Base of all errors that this package raises on purpose."""

    code: ClassVar[str] = "ERROR"
    retryable: ClassVar[bool] = False
    hint: str = ""

    def __init__(self, message: str = "", *, hint: str | None = None) -> None:
        super().__init__(message)
        if hint is not None:
            self.hint = hint

    def __reduce__(self) -> tuple[object, ...]:
        # Unpickling calls the class with `args`, but ours may have arguments of their own.
        return copyreg.__newobj__, (type(self), *self.args), vars(self)  # type: ignore[attr-defined]

    def one_line(self) -> str:
        """Return message and hint as the one line that a cell shows."""
        message = str(self) or type(self).__name__
        return f"{message}. {self.hint}" if self.hint else message


class UsageError(OdysseyNBError):
    """The caller asked for something that cannot be done now."""

    code = "USAGE"


class NotConnectedError(UsageError):
    """There is no open connection of that name."""

    code = "NOT_CONNECTED"
    hint = "Open one with ody.connect() or %odyssey connect."


class NoStreamError(UsageError):
    """There is no active stream."""

    code = "NO_STREAM"
    hint = 'Start one with conn.start("a prompt") or %odyssey start "a prompt".'


class StreamActiveError(UsageError):
    """A stream is already active on this connection."""

    code = "STREAM_ACTIVE"
    hint = "End it first, or steer it with interact()."


class EmptyPromptError(UsageError):
    """The prompt has no words."""

    code = "EMPTY_PROMPT"
    hint = 'Describe the world in words, for example "a misty forest at dawn".'

    def __init__(self, message: str = "the prompt is empty", *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)


class ImageError(UsageError):
    """The image cannot be read, is too large, or this world starts from none."""

    code = "INVALID_IMAGE"


NO_IMAGES = "streams of this service start from no image"


class ScriptError(UsageError):
    """A simulation's script breaks a rule; the message names the script, entry or line."""

    code = "SCRIPT"
    hint = "Begin with `0 start …`, interact in between, and end the last line with `SECONDS end`."


class CannotCancelError(UsageError):
    """The simulation is under way or over already."""

    code = "CANNOT_CANCEL"
    hint = "Only simulations that have not made a picture yet can be cancelled."


class SweepBusyError(UsageError):
    """Another kernel or thread runs this sweep now."""

    code = "SWEEP_BUSY"
    hint = 'Interrupt it there, or run one of your own: ody.sweep(…, name="other").'


class UnknownVerbError(UsageError):
    """No verb of that name."""

    code = "UNKNOWN_VERB"


class UnknownWorldError(UsageError):
    """No installed package offers a world of that name."""

    code = "UNKNOWN_WORLD"

    def __init__(self, name: str, known: list[str]) -> None:
        super().__init__(f"there is no world called {name!r}", hint=f"Known: {', '.join(known)}.")


class SettingError(UsageError):
    """A setting has a value that it cannot have."""

    code = "SETTING"


class AuthError(OdysseyNBError):
    """The service refused the API key or token."""

    code = "AUTH"
    hint = (
        "Check ODYSSEY_API_KEY, give another key to ody.login(), or use the local service with "
        "ody.connect(local=True)."
    )


class PrivilegeError(AuthError):
    """The account may not do that."""

    code = "PRIVILEGE"
    hint = "Leave bypass_expansion out, or ask the service's operator for the privilege."


class ConnectError(OdysseyNBError):
    """The service could not be reached, or did not speak the protocol."""

    code = "CONNECT"
    retryable = True
    hint = "Check that the service runs and that its URL is right."


class NegotiationError(ConnectError):
    """Signaling or the WebRTC peer connection did not come up."""

    code = "NEGOTIATION"
    hint = "Try again; if it stays, UDP may be blocked between here and the service."


class ServiceStartError(ConnectError):
    """The local service did not start."""

    code = "SERVICE_START"
    hint = "Run `odyssey-nb serve` in a terminal to see why."


class NotFoundError(OdysseyNBError):
    """There is no such thing, or it is somebody else's."""

    code = "NOT_FOUND"
    hint = "ody.recordings() and ody.sessions() list what is yours."


class WatchError(OdysseyNBError):
    """A broadcast cannot be watched."""

    code = "WATCH"
    hint = "Ask the stream's owner whether it still runs: stream.broadcast has its link."


class SpectatorTokenError(WatchError):
    """The spectator token is not the broadcast's."""

    code = "SPECTATOR_TOKEN"
    hint = "Copy url and token anew from the owner's stream.broadcast; each stream has its own."


class BroadcastEndedError(WatchError):
    """There is no such broadcast, or not any more."""

    code = "BROADCAST_ENDED"
    hint = "Each stream has a link of its own: ask its owner for that of the stream that runs now."


class BroadcastFullError(WatchError):
    """The broadcast has as many spectators as it may have."""

    code = "BROADCAST_FULL"
    retryable = True
    hint = "Try again when somebody has left, or watch its page, which can play HLS."


class CrowdError(OdysseyNBError):
    """Others cannot steer the stream, or not any more."""

    code = "CROWD"
    hint = 'Start one that others can watch: ody.start("a quiet village", broadcast=True).'


class NoStreamerError(OdysseyNBError):
    """No streamer became free in time."""

    code = "NO_STREAMER"
    retryable = True
    hint = "End another session (ody.sessions() lists yours), or try again in a moment."


class LimitError(OdysseyNBError):
    """The account's limits refuse the request."""

    code = "LIMIT"
    retry_after: float | None = None  # seconds, where the service says


class ConcurrentLimitError(LimitError):
    """The account already has as many connections as it may."""

    code = "CONCURRENT_LIMIT_REACHED"
    hint = "End another session: ody.sessions() lists yours."


class MonthlyLimitError(LimitError):
    """The month's hours are used up."""

    code = "MONTHLY_LIMIT_REACHED"
    hint = "Wait for the next period or raise the limit."


class StreamLimitError(LimitError):
    """The stream reached the longest time that the account allows."""

    code = "STREAM_DURATION_EXCEEDED"
    hint = "Start another stream; the connection stays open."


class BudgetError(LimitError):
    """The minutes that the user allowed, for a connection or for a day, are used up."""

    code = "BUDGET"
    hint = "Connect again with a larger budget: ody.connect(budget=30)."


class SuspendedError(LimitError):
    """The account is suspended."""

    code = "ACCOUNT_SUSPENDED"
    hint = "Contact the operator of the service."


class RateLimitError(LimitError):
    """Too many requests in a short time."""

    code = "RATE_LIMITED"
    retryable = True
    hint = "Wait a moment and try again."


class SimulationQueueError(LimitError):
    """As many simulations wait or run as the account may have."""

    code = "SIMULATION_QUEUE_FULL"
    retryable = True
    hint = "Wait for one to end, or cancel one: ody.simulations() lists yours."


class StreamError(OdysseyNBError):
    """The world or its streamer refused the request or failed."""

    code = "STREAM"
    hint = "Start the stream again."


class SimulationError(OdysseyNBError):
    """A simulation did not come to its end."""

    code = "SIMULATION"


class SimulationFailedError(SimulationError):
    """A simulation failed; the message is the service's."""

    code = "SIMULATION_FAILED"
    hint = "What its script had finished before is in .recordings."


class SimulationCancelledError(SimulationError):
    """A simulation was cancelled before it began."""

    code = "SIMULATION_CANCELLED"


class ConnectionLostError(OdysseyNBError):
    """The connection ended while something waited on it."""

    code = "CONNECTION_LOST"
    retryable = True
    hint = "Connect again with ody.connect()."


class EndedOutsideError(ConnectionLostError):
    """Somebody else ended the session on purpose, so nobody should open it again unasked."""

    code = "ENDED_OUTSIDE"
    retryable = False


class AnswerTimeoutError(OdysseyNBError):
    """No answer came in time."""

    code = "TIMEOUT"
    retryable = True
    hint = "Try again; ody.sessions() shows whether the connection is alive."


class LinkError(OdysseyNBError):
    """Kernel and sidecar lost or misunderstood each other."""

    code = "LINK"
    hint = "Connect again with ody.connect(); restart the kernel if it stays."


class ForkedProcessError(LinkError):
    """A forked child used a connection that belongs to its parent process."""

    code = "FORKED"
    hint = "Use connections in the process that opened them; open another one here."


def _tree(root: type[OdysseyNBError]) -> dict[str, type[OdysseyNBError]]:
    found = {root.code: root}
    for branch in root.__subclasses__():
        found |= _tree(branch)
    return found


def from_code(code: str, message: str, hint: str) -> OdysseyNBError:
    """Return the error that `code` names, so that the other process raises the same class."""
    kind = _tree(OdysseyNBError).get(code, OdysseyNBError)
    error = kind.__new__(kind)
    OdysseyNBError.__init__(error, message, hint=hint)
    return error
