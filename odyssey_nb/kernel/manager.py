"""The connection manager: the one place that opens, reuses and ends this process's connections."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import suppress
from math import inf
from typing import TYPE_CHECKING, Any

from odyssey_nb.config import Target, daily_budget_seconds, ledger_path, resolve_target, where
from odyssey_nb.errors import (
    AnswerTimeoutError,
    ConcurrentLimitError,
    ConnectionLostError,
    LinkError,
    NoStreamerError,
    NoStreamError,
    NotConnectedError,
    OdysseyNBError,
    SettingError,
)
from odyssey_nb.kernel import hooks, leases, release
from odyssey_nb.kernel.ahead import load_ahead
from odyssey_nb.kernel.connection import Connection
from odyssey_nb.kernel.hidden import Given, WhenHidden, when_hidden
from odyssey_nb.kernel.link import SidecarLink, Waiter
from odyssey_nb.kernel.local_service import address_of
from odyssey_nb.kernel.login import warn_of_literal
from odyssey_nb.kernel.release import Ended, Reaping
from odyssey_nb.kernel.runtime import runtime
from odyssey_nb.kernel.sessions import SessionList, limit_hint
from odyssey_nb.kernel.spectator import Spectator
from odyssey_nb.wire import link as wire

if TYPE_CHECKING:
    from odyssey_nb.kernel.broadcast import Broadcast
    from odyssey_nb.kernel.held import Held
    from odyssey_nb.kernel.stream import Stream

log = logging.getLogger(__name__)

CONNECT_SECONDS = 45.0
CONNECT_GRACE = 6.0  # what a sidecar may need to take back a connection that did not come up
DISCONNECT_SECONDS = 5.0
ALLOW_SECONDS = 5.0
HANGING_SECONDS = 2.0  # without an answer, after which a sidecar is asked whether it lives
RELEASE_SECONDS = 5.0


class ConnectionManager:
    """Connections by name.

    Opening and ending the same one take turns; other names, and requests on open connections, do
    not wait for them.
    """

    def __init__(self) -> None:
        self._connections: dict[str, Connection] = {}
        self._spectators: dict[str, Spectator] = {}  # their names are none of a connection
        self._targets: dict[str, Target] = {}
        self._policies: dict[str, WhenHidden] = {}
        self._budgets: dict[str, float] = {}  # in seconds
        self._turns: dict[str, threading.RLock] = {}
        self._book = threading.Lock()
        self._starting_sidecar = threading.Lock()
        self._releasing: threading.Thread | None = None
        # Widgets by connection name; kept here to survive reloads.
        self.players: dict[str, Any] = {}

    def connect(
        self,
        name: str = "default",
        *,
        local: bool | None = None,
        url: str | None = None,
        api_key: str | None = None,
        timeout: float = CONNECT_SECONDS,
        hidden: Given = ...,
        budget: float | None = None,
    ) -> Connection:
        """Open the connection called `name` or return the open one: `odyssey_nb.connect`."""
        policy = None if hidden is ... else when_hidden(hidden)
        seconds = None if budget is None else budget_seconds(budget)
        target = resolve_target(local=local, url=url, api_key=api_key)
        warn_of_literal(target.api_key)
        return self._connect(name, target, timeout, policy, seconds)

    def reopen(self, name: str) -> Connection:
        """Open the connection called `name` again, to where it went before."""
        target = self._targets.get(name) or resolve_target()
        policy, budget = self._policies.get(name), self._budgets.get(name)
        return self._connect(name, target, CONNECT_SECONDS, policy, budget)

    def target_of(
        self, name: str, *, local: bool | None, url: str | None, api_key: str | None
    ) -> Target:
        """Return the target that is asked for, else where connection `name` goes or went."""
        if local is None and url is None and api_key is None and name in self._targets:
            return self._targets[name]
        target = resolve_target(local=local, url=url, api_key=api_key)
        warn_of_literal(target.api_key)
        return target

    def _connect(
        self,
        name: str,
        target: Target,
        timeout: float,
        policy: WhenHidden | None,
        budget: float | None,
    ) -> Connection:
        self._settle()
        with self._turn(name):
            existing = self._connections.get(name)
            if existing is not None:
                if existing.is_open and _same(self._targets[name], target):
                    existing.opened_by_this_call = False
                    if policy is not None:
                        self._policies[name] = policy
                        existing.hidden.use(policy)
                    if budget is not None:
                        existing.request(wire.Allow, timeout=ALLOW_SECONDS, budget=budget)
                        self._budgets[name] = budget
                    self.say(f"{name}: reused the open connection to {where(target.name)}")
                    return existing
                was_open = existing.is_open
                self.disconnect(name)  # also one that is lost: the sidecar may still be closing it
                if was_open:
                    self.say(f"{name}: left {where(existing.target)}")
            began = time.monotonic()
            self._policies[name] = policy or when_hidden()
            self._budgets[name] = budget or 0.0
            connection = self._open(name, target, timeout)
            seconds = time.monotonic() - began
            self.say(f"{name}: connected to {where(target.name)} in {seconds:.1f} s")
            return connection

    def _open(self, name: str, target: Target, timeout: float) -> Connection:
        hooks.install()
        daily = daily_budget_seconds()
        url, key = address_of(target, self.say)
        access = Target(url=url, api_key=key)
        reaping = Reaping(access, list(self._connections.values()))
        link = self.start_sidecar()
        for row in reaping.wait():
            self.say(f"{name}: freed what was left behind by {row.told()}")
        lease = leases.Lease.take(name, url, link.pid)
        connection = Connection(
            self,
            link,
            lease,
            name=name,
            target=target.name,
            access=access,
            when_hidden=self._policies[name],
        )
        try:
            self._connections[name], self._targets[name] = connection, target
            if name in self.players:
                self.players[name].bind(connection)
            link.ask(
                lambda number: wire.Connect(
                    id=number,
                    connection=name,
                    url=url,
                    api_key=key,
                    timeout=timeout,
                    lease=str(lease.path),
                    budget=self._budgets[name],
                    daily=daily,
                    ledger=str(ledger_path()),
                ),
                timeout=timeout,
                grace=CONNECT_GRACE,
            )
        except BaseException as error:
            # An interrupted cell owns nothing: whatever the sidecar has opened by now goes again.
            with suppress(OdysseyNBError):
                self._disconnect(connection)
            if isinstance(error, (ConcurrentLimitError, NoStreamerError)):
                self.name_holders(error, url)
            raise
        if not connection.is_open:
            raise ConnectionLostError(connection.problem or "the connection was lost as it opened")
        return connection

    def watch(self, name: str, broadcast: Broadcast, *, timeout: float) -> Spectator:
        """Join a broadcast as `name`, or return who watches it already."""
        url, token = broadcast.url, broadcast.token
        self._settle()
        with self._turn(name):
            existing = self._spectators.get(name)
            if existing is not None and existing.is_open and existing.url == url:
                self.say(f"already watching the {existing.target}")
                return existing
            if existing is not None:
                self._disconnect(existing)
            hooks.install()
            link = self.start_sidecar()
            spectator = self._spectators[name] = Spectator(
                self, link, name=name, broadcast=broadcast
            )
            if name in self.players:
                self.players[name].bind(spectator)
            try:
                link.ask(
                    lambda number: wire.Watch(
                        id=number, connection=name, url=url, token=token, timeout=timeout
                    ),
                    timeout=timeout,
                    grace=CONNECT_GRACE,
                )
            except BaseException:
                with suppress(OdysseyNBError):
                    self._disconnect(spectator)
                raise
            self.say(f"watching the {spectator.target}")
            return spectator

    def start_sidecar(self) -> SidecarLink:
        """Start the sidecar if none runs, and return the line to it.

        Raises:
            LinkError: It did not start.
        """
        state = runtime()
        with self._starting_sidecar:
            if state.sidecar is None or not state.sidecar.usable:
                load_ahead()
                state.sidecar = SidecarLink.start(
                    on_event=self._take_event,
                    on_picture=self._take_picture,
                    on_lost=self._sidecar_lost,
                )
                hooks.close_in_forks()
            return state.sidecar

    def _settle(self) -> None:
        """See to it that a sidecar that is lost is known to be, and what it held released."""
        link = runtime().sidecar
        if link is not None:
            link.settle()
        self._await_release(RELEASE_SECONDS)  # what it held would be in the way

    def _follow(self, link: SidecarLink) -> None:
        """Wait until what was held through `link`, if it is lost, is released.

        Whoever follows its end finds that among our connections, and needs its lease until then.
        """
        link.follow()
        if not link.usable:
            self._await_release(RELEASE_SECONDS)

    def _await_release(self, seconds: float) -> None:
        if self._releasing is not None:
            self._releasing.join(seconds)

    def __getitem__(self, name: str) -> Connection:
        connection = self.get(name)
        if connection is None:
            raise NotConnectedError(f"there is no open connection called {name!r}")
        return connection

    def get(self, name: str) -> Connection | None:
        """Return the open connection called `name`."""
        connection = self._connections.get(name)
        return connection if connection is not None and connection.is_open else None

    def stream_on(self, name: str) -> Stream:
        """Return the stream that runs on the connection called `name`.

        Raises:
            NotConnectedError: No connection of that name is open.
            NoStreamError: No stream runs on it.
        """
        stream = self[name].stream
        if stream is None:
            raise NoStreamError(f"no stream runs on {name!r}")
        return stream

    def attended(self) -> None:
        """A cell has ended, so its author is here."""
        for connection in self.all():
            connection.hidden.clock.touch()

    def forget_callbacks(self) -> None:
        """A notebook's names are gone; so is what its functions were called for."""
        streams = [each.stream for each in self.all() if each.stream is not None]
        for each in [*streams, *self._spectators.values()]:
            each.cancel_callbacks()

    def names(self) -> list[str]:
        """Return all names, also of what is being opened or closed."""
        return [*self._connections, *self._spectators]

    def _find(self, name: str) -> Held | None:
        return self._connections.get(name) or self._spectators.get(name)

    def all(self) -> list[Connection]:
        """Return the open connections."""
        return [each for each in list(self._connections.values()) if each.is_open]

    def disconnect(self, name: str, *, only: Held | None = None) -> bool:
        """End what is called `name`, if it is `only`; return whether there was one.

        One that is still being opened is called off, so that its opener fails at once and this call
        need not wait for a streamer that nobody wants any more.
        """
        opening = self._find(name)
        if opening is not None and not opening.is_open and only in (None, opening):
            with suppress(LinkError):
                opening.link.post(lambda n: wire.Disconnect(id=n, connection=name))
        with self._turn(name):
            connection = self._find(name)
            if connection is None or (only is not None and connection is not only):
                return False
            self._disconnect(connection)
            return True

    def _turn(self, name: str) -> threading.RLock:
        with self._book:
            return self._turns.setdefault(name, threading.RLock())

    def _disconnect(self, connection: Held) -> None:
        # Interrupted before it is posted, the connection stays known and can be ended later.
        link = connection.link
        connection.was_left = True
        closed = True
        if link.usable:
            with suppress(LinkError):  # what is lost is closed
                answer = link.post(lambda n: wire.Disconnect(id=n, connection=connection.name))
                closed = self._closed(link, answer)
        self._follow(link)
        self.forget(connection)
        if not closed:
            raise AnswerTimeoutError("the sidecar did not close in time")

    def _closed(self, link: SidecarLink, answer: Waiter[wire.Answer]) -> bool:
        """Wait until the sidecar has closed a connection; return whether it has.

        One whose loop stands still is ended soon: what it holds is released from outside.
        """
        try:
            answer.result(HANGING_SECONDS)
        except TimeoutError:
            if not link.answers():
                link.abandon()
                return False
            try:
                answer.result(DISCONNECT_SECONDS)
            except TimeoutError:
                return False
        return True

    def forget(self, connection: Held) -> None:
        """The connection has ended."""
        connection.close_lease()
        self._strike(connection)

    def _strike(self, connection: Held) -> None:
        with self._book:
            for book in (self._connections, self._spectators):
                if book.get(connection.name) is connection:
                    del book[connection.name]

    def release_all(self, reason: str, *, budget: float) -> None:
        """Let the sidecar say all goodbyes and end, waiting for it at most `budget` seconds."""
        state = runtime()
        link, state.sidecar = state.sidecar, None
        if link is None or not link.usable:
            self._await_release(budget)
            return
        held, began = self.all(), time.monotonic()
        with suppress(OdysseyNBError, TimeoutError):
            link.post(lambda number: wire.Goodbye(id=number, reason=reason)).result(budget)
            for connection in held:
                connection.was_released(time.monotonic() - began)
        link.close()

    def sessions(self) -> SessionList:
        """Return the sessions that processes of this machine hold: `odyssey_nb.sessions`."""
        return release.list_sessions(list(self._connections.values()))

    def kill(self, which: str) -> Ended:
        """End one session, whoever holds it: `odyssey_nb.kill`."""
        row = release.find(self.sessions(), which)
        if row.here and row.connection:
            self.disconnect(row.connection)
            return Ended([row], [])
        ended = release.end([row], list(self._connections.values()))
        for _, error in ended.kept:
            raise error
        return ended

    def reap(self) -> Ended:
        """End what dangles: `odyssey_nb.reap`."""
        dangling = [row for row in self.sessions() if row.dangling]
        return release.end(dangling, list(self._connections.values()))

    def name_holders(self, error: OdysseyNBError, url: str) -> None:
        """Let an error about a limit say who holds what there is, if that can be found out."""
        with suppress(OdysseyNBError, OSError):
            error.hint = limit_hint(self.sessions(), url) or error.hint

    def say(self, text: str) -> None:
        """Tell the user what a call did; a button's thread has no cell to write to."""
        if threading.current_thread() is threading.main_thread():
            print(text)  # noqa: T201 - this is the cell's output

    def _take_event(self, event: wire.Event) -> None:
        connection = self._find(event.connection)
        if connection is not None:
            connection.take_event(event)

    def _take_picture(self, picture: wire.Picture) -> None:
        connection = self._find(picture.connection)
        if connection is not None:
            connection.take_picture(picture)

    def _sidecar_lost(self, link: SidecarLink) -> None:
        """Follow the end of a sidecar; sessions that it could not end are released from outside."""
        for spectator in [each for each in list(self._spectators.values()) if each.link is link]:
            spectator.sidecar_lost()
            self._strike(spectator)
        lost = [each for each in list(self._connections.values()) if each.link is link]
        for connection in lost:
            connection.sidecar_lost()
            self._strike(connection)
            if link.left:
                connection.close_lease()
        if lost and not link.left:
            releasing = threading.Thread(
                target=self._release_lost, args=(lost,), name="odyssey-release", daemon=True
            )
            releasing.start()
            self._releasing = releasing  # only now: whoever connects at this moment joins it

    def _release_lost(self, lost: list[Connection]) -> None:
        for connection in lost:
            try:
                release.release(connection.access, connection.session_id, connection.signaling_url)
            except OdysseyNBError:
                log.warning("a lost session could not be released; its clocks will end it")
            connection.close_lease()


def budget_seconds(minutes: float) -> float:
    """Return a budget in seconds, 0 for an infinite one.

    Raises:
        SettingError: It is no positive number.
    """
    if not minutes > 0:
        raise SettingError(
            f"a budget cannot be {minutes:g} minutes",
            hint="Write minutes, for example budget=10; math.inf is any time.",
        )
    return 0.0 if minutes == inf else minutes * 60


def _same(one: Target, other: Target) -> bool:
    # By value: after a reload the two may be of different classes.
    return (one.url, one.api_key) == (other.url, other.api_key)
