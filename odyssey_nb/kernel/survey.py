"""Finds every session that this machine's programs hold or have left behind.

What leases say and what services say is put together by session id. A service that lists its
sessions (ours does) tells prompts, and of sessions for which there is no lease: those of other
programs, which are found by their sockets.
"""

from __future__ import annotations

import asyncio
import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from odyssey_nb.errors import OdysseyNBError
from odyssey_nb.kernel import leases, processes
from odyssey_nb.kernel.sessions import SessionList, SessionRow

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

    from odyssey_nb.kernel.connection import Connection
    from odyssey_nb.kernel.leases import FoundLease, LeaseInfo
    from odyssey_nb.wire.control import SessionInfo

T = TypeVar("T")

ASK_SECONDS = 2.0  # longest that a service may take to list its sessions
CREDENTIALS_SECONDS = 45.0  # after which a reservation that nobody opened is taken to be forgotten

# The clocks that users know of, here and in the words of the service.
LIMITS = "stream_ends", "connection_ends", "idle_ends", "budget_ends"
TOLD_LIMITS = "session_timeout", "duration_limit_reached", "idle_timeout"

Told = dict[str, "dict[str, SessionInfo]"]  # by service URL, then by session id


def survey(
    connections: list[Connection], keys: Mapping[str, list[str]], names: Mapping[str, str]
) -> SessionList:
    """List the sessions of this process's `connections` and of all others on this machine.

    Args:
        connections: The connections of this process.
        keys: The services that may be asked, each with the user's keys for it.
        names: What services are called, by URL.
    """
    told = ask_services(keys)
    rows = [_own(each, told) for each in connections]
    found = leases.others()
    rows += [leased(each, told) for each in found]
    known = {row.session_id for row in rows}
    sidecars = {each.info.sidecar.pid for each in found}
    rows += _strangers(told, known, sidecars)
    return SessionList([replace(row, target=names.get(row.url, row.url)) for row in rows])


def _own(connection: Connection, told: Told) -> SessionRow:
    info = connection.lease_info
    row = _from_lease(info, told)
    streams = connection.stream is not None
    return replace(
        row,
        status="streaming" if streams else str(connection.status),
        left=connection.left(*LIMITS),
        prompt=connection.applied_prompt if streams else "",
        here=True,
        lease=connection.lease_path,
    )


def leased(found: FoundLease, told: Told) -> SessionRow:
    """Return the session of a lease, with what services have told."""
    row = _from_lease(found.info, told, dangling=found.dangling)
    pid = found.info.kernel.pid if found.held else 0
    return replace(row, pid=pid, lease=found.path, held=found.held)


def _from_lease(info: LeaseInfo, told: Told, *, dangling: str = "") -> SessionRow:
    now, service = time.time(), told.get(info.url)
    session = (service or {}).get(info.session_id)
    status = "streaming" if info.streaming else "connected"
    if not info.session_id:
        status = "connecting"
    elif dangling and service is not None and session is None:
        status = "ended"  # only its lease is left
    return SessionRow(
        session_id=info.session_id,
        connection=info.connection,
        url=info.url,
        status=status,
        seconds=now - info.opened,
        idle=now - info.used,
        left=_left(session) if session else None,
        prompt=(session and session.prompt) or "",
        holder=info.notebook,
        pid=info.kernel.pid,
        dangling=dangling,
        signaling_url=info.signaling_url,
    )


def _strangers(told: Told, known: set[str], sidecars: set[int]) -> list[SessionRow]:
    """Return the sessions that no lease names: of other programs, or of nobody."""
    found = [
        (url, each)
        for url, sessions in told.items()
        for each in sessions.values()
        if each.session_id not in known
    ]
    ends = {_end(each) for _, each in found if each.port and processes.is_here(each.address or "")}
    pids = processes.holders(ends)
    rows = []
    for url, each in found:
        pid = pids.get(_end(each), 0)
        if pid and pid in sidecars:
            continue  # its lease is about to name it
        rows.append(_stranger(url, each, pid, local=_end(each) in ends, seen=_end(each) in pids))
    return rows


def _stranger(url: str, info: SessionInfo, pid: int, *, local: bool, seen: bool) -> SessionRow:
    holder, dangling = info.address or "", ""
    if pid:
        holder = processes.program(pid)
    elif local and seen:
        holder = "another user"
    elif local:
        holder, dangling = "nobody", "no process has its socket"
    elif not info.port and info.state == "reserved":
        late = info.seconds > CREDENTIALS_SECONDS
        holder, dangling = "nobody yet", "it was reserved and never opened" if late else ""
    elif not info.port and not holder:
        holder, dangling = "nobody", "its socket is gone"
    return SessionRow(
        session_id=info.session_id,
        connection="",
        url=url,
        status="streaming" if info.stream_id else info.state,
        seconds=info.seconds,
        idle=info.idle_seconds,
        left=_left(info),
        prompt=info.prompt or "",
        holder=holder,
        pid=pid,
        here=pid == os.getpid(),
        dangling=dangling,
        signaling_url=url,
    )


def _left(info: SessionInfo) -> float | None:
    return min((left for clock, left in info.clocks.items() if clock in TOLD_LIMITS), default=None)


def _end(info: SessionInfo) -> tuple[str, int]:
    return processes.plain(info.address or ""), info.port or 0


def ask_services(keys: Mapping[str, list[str]]) -> Told:
    """Ask every service for its sessions, all at once; those that do not tell are left out."""
    told: Told = {}

    async def ask(url: str, key: str) -> None:
        from odyssey_nb.client.control import Control

        with suppress(OdysseyNBError, TimeoutError):
            async with asyncio.timeout(ASK_SECONDS), Control.open(url, key) as control:
                listed = await control.sessions()
            told.setdefault(url, {}).update({each.session_id: each for each in listed.sessions})

    async def ask_all() -> None:
        async with asyncio.TaskGroup() as group:
            for url, mine in keys.items():
                for key in mine:
                    group.create_task(ask(url, key))

    if keys:
        apart(ask_all())
    return told


def alone(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` on a loop of its own, on a thread without one, and return its result."""
    with asyncio.Runner() as runner:  # unlike `asyncio.run` no library patches it
        return runner.run(work)


def apart(work: Coroutine[Any, Any, T]) -> T:
    """Run `work`, which has deadlines of its own, on a thread of its own and return its result.

    The kernel's loop, which runs already, could not be waited on.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="odyssey-apart") as pool:
        return pool.submit(alone, work).result()
