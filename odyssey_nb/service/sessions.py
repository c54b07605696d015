"""The table of sessions: who holds a streamer, and which clock may take it away.

Pure bookkeeping over a clock that is passed in; sockets and processes belong to others, who are
told by `on_end`. The clocks are those of protocol section 8.1.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from odyssey_nb.wire import signaling
from odyssey_nb.wire.control import SessionInfo
from odyssey_nb.wire.signaling import CloseCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from odyssey_nb.service.limits import Limits


class SessionState(StrEnum):
    """How far a session has come."""

    RESERVED = "reserved"
    NEGOTIATING = "negotiating"
    CONNECTED = "connected"


# A streamer ends its streams at their limit by itself; one that is this late does not answer.
STUCK_SECONDS = 10.0
STREAM_LIMIT = "session_timeout"  # what ends a stream, and its session where that is wanted


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a session ends, and what its socket is told; `told` empty means nothing to say."""

    reason: str
    told: str = ""
    code: CloseCode = CloseCode.NORMAL


LEFT = Ending("client_disconnecting")
RESERVATION = Ending("reservation_expired", "streamer_not_available", CloseCode.UNKNOWN_SESSION)
RECLAIMED = Ending("reservation_reclaimed", "streamer_not_available", CloseCode.UNKNOWN_SESSION)
NEGOTIATION = Ending("negotiation_timeout", "streamer_not_available", CloseCode.STREAMER_LOST)
HEARTBEAT = Ending("heartbeat_timeout", "heartbeat_timeout", CloseCode.HEARTBEAT)
LOST_SOCKET = Ending("socket_lost")
IDLE = Ending("idle_timeout", "idle_timeout", CloseCode.IDLE)
STREAM_DURATION = Ending(STREAM_LIMIT, STREAM_LIMIT, CloseCode.DURATION)
DURATION = Ending("duration_limit_reached", "duration_limit_reached", CloseCode.DURATION)
PEER_LOST = Ending("peer_lost", "streamer_disconnected", CloseCode.STREAMER_LOST)
STREAMER_STUCK = Ending("streamer_stuck", "streamer_disconnected", CloseCode.STREAMER_LOST)
STREAMER_LOST = Ending("streamer_lost", "streamer_disconnected", CloseCode.STREAMER_LOST)
SHUTDOWN = Ending("service_shutdown", "streamer_disconnected", CloseCode.STREAMER_LOST)
SUSPENDED = Ending("account_suspended", "account_suspended", CloseCode.QUOTA)
KEYS_REVOKED = Ending("keys_revoked", "keys_revoked", CloseCode.BAD_TOKEN)
ENDED_BY_OWNER = Ending(
    signaling.ENDED_BY_OWNER, signaling.ENDED_BY_OWNER, CloseCode.UNKNOWN_SESSION
)


@dataclass(slots=True, eq=False)
class Session:
    """One reserved streamer. Times are the table's clock, in seconds."""

    id: str
    account: str
    created: float
    state: SessionState = SessionState.RESERVED
    opened: float | None = None  # first socket
    heard: float = 0.0  # last sign of life
    socket_lost: float | None = None
    peer_lost: float | None = None
    peer: tuple[str, int] | None = None  # address and port of the socket's far end
    idle_since: float = 0.0  # last prompt or last stream's end
    stream_id: str | None = None
    stream_since: float | None = None
    stream_limit: float | None = None  # seconds that its newest stream may last
    prompt: str | None = None
    bitrate: int = 0  # bit/s that its streams are encoded for
    pictures_per_second: float = 0


class TooManySessionsError(Exception):
    """The account holds as many sessions as it may."""

    def __init__(self, active: int, limit: int) -> None:
        super().__init__(active, limit)
        self.active, self.limit = active, limit


class NoFreeStreamerError(Exception):
    """Every streamer is reserved."""


class SessionTable:
    """All live sessions. A session is in the table exactly while it holds a streamer."""

    def __init__(
        self,
        limits: Limits,
        *,
        streamers: int,
        clock: Callable[[], float],
        on_end: Callable[[Session, Ending], None],
        close_on_stream_limit: bool = False,
    ) -> None:
        self.limits = limits
        self._streamers = streamers
        self._clock = clock
        self._on_end = on_end
        self._close_on_stream_limit = close_on_stream_limit
        self._sessions: dict[str, Session] = {}
        self.last_busy = clock()
        self.closed = False  # for good
        self.endings: dict[str, int] = {}  # how many sessions ended for which reason

    def __len__(self) -> int:
        return len(self._sessions)

    def get(self, session_id: str) -> Session | None:
        """Return the live session of that id."""
        return self._sessions.get(session_id)

    def of(self, account: str) -> list[Session]:
        """Return the live sessions of `account`, oldest first."""
        return [each for each in self._sessions.values() if each.account == account]

    def all(self) -> list[Session]:
        """Return every live session, oldest first."""
        return list(self._sessions.values())

    def request(self, account: str, *, limit: int | None = None) -> Session:
        """Reserve a streamer; an account that may hold more or fewer than others has a `limit`.

        An older reservation of the same account that was never opened gives way under pressure.

        Raises:
            TooManySessionsError: The account's limit is reached.
            NoFreeStreamerError: No streamer is free, or the table is closed.
        """
        if self.closed:
            raise NoFreeStreamerError
        limit = self.limits.concurrent_streams if limit is None else limit
        mine = self.of(account)
        if len(mine) >= limit or len(self) >= self._streamers:
            for each in mine:
                waited = self._clock() - each.created
                if each.state == "reserved" and waited >= self.limits.reclaim_seconds:
                    self.end(each.id, RECLAIMED)
                    break
        active = len(self.of(account))
        if active >= limit:
            raise TooManySessionsError(active, limit)
        if len(self) >= self._streamers:
            raise NoFreeStreamerError
        now = self._clock()
        # In digits and a to f, whose beginning is easily typed and never taken for an option.
        session = Session(secrets.token_hex(16), account, created=now, heard=now, idle_since=now)
        self._sessions[session.id] = session
        self.last_busy = now
        return session

    def opened(self, session: Session, peer: tuple[str, int] | None = None) -> bool:
        """A socket was opened, by `peer`; return whether it is the session's first."""
        now = self._clock()
        session.peer = peer
        session.heard, session.socket_lost = now, None
        if session.opened is not None:
            return False
        session.opened = session.idle_since = now
        session.state = SessionState.NEGOTIATING
        return True

    def heard(self, session: Session) -> None:
        """Something arrived on the socket."""
        session.heard = self._clock()

    def connected(self, session: Session) -> None:
        """The peer connection is up."""
        session.state, session.peer_lost = SessionState.CONNECTED, None

    def peer_lost(self, session: Session) -> None:
        """The peer connection is down.

        A client that leaves closes it before it says goodbye, and the official SDKs keep their
        socket alive when it breaks (protocol sections 4.4 and 9.2): it starts a clock.
        """
        if session.peer_lost is None:
            session.peer_lost = self._clock()

    def socket_lost(self, session: Session) -> None:
        """The socket is gone without a goodbye."""
        session.socket_lost, session.peer = self._clock(), None

    def stream_began(self, session: Session, stream_id: str, prompt: str) -> None:
        """A stream runs."""
        session.stream_id, session.prompt = stream_id, prompt
        session.stream_since = session.idle_since = self._clock()

    def steered(self, session: Session, prompt: str) -> None:
        """Its stream took another prompt."""
        session.prompt, session.idle_since = prompt, self._clock()

    def paced(self, session: Session, bitrate: int, pictures_per_second: float) -> None:
        """Its streams, now and later ones, are encoded for so many bit/s, at that rate."""
        session.bitrate, session.pictures_per_second = bitrate, pictures_per_second

    def stream_over(self, session: Session, reason: str = "") -> None:
        """No stream runs any more; `reason` ended it."""
        session.stream_id = session.stream_since = session.prompt = None
        session.idle_since = self._clock()
        if reason == STREAM_LIMIT and self._close_on_stream_limit:
            self.end(session.id, STREAM_DURATION)

    def end(self, session_id: str, ending: Ending) -> bool:
        """Take the session out, which frees its streamer; return whether it was there."""
        session = self._sessions.pop(session_id, None)
        if session is None:
            return False
        self.last_busy = self._clock()
        self.endings[ending.reason] = self.endings.get(ending.reason, 0) + 1
        self._on_end(session, ending)
        return True

    def close(self, ending: Ending) -> None:
        """End every session, and take no other."""
        self.closed = True
        for session in self.all():
            self.end(session.id, ending)

    def sweep(self) -> None:
        """End every session whose clock ran out."""
        for session in self.all():
            ending = self.overdue(session)
            if ending is not None:
                self.end(session.id, ending)

    def overdue(self, session: Session) -> Ending | None:
        """Return which clock of `session` ran out, if any."""
        return next((ending for ending, left in self._clocks(session).items() if left <= 0), None)

    def _clocks(self, session: Session) -> dict[Ending, float]:
        """Return what may end `session`, with the seconds until then; the graver comes first."""
        limits, now = self.limits, self._clock()
        if session.opened is None:
            return {RESERVATION: limits.reservation_seconds - (now - session.created)}
        if session.socket_lost is not None:
            return {LOST_SOCKET: limits.lost_socket_seconds - (now - session.socket_lost)}
        clocks = {}
        if session.peer_lost is not None:
            clocks[PEER_LOST] = limits.lost_socket_seconds - (now - session.peer_lost)
        clocks[HEARTBEAT] = limits.heartbeat_seconds - (now - session.heard)
        if session.state == "negotiating":
            clocks[NEGOTIATION] = limits.negotiation_seconds - (now - session.opened)
        clocks[DURATION] = limits.connection_seconds - (now - session.opened)
        if session.stream_since is not None:
            longest = session.stream_limit or limits.stream_seconds
            clocks[STREAMER_STUCK] = longest + STUCK_SECONDS - (now - session.stream_since)
        if session.stream_id is None:
            clocks[IDLE] = limits.idle_seconds - (now - session.idle_since)
        return clocks

    def describe(self, session: Session) -> SessionInfo:
        """Return what its owner may see."""
        now = self._clock()
        since = session.stream_since
        clocks = {ending.reason: left for ending, left in self._clocks(session).items()}
        stuck = clocks.pop(STREAMER_STUCK.reason, None)
        if stuck is not None:
            clocks[STREAM_LIMIT] = stuck - STUCK_SECONDS
        return SessionInfo(
            session_id=session.id,
            state=str(session.state),
            seconds=now - session.created,
            stream_id=session.stream_id,
            stream_seconds=None if since is None else now - since,
            prompt=session.prompt,
            idle_seconds=now - session.idle_since,
            address=session.peer[0] if session.peer else None,
            port=session.peer[1] if session.peer else None,
            clocks={reason: max(0.0, left) for reason, left in clocks.items()},
        )
