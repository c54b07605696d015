"""A connection under everything that can happen to it, in any order."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from odyssey_nb.client.client import AsyncClient
from odyssey_nb.client.retry import Patience
from odyssey_nb.errors import EndedOutsideError, OdysseyNBError
from odyssey_nb.wire.link import StatusChanged
from odyssey_nb.wire.signaling import ENDED_BY_OWNER, CloseCode
from odyssey_nb.wire.status import MOVES, Status
from tests.client.simulated import STALE_SECONDS, SimulatedLoop, World

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from odyssey_nb.wire.link import Event

PATIENCE = Patience()
LONGEST = 120.0  # seconds that a call or a repair may take, with everything in it that may be slow


class ConnectionMachine(RuleBasedStateMachine):
    """Users connect, start, steer, end and leave while sockets, media, networks and clocks fail.

    Shows, of the real client in a simulated world: its status moves by the table alone; every call
    that waits is answered within its time; a session that somebody ended on purpose, or slept
    through, is followed by no other unasked; and after leaving, nothing is held by anybody.
    """

    def __init__(self) -> None:
        super().__init__()
        self.loop = SimulatedLoop()
        self.world = World()
        self.client: AsyncClient | None = None
        self.user: asyncio.Task[None] | None = None
        self.calls: list[tuple[float, asyncio.Task[Any]]] = []
        self.statuses: list[str] = ["disconnected"]
        self.unheard = False  # somebody left while the network was away
        self.requests_at_end: int | None = None  # of sessions, when one ended on purpose

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run `work` on the simulated loop."""
        return self.loop.run_until_complete(work)

    def begin(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Let `work` run, and see that it is answered."""
        task = self.loop.create_task(work)
        self.calls.append((self.loop.time(), task))
        return task

    def note(self, event: Event) -> None:
        """Follow the client's status."""
        if isinstance(event, StatusChanged) and event.status != self.statuses[-1]:
            assert Status(event.status) in MOVES[Status(self.statuses[-1])], self.statuses
            self.statuses.append(event.status)

    async def live(self) -> None:
        """Be a user who leaves as soon as the connection is lost, as the sidecar does."""
        network = self.world.network()
        try:
            async with AsyncClient.open(
                "http://simulated", "key", on_event=self.note, network=network, patience=PATIENCE
            ) as self.client:
                try:
                    await self.client.lost
                finally:
                    self.unheard |= not self.world.reachable
        except OdysseyNBError:
            pass
        finally:
            self.unheard |= not self.world.reachable
            self.client = None

    @precondition(lambda self: self.user is None)
    @rule(wait=st.sampled_from([1, 1, 1, 0.02, 0]))
    def connect(self, wait: float) -> None:
        """Open a connection, mostly until it is up."""
        self.requests_at_end = None
        self.user = self.loop.create_task(self.live())
        self.do(asyncio.sleep(wait))

    @precondition(lambda self: self.client is not None and self.client.stream_state == "none")
    @rule(wait=st.sampled_from([0.1, 0.1, 0]))
    def start(self, wait: float) -> None:
        """Start a stream, mostly until it runs."""
        assert self.client is not None
        self.begin(self.client.start("a forest"))
        self.do(asyncio.sleep(wait))

    @precondition(lambda self: self.user is not None)
    @rule()
    def leave(self) -> None:
        """Close it, or call opening it off."""
        assert self.user is not None
        self.user.cancel()
        self.do(asyncio.wait([self.user], timeout=LONGEST))
        assert self.user.done()
        self.user = None

    @precondition(lambda self: self.client is not None)
    @rule(call=st.sampled_from(["start", "interact", "mark", "end"]))
    def ask(self, call: str) -> None:
        """Ask the stream for something, whatever else is asked already."""
        assert self.client is not None
        work = {
            "start": lambda client: client.start("a forest"),
            "interact": lambda client: client.interact("at night"),
            "mark": lambda client: client.mark(),
            "end": lambda client: client.end(),
        }[call](self.client)
        self.begin(work)

    @precondition(lambda self: any(not task.done() for _, task in self.calls))
    @rule(which=st.integers(0, 5))
    def stop_waiting(self, which: int) -> None:
        """Cancel a call that waits."""
        waiting = [task for _, task in self.calls if not task.done()]
        waiting[which % len(waiting)].cancel()

    @rule(seconds=st.sampled_from([0.005, 0.05, 1, 6, 20, 45]))
    def time_passes(self, seconds: float) -> None:
        """Let things happen."""
        self.do(asyncio.sleep(seconds))

    @precondition(lambda self: self.client is not None)
    @rule()
    def sockets_break(self) -> None:
        """Lose every socket, and nothing else."""
        self.do(_now(self.world.cut))

    @precondition(lambda self: self.world.reachable and self.client is not None)
    @rule(seconds=st.sampled_from([1, 20, 45, 0]))
    def network_is_cut(self, seconds: float) -> None:
        """Let nothing through for a while, or until it is mended."""
        self.world.reachable = False
        self.do(_now(self.world.cut))
        self.do(asyncio.sleep(seconds))
        self.world.reachable = seconds > 0

    @precondition(lambda self: not self.world.reachable)
    @rule()
    def network_is_mended(self) -> None:
        """Let everything through again."""
        self.world.reachable = True

    @precondition(lambda self: self.client is not None)
    @rule(seconds=st.sampled_from([4, 10, 40]))
    def pictures_stop(self, seconds: float) -> None:
        """Let the world make no pictures for a while."""
        self.world.pictures_flow = False
        self.do(asyncio.sleep(seconds))
        self.world.pictures_flow = True

    @precondition(lambda self: self.client is not None)
    @rule()
    def media_fails(self) -> None:
        """Lose the peer connections."""
        self.do(_now(self.world.fail_peers))

    @precondition(lambda self: self.client is not None)
    @rule(seconds=st.sampled_from([0.45, 0.5, 0.55]))
    def everything_fails(self, seconds: float) -> None:
        """Lose the media, and the session about when the client makes up its mind about that."""
        self.do(_now(self.world.fail_peers))
        self.do(asyncio.sleep(seconds))

        def end() -> None:
            for session in list(self.world.held):
                self.world.end(session, "streamer_disconnected", CloseCode.STREAMER_LOST)

        self.do(_now(end))

    @precondition(lambda self: self.is_up and len(self.world.held) == 1)
    @rule()
    def leave_in_the_middle_of_a_repair(self) -> None:
        """Leave when the lost session's goodbye went nowhere; it is freed all the same."""
        self.do(_now(self.world.fail_peers))
        self.do(asyncio.sleep(0.45))
        self.world.reachable = False
        self.do(_now(self.world.cut))
        self.do(asyncio.sleep(0.1))
        self.world.reachable = True
        self.leave()
        assert not self.world.held

    @precondition(lambda self: self.is_up and self.client.stream_state == "streaming")
    @rule(call=st.sampled_from(["interact", "end"]))
    def media_fails_while_somebody_waits(self, call: str) -> None:
        """Lose the peer that an answer was to come by; whoever waits for it is told at once."""
        self.world.answers = False
        self.ask(call)
        self.do(asyncio.sleep(0.05))
        self.do(_now(self.world.fail_peers))
        self.do(asyncio.sleep(1))
        self.world.answers = True
        assert all(task.done() for _, task in self.calls)

    @precondition(lambda self: self.client is not None)
    @rule()
    def service_forgets(self) -> None:
        """Restart the service: its sessions are gone, and so are its sockets."""

        def restart() -> None:
            self.world.held.clear()
            self.world.cut()

        self.do(_now(restart))

    @precondition(lambda self: len(self.world.held) == 1 and self.is_up)
    @rule(how=st.sampled_from(["taken over", "ended by its owner", "ended by a clock"]))
    def ended_on_purpose(self, how: str) -> None:
        """End the session at the service, as others may."""
        (session,) = self.world.held
        code, problem = {
            "taken over": (CloseCode.REPLACED, ""),
            "ended by its owner": (CloseCode.UNKNOWN_SESSION, ENDED_BY_OWNER),
            "ended by a clock": (CloseCode.IDLE, "idle_timeout"),
        }[how]
        client = self.client
        self.do(_now(lambda: self.world.end(session, problem, code)))
        self.requests_at_end = self.world.requests
        self.do(asyncio.sleep(1))
        assert client is not None
        assert client.lost.done()
        assert isinstance(client.lost.result(), EndedOutsideError) == (how != "ended by a clock")

    @precondition(lambda self: self.is_up)
    @rule()
    def machine_sleeps(self) -> None:
        """Jump the clock by an hour."""
        client = self.client
        self.world.asleep += 3600
        self.requests_at_end = self.world.requests
        self.do(asyncio.sleep(2))
        assert client is not None
        assert client.lost.done()

    @property
    def is_up(self) -> bool:
        """Whether the client has a session whose socket is open."""
        client = self.client
        connected = client is not None and client.status == Status.CONNECTED
        return connected and len(self.world.sockets) == 1 and self.world.reachable

    @invariant()
    def nobody_waits_too_long(self) -> None:
        """Every call is answered in its time, by a result or by one of our errors."""
        for asked, task in self.calls:
            if task.done():
                if not task.cancelled() and task.exception() is not None:
                    assert isinstance(task.exception(), OdysseyNBError), task.exception()
            else:
                assert self.loop.time() - asked <= LONGEST, task
        self.calls = [each for each in self.calls if not each[1].done()]

    @invariant()
    def no_fighting_back(self) -> None:
        """After an end on purpose no other session is asked for."""
        assert self.requests_at_end in (None, self.world.requests)

    @invariant()
    def one_session_at_most(self) -> None:
        """One peer at most is open, and the user's task fails by nothing but our errors."""
        assert len(self.world.peers) <= 1
        if self.user is not None and self.user.done():
            assert self.user.cancelled() or self.user.exception() is None, self.user
            self.user = None

    def teardown(self) -> None:
        """Leave; then nothing is held, open, waiting or running."""
        if self.user is not None:
            self.user.cancel()
            self.do(asyncio.wait([self.user], timeout=LONGEST))
            assert self.user.done()
        assert not self.world.sockets
        assert not self.world.peers
        for _, task in self.calls:
            with suppress(OdysseyNBError, asyncio.CancelledError):
                self.do(asyncio.wait_for(task, 1))
        if self.unheard:  # then only the service's clock can free it
            self.do(asyncio.sleep(STALE_SECONDS + 1))
        assert not self.world.held
        assert not asyncio.all_tasks(self.loop)
        assert self.statuses[-1] == "disconnected"
        self.loop.close()


async def _now(act: Any) -> None:
    act()


TestConnection = ConnectionMachine.TestCase
TestConnection.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
