"""The session table under a clock that the test holds."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
)

from odyssey_nb.service import sessions
from odyssey_nb.service.limits import Limits
from odyssey_nb.service.sessions import (
    Ending,
    NoFreeStreamerError,
    Session,
    SessionTable,
    TooManySessionsError,
)
from odyssey_nb.wire.signaling import CloseCode

LIMITS = Limits(
    concurrent_streams=2, connection_seconds=1000, idle_seconds=300, heartbeat_seconds=40,
    lost_socket_seconds=35, negotiation_seconds=30, reservation_seconds=600, reclaim_seconds=45,
    stream_seconds=2000,
)  # fmt: skip


@dataclass
class Desk:
    """A table, its clock, and what it reported."""

    limits: Limits = LIMITS
    streamers: int = 3
    now: float = 1000.0
    ended: list[tuple[Session, Ending]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.table = SessionTable(
            self.limits,
            streamers=self.streamers,
            clock=lambda: self.now,
            on_end=lambda session, ending: self.ended.append((session, ending)),
        )

    def wait(self, seconds: float, *, alive: Session | None = None) -> None:
        """Let time pass, with `alive` heard from every ten seconds, and sweep."""
        end = self.now + seconds
        while self.now < end:
            self.now = min(end, self.now + 10)
            if alive is not None and self.now < end:
                self.table.heard(alive)
        self.table.sweep()

    @property
    def reasons(self) -> list[str]:
        """Why sessions ended, in order."""
        return [ending.reason for _, ending in self.ended]


@pytest.fixture
def desk() -> Desk:
    """An empty table."""
    return Desk()


def reserved(desk: Desk) -> Session:
    """Return a session that nobody opened."""
    return desk.table.request("account")


def negotiating(desk: Desk) -> Session:
    """Return a session with a socket."""
    session = reserved(desk)
    assert desk.table.opened(session)
    return session


def connected(desk: Desk) -> Session:
    """Return a session with a peer."""
    session = negotiating(desk)
    desk.table.connected(session)
    return session


def streaming(desk: Desk) -> Session:
    """Return a session with a stream."""
    session = connected(desk)
    desk.table.stream_began(session, "stream", "prompt")
    return session


def socketless(desk: Desk) -> Session:
    """Return a session whose socket is gone."""
    session = connected(desk)
    desk.table.socket_lost(session)
    return session


def peerless(desk: Desk) -> Session:
    """Return a session whose peer connection is gone."""
    session = streaming(desk)
    desk.table.peer_lost(session)
    return session


CLOCKS = [
    (reserved, 600, False, sessions.RESERVATION),
    (negotiating, 30, True, sessions.NEGOTIATION),
    (connected, 40, False, sessions.HEARTBEAT),
    (streaming, 40, False, sessions.HEARTBEAT),
    (socketless, 35, False, sessions.LOST_SOCKET),
    (peerless, 35, True, sessions.PEER_LOST),
    (connected, 300, True, sessions.IDLE),
    (streaming, 1000, True, sessions.DURATION),
]


@pytest.mark.parametrize(
    ("make", "seconds", "alive", "ending"),
    CLOCKS,
    ids=[f"{make.__name__}-{ending.reason}" for make, _, _, ending in CLOCKS],
)
def test_clock(desk: Desk, *, make: object, seconds: float, alive: bool, ending: Ending) -> None:
    """Each clock lets the session be until its very time, and then ends it once."""
    assert callable(make)
    session = make(desk)
    desk.wait(seconds - 0.01, alive=session if alive else None)
    assert desk.table.get(session.id) is session
    assert desk.ended == []
    desk.wait(0.02)
    assert desk.ended == [(session, ending)]
    assert desk.table.get(session.id) is None
    desk.wait(10_000)
    assert len(desk.ended) == 1
    assert desk.table.endings == {ending.reason: 1}


def test_what_resets_which_clock(desk: Desk) -> None:
    """Messages reset the heartbeat, a stream the idle clock, a new socket the lost one."""
    session = streaming(desk)
    desk.wait(900, alive=session)
    desk.table.stream_over(session)
    desk.now += 20
    desk.table.socket_lost(session)
    desk.wait(34)
    assert desk.table.opened(session) is False
    desk.wait(39)
    assert desk.table.all() == [session]
    desk.wait(1)
    assert desk.reasons == ["heartbeat_timeout"]


def test_a_peer_that_comes_back_stops_its_clock(desk: Desk) -> None:
    """Who is connected again is not ended for what was before."""
    session = peerless(desk)
    desk.wait(30, alive=session)
    desk.table.connected(session)
    desk.wait(30, alive=session)
    assert desk.ended == []


def test_a_streamer_that_does_not_end_its_stream_is_ended() -> None:
    """A stream far past its limit shows that its streamer hangs; the slot must not wait for it."""
    desk = Desk(Limits(stream_seconds=50))
    session = streaming(desk)
    desk.wait(50 + sessions.STUCK_SECONDS - 0.01, alive=session)
    assert desk.ended == []
    desk.wait(0.02)
    assert desk.reasons == ["streamer_stuck"]


def test_idle_clock_begins_again_after_a_stream(desk: Desk) -> None:
    """A connection is idle from the end of its last stream on, not from its beginning."""
    session = streaming(desk)
    desk.wait(290, alive=session)
    desk.table.stream_over(session)
    desk.table.heard(session)
    desk.wait(299, alive=session)
    assert desk.ended == []
    desk.wait(1)
    assert desk.reasons == ["idle_timeout"]


def test_a_returning_socket_does_not_extend_the_connection(desk: Desk) -> None:
    """The connection's hour counts from its first socket, whatever comes back later."""
    session = streaming(desk)
    for _ in range(10):
        desk.wait(90, alive=session)
        desk.table.socket_lost(session)
        desk.now += 9
        desk.table.opened(session)
    desk.wait(9)
    assert desk.ended == []
    desk.wait(1)
    assert desk.reasons == ["duration_limit_reached"]


@pytest.mark.parametrize(
    ("ending", "code"),
    [
        (sessions.HEARTBEAT, CloseCode.HEARTBEAT), (sessions.IDLE, CloseCode.IDLE),
        (sessions.DURATION, CloseCode.DURATION), (sessions.NEGOTIATION, CloseCode.STREAMER_LOST),
        (sessions.STREAMER_LOST, CloseCode.STREAMER_LOST),
        (sessions.SHUTDOWN, CloseCode.STREAMER_LOST), (sessions.LEFT, CloseCode.NORMAL),
    ],
)  # fmt: skip
def test_endings(ending: Ending, code: CloseCode) -> None:
    """A client that did not leave by itself is told why, with an application's close code."""
    assert ending.code == code
    assert bool(ending.told) == (code >= 4000)


def test_limit_before_capacity() -> None:
    """An account over its own limit hears that, and one below it that no streamer is free."""
    desk = Desk(streamers=2)
    desk.table.request("one")
    desk.table.request("one")
    with pytest.raises(TooManySessionsError) as caught:
        desk.table.request("one")
    assert (caught.value.active, caught.value.limit) == (2, 2)
    with pytest.raises(NoFreeStreamerError):
        desk.table.request("two")
    assert len(desk.table) == 2


@pytest.mark.parametrize("streamers", [2, 9], ids=["no streamer free", "over the limit"])
def test_reclaim(streamers: int) -> None:
    """Under pressure, the oldest reservation that nobody opened for long enough gives way."""
    desk = Desk(streamers=streamers)
    first = desk.table.request("one")
    desk.now += 20
    second = desk.table.request("one")
    desk.now += 20
    with pytest.raises((TooManySessionsError, NoFreeStreamerError)):
        desk.table.request("one")
    desk.now += 5
    third = desk.table.request("one")
    assert desk.ended == [(first, sessions.RECLAIMED)]
    assert desk.table.all() == [second, third]


def test_reclaim_takes_nothing_that_is_used() -> None:
    """Sessions with a socket, young ones, and those of others are never reclaimed."""
    desk = Desk(streamers=2)
    opened = desk.table.request("one")
    desk.table.opened(opened)
    others = desk.table.request("two")
    desk.now += 500
    with pytest.raises(NoFreeStreamerError):
        desk.table.request("one")
    desk.table.opened(others)
    with pytest.raises(NoFreeStreamerError):
        desk.table.request("two")
    assert desk.ended == []


def test_nothing_is_reclaimed_without_pressure(desk: Desk) -> None:
    """While there is room, an old reservation stays."""
    old = desk.table.request("one")
    desk.now += 500
    desk.table.request("one")
    assert desk.table.get(old.id) is old


def test_describe(desk: Desk) -> None:
    """The owner sees state, ages, stream and prompt, and who holds it for how long unused."""
    session = streaming(desk)
    desk.now += 7
    info = desk.table.describe(session)
    assert (info.state, info.seconds, info.stream_seconds) == ("connected", 7, 7)
    assert (info.stream_id, info.prompt, info.idle_seconds) == ("stream", "prompt", 7)
    desk.table.steered(session, "fog")
    desk.now += 2
    info = desk.table.describe(session)
    assert (info.prompt, info.idle_seconds) == ("fog", 2)
    desk.table.stream_over(session)
    info = desk.table.describe(session)
    assert (info.stream_id, info.stream_seconds, info.prompt) == (None, None, None)
    desk.table.opened(session, ("127.0.0.1", 40123))
    info = desk.table.describe(session)
    assert (info.address, info.port, info.idle_seconds) == ("127.0.0.1", 40123, 0)
    desk.table.socket_lost(session)
    assert desk.table.describe(session).port is None


def test_last_busy(desk: Desk) -> None:
    """The table remembers when it last had a session, for a service that stops when unused."""
    session = desk.table.request("one")
    desk.now += 100
    desk.table.end(session.id, sessions.LEFT)
    assert desk.table.last_busy == desk.now
    assert desk.table.end(session.id, sessions.LEFT) is False
    desk.now += 50
    assert desk.table.last_busy == desk.now - 50


class Tables(RuleBasedStateMachine):
    """Any order of events and any passing of time."""

    made = Bundle("made")

    def __init__(self) -> None:
        super().__init__()
        self.desk = Desk()
        self.table = self.desk.table
        self.known: list[Session] = []

    @rule(target=made, account=st.sampled_from(["one", "two", "three"]))
    def request(self, account: str) -> object:
        """Ask for a session; a refusal must be deserved."""
        before = self.table.all()
        try:
            session = self.table.request(account)
        except TooManySessionsError as error:
            held = len(self.table.of(account))
            assert error.active == held == error.limit == 2  # noqa: PT017
            return multiple()
        except NoFreeStreamerError:
            assert len(self.table) == 3
            return multiple()
        gone = [each for each in before if self.table.get(each.id) is None]
        for each in gone:
            assert each.account == account
            assert each.opened is None
            assert self.desk.now - each.created >= LIMITS.reclaim_seconds
        assert len(gone) <= 1
        assert not gone or len(before) == 3 or len([s for s in before if s.account == account]) == 2
        self.known.append(session)
        return session

    def live(self, session: Session) -> bool:
        """Whether events of the session can still happen."""
        return self.table.get(session.id) is session

    @rule(session=made)
    def open(self, session: Session) -> None:
        """A socket opens."""
        if self.live(session):
            first = session.opened is None
            assert self.table.opened(session) is first

    @rule(session=made)
    def connect(self, session: Session) -> None:
        """The peer connects."""
        if self.live(session) and session.opened is not None:
            self.table.connected(session)

    @rule(session=made)
    def lose(self, session: Session) -> None:
        """The socket goes."""
        if self.live(session) and session.opened is not None:
            self.table.socket_lost(session)

    @rule(session=made)
    def hear(self, session: Session) -> None:
        """A message comes."""
        if self.live(session) and session.opened is not None:
            self.table.heard(session)

    @rule(session=made)
    def begin_stream(self, session: Session) -> None:
        """A stream begins."""
        if self.live(session) and session.state == "connected":
            self.table.stream_began(session, "stream", "prompt")

    @rule(session=made)
    def end_stream(self, session: Session) -> None:
        """A stream is over, perhaps after its session."""
        if session.state == "connected":
            self.table.stream_over(session)

    @rule(session=consumes(made), twice=st.booleans())
    def leave(self, session: Session, *, twice: bool) -> None:
        """The client says goodbye, perhaps again."""
        was_live = self.live(session)
        assert self.table.end(session.id, sessions.LEFT) is was_live
        if twice:
            assert self.table.end(session.id, sessions.LEFT) is False

    @rule(seconds=st.sampled_from([0.5, 5, 29, 30, 35, 40, 45, 300, 600, 1000]))
    def pass_time(self, seconds: float) -> None:
        """Time passes, and the clocks act; what is left has none that ran out."""
        self.desk.now += seconds
        self.table.sweep()
        assert [each for each in self.table.all() if self.table.overdue(each)] == []

    @invariant()
    def nobody_has_too_many(self) -> None:
        """Sessions never outnumber streamers, nor the account's limit."""
        assert len(self.table) <= 3
        for account in ("one", "two", "three"):
            assert len(self.table.of(account)) <= 2

    @invariant()
    def every_end_is_reported_once(self) -> None:
        """A session is either in the table or was reported as ended, exactly once."""
        ended = [session.id for session, _ in self.desk.ended]
        assert len(ended) == len(set(ended))
        live = {session.id for session in self.table.all()}
        assert live.isdisjoint(ended)
        assert live | set(ended) == {session.id for session in self.known}
        assert sum(self.table.endings.values()) == len(ended)


TestTables = Tables.TestCase
TestTables.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
