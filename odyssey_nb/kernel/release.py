"""Release from outside: ends a session in the place of whoever holds it or has left it behind.

A fresh session token opens the session's socket (the newest wins) and says goodbye. It takes the
user's key, which no lease holds: it is the local service's, an open connection's or the settings',
and goes to no other service than its own.
"""

from __future__ import annotations

import asyncio
import logging
import os
import queue
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from odyssey_nb.config import Target, local_key, resolve_target
from odyssey_nb.discovery import running_service
from odyssey_nb.errors import AuthError, NotFoundError, OdysseyNBError, SettingError, UsageError
from odyssey_nb.kernel import leases
from odyssey_nb.kernel.processes import program
from odyssey_nb.kernel.sessions import SessionList, SessionRow, spell
from odyssey_nb.kernel.survey import alone, apart, leased, survey
from odyssey_nb.leasefile import drop_lease, leave_note, take_note_back

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from odyssey_nb.kernel.connection import Connection

log = logging.getLogger(__name__)

KEEP_SECONDS = 3600.0  # how long a lease is kept whose service does not answer; no session is older
LOAD_SECONDS = 10.0  # for our own modules
WAIT_SECONDS = 1.0  # how long connecting waits for a session that does not get freed


class KeyRing(dict[str, list[str]]):
    """The user's keys by the URL of their service; a service may know the user under several."""

    def __init__(self) -> None:
        super().__init__()
        self.names: dict[str, str] = {}  # what services are called, by URL

    @classmethod
    def gather(cls, connections: list[Connection]) -> KeyRing:
        """Return the keys of the settings, of open connections and of the local service."""
        ring = cls()
        with suppress(SettingError):
            ring.add(resolve_target())
        for each in connections:
            ring.add(each.access)
        local = running_service()
        if local is not None:
            ring.names[local.url] = "local service"
            with suppress(SettingError):
                ring.add(Target(url=local.url, api_key=local_key(Path(local.data_dir))))
        return ring

    def add(self, target: Target) -> None:
        """Take the key that goes with `target`, if it has one."""
        if target.url and target.api_key and target.api_key not in self.get(target.url, ()):
            self.setdefault(target.url, []).append(target.api_key)

    def keys_for(self, url: str) -> list[str]:
        """Return the keys for the service at `url`.

        Raises:
            SettingError: None is known here.
        """
        if url not in self:
            raise SettingError(
                f"no key for {url} is known here",
                hint="Set ODYSSEY_API_URL and ODYSSEY_API_KEY, or do it where it was connected.",
            )
        return self[url]


class Ended(list[SessionRow]):
    """The sessions that were ended; `kept` are those that could not be, and why."""

    def __init__(
        self, rows: list[SessionRow], kept: list[tuple[SessionRow, OdysseyNBError]]
    ) -> None:
        super().__init__(rows)
        self.kept = kept

    def __repr__(self) -> str:
        lines = [f"ended {row.id or 'a lease'}: {row.told()}" for row in self]
        lines += [
            f"kept {row.id or 'a lease'}: {row.told()}; {why.one_line()}" for row, why in self.kept
        ]
        return "\n".join(lines) or "nothing dangles"


def list_sessions(connections: list[Connection]) -> SessionList:
    """Return every session that is known here."""
    ring = KeyRing.gather(connections)
    return survey(connections, ring, ring.names)


def find(rows: SessionList, which: str) -> SessionRow:
    """Return the session whose connection is called `which`, or whose id begins so.

    Raises:
        NotFoundError: There is none.
        UsageError: There are several.
    """
    found = [
        row for row in rows if which and which in {row.connection, row.session_id[: len(which)]}
    ]
    if not found:
        hint = f"{spell('sessions')} lists them."
        raise NotFoundError(f"no session is called {which!r}, and no id begins so", hint=hint)
    if len(found) > 1:
        ids = ", ".join(row.id or "one that is still connecting" for row in found)
        raise UsageError(f"{which!r} names {len(found)} sessions", hint=f"Say which: {ids}.")
    return found[0]


def load() -> None:
    """Load what `release` needs: who has to release has no time for it."""
    import odyssey_nb.client.control
    import odyssey_nb.client.reservation  # noqa: F401


def release(access: Target, session_id: str, signaling_url: str) -> None:
    """Say goodbye for a session of this process whose sidecar is gone.

    Raises:
        NotFoundError: It had ended already.
        OdysseyNBError: The service does not answer, or refuses it.
    """
    if session_id and access.url and access.api_key:
        apart(_free(access.url, [access.api_key], session_id, signaling_url))


def end(rows: list[SessionRow], connections: list[Connection]) -> Ended:
    """End sessions of other programs; those of living ones are told by whom."""
    ended: list[SessionRow] = []
    kept: list[tuple[SessionRow, OdysseyNBError]] = []

    async def end_one(row: SessionRow, ring: KeyRing) -> None:
        try:
            await _end(row, ring)
            ended.append(row)
        except OdysseyNBError as error:
            kept.append((row, error))

    if rows:
        apart(_each(rows, end_one, KeyRing.gather(connections)))
    return Ended(ended, kept)


class Reaping:
    """Frees what dead kernels have left behind, while a connection with `access` is opened."""

    def __init__(self, access: Target, connections: list[Connection]) -> None:
        left = [leased(each, {}) for each in leases.others() if not each.held]
        self._mine = [row for row in left if row.url == access.url]
        self._others = [row for row in left if row.url != access.url]
        self._access, self._connections = access, connections
        self._loaded = threading.Event()
        self._done: queue.SimpleQueue[SessionRow | None] = queue.SimpleQueue()
        if left:
            threading.Thread(target=self._run, name="odyssey-reap", daemon=True).start()

    def wait(self) -> list[SessionRow]:
        """Wait for the streamers of this service, as long as they get free; return which did."""
        freed = []
        if self._mine:
            self._loaded.wait(LOAD_SECONDS)
        with suppress(queue.Empty):
            for _ in self._mine:
                row = self._done.get(timeout=WAIT_SECONDS)
                if row is not None:
                    freed.append(row)
        return freed

    def _run(self) -> None:
        load()  # not in the time that a service has
        self._loaded.set()
        ring = KeyRing()
        ring.add(self._access)
        alone(_each(self._mine, self._end_one, ring))
        if self._others:  # not in the way of this connection, so nobody waits for them
            alone(_each(self._others, self._end_one, KeyRing.gather(self._connections)))

    async def _end_one(self, row: SessionRow, ring: KeyRing) -> None:
        ended = False
        try:
            await _end(row, ring)
            ended = True
        except OdysseyNBError:
            log.info("what a dead kernel left behind could not be freed yet")
        finally:
            self._done.put(row if ended else None)


async def _each(
    rows: list[SessionRow],
    work: Callable[[SessionRow, KeyRing], Coroutine[None, None, None]],
    ring: KeyRing,
) -> None:
    async with asyncio.TaskGroup() as group:
        for row in rows:
            group.create_task(work(row, ring))


async def _end(row: SessionRow, ring: KeyRing) -> None:
    """End one, and remove a lease that nobody holds.

    Raises:
        OdysseyNBError: The session may be there still, and so is its lease.
    """
    if row.lease is not None and row.held:
        if not row.session_id:
            raise UsageError("it is still connecting", hint="Try again in a moment.")
        leave_note(row.lease, f"{Path(program(os.getpid())).name} (process {os.getpid()})")
    try:
        if row.session_id:
            keys = ring.keys_for(row.url)
            await _free(row.url, keys, row.session_id, row.signaling_url or row.url)
    except OdysseyNBError as error:
        if row.held and row.lease is not None:
            take_note_back(row.lease)
        if row.held or not _is_over(row, error):
            raise
    if row.lease is not None and not row.held:
        drop_lease(row.lease)


async def _free(url: str, keys: list[str], session_id: str, signaling_url: str) -> None:
    from odyssey_nb.client.control import Control
    from odyssey_nb.client.reservation import free

    for last, key in enumerate(keys, 1 - len(keys)):
        try:
            async with Control.open(url, key) as control:
                await free(control, session_id, signaling_url)
            return
        except (NotFoundError, AuthError):
            if last == 0:
                raise


def _is_over(row: SessionRow, error: OdysseyNBError) -> bool:
    """Whether a session that nobody holds is over, although no service said so."""
    from odyssey_nb.client.retry import is_gone

    if isinstance(error, NotFoundError):
        return True
    return row.seconds > KEEP_SECONDS or is_gone(row.url, error)
