"""The queue of simulations: a table, and leases on its rows.

Whoever runs a simulation holds a lease with a fencing token, beats to keep it, and publishes with
the same token. A lease that ran out belongs to nobody: the simulation waits again, once, and who
held it finds its token refused, whatever it still does. Each method is one transaction. Calls
block.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import func, select
from sqlalchemy.orm import aliased

from odyssey_nb.service.database import SimulationResultRow, SimulationRow, StreamRow
from odyssey_nb.service.refusals import too_many_simulations
from odyssey_nb.wire import script as wire
from odyssey_nb.wire.simulations import ACTIVE, CANCELLABLE, RUNNING, SimulationStatus

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Select
    from sqlalchemy.orm import Session

    from odyssey_nb.service.database import Database
    from odyssey_nb.wire.script import Script

MOST_RETRIES = 1
LOST = "the simulation was lost twice: whoever ran it ended unexpectedly"


class LeaseLostError(Exception):
    """The lease ran out or the simulation was cancelled: stop, and publish nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A lease on a simulation, and what is left to do of it; `done` pictures are there already."""

    id: str
    token: int
    account: str
    portrait: bool
    bypass: bool
    scripts: dict[int, Script]  # by their index
    done: int


class SimulationQueue:
    """The simulations of one database. Leases last `lease_seconds` from each beat."""

    def __init__(
        self,
        database: Database,
        *,
        lease_seconds: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._lease_seconds = lease_seconds
        self._clock = clock

    def submit(
        self, account: str, scripts: list[Script], *, portrait: bool, bypass: bool, limit: int
    ) -> SimulationRow:
        """Let a simulation of `scripts` wait for its turn.

        Raises:
            RefusedError: `limit` of the account's simulations wait or run.
        """
        row = SimulationRow(
            id=str(uuid.uuid4()),
            account=account,
            status=SimulationStatus.PENDING,
            portrait=portrait,
            bypass=bypass,
            scripts=msgspec.json.encode(scripts).decode(),
            created=self._clock(),
            frames_total=sum(map(wire.pictures, scripts)),
        )
        with self._database.begin() as session:
            active = session.scalar(_count(_of(account).where(SimulationRow.status.in_(ACTIVE))))
            if (active or 0) >= limit:
                raise too_many_simulations(active or 0, limit)
            session.add(row)
        return row

    def claim(self) -> Claim | None:
        """Take the simulation whose turn it is, if one waits.

        That is the oldest of the account that has the fewest running; among such, of the one whose
        last turn is longest ago.
        """
        other = aliased(SimulationRow)
        theirs = select(func.count()).where(other.account == SimulationRow.account)
        running = theirs.where(other.status.in_(RUNNING)).scalar_subquery()
        last_turn = (
            select(func.coalesce(func.max(other.dispatched), 0.0))
            .where(other.account == SimulationRow.account)
            .scalar_subquery()
        )
        next_one = (
            select(SimulationRow)
            .where(SimulationRow.status == SimulationStatus.PENDING)
            .order_by(running, last_turn, SimulationRow.created, SimulationRow.id)
            .limit(1)
            .with_for_update(skip_locked=True)  # SQLite has one writer at a time anyway
        )
        with self._database.begin() as session:
            row = session.scalars(next_one).one_or_none()
            if row is None:
                return None
            row.status, row.dispatched = SimulationStatus.DISPATCHED, self._clock()
            row.token += 1
            self._extend(row)
            results = _results(session, row.id)
            row.frames_done = sum(stream.frame_count or 0 for _, stream in results)
            finished = {index for index, _ in results}
            scripts = msgspec.json.decode(row.scripts, type=list[wire.Script])
            return Claim(
                id=row.id,
                token=row.token,
                account=row.account,
                portrait=row.portrait,
                bypass=row.bypass,
                scripts={n: each for n, each in enumerate(scripts) if n not in finished},
                done=row.frames_done,
            )

    def waiting(self) -> int:
        """Return how many simulations wait."""
        pending = select(SimulationRow.id).where(SimulationRow.status == SimulationStatus.PENDING)
        with self._database.begin() as session:
            return session.scalar(_count(pending)) or 0

    def began(self, claim: Claim, stream_id: str) -> None:
        """The first picture of a script is there; `stream_id` is being written.

        Raises:
            LeaseLostError: Also from every method below that takes a claim.
        """
        with self._database.begin() as session:
            row = self._held(session, claim)
            row.status, row.writing = SimulationStatus.PROCESSING, stream_id
            row.started = row.started or self._clock()
            self._extend(row)

    def beat(self, claim: Claim, frames_done: int) -> None:
        """Keep the lease, and note how far the simulation has come."""
        with self._database.begin() as session:
            row = self._held(session, claim)
            row.frames_done = frames_done
            self._extend(row)

    def publish(self, claim: Claim, script_index: int, stream: StreamRow) -> None:
        """A script's recording is whole: it is the account's from now on."""
        with self._database.begin() as session:
            row = self._held(session, claim)
            row.writing = None
            session.add(stream)
            session.flush()
            session.add(
                SimulationResultRow(simulation=row.id, script_index=script_index, stream=stream.id)
            )
            self._extend(row)

    def finish(self, claim: Claim, error: str | None = None) -> None:
        """The simulation is completed, or has failed with an `error`."""
        with self._database.begin() as session:
            row = self._held(session, claim)
            failed = error is not None
            self._end(row, SimulationStatus.FAILED if failed else SimulationStatus.COMPLETED, error)

    def release(self, claim: Claim) -> None:
        """Let the simulation wait again, at no fault of its own."""
        with self._database.begin() as session:
            self._wait_again(self._held(session, claim))

    def lost(self, claim: Claim) -> None:
        """Whoever ran the simulation is gone: it waits again, once."""
        with self._database.begin() as session:
            self._lose(self._held(session, claim))

    def expire(self) -> list[str]:
        """Take back every lease that ran out; return the streams whose files nobody needs."""
        late = select(SimulationRow).where(
            SimulationRow.status.in_(RUNNING), SimulationRow.lease_until < self._clock()
        )
        with self._database.begin() as session:
            rows = session.scalars(late.with_for_update(skip_locked=True)).all()
            orphans = [row.writing for row in rows if row.writing is not None]
            for row in rows:
                self._lose(row)
            return orphans

    def cancel(self, simulation_id: str, account: str) -> tuple[SimulationRow, bool] | None:
        """Cancel a simulation of `account`; return it, and whether that was still possible."""
        with self._database.begin() as session:
            found = _of(account).where(SimulationRow.id == simulation_id).with_for_update()
            row = session.scalars(found).one_or_none()
            if row is None:
                return None
            if row.status not in CANCELLABLE:
                return row, False
            self._end(row, SimulationStatus.CANCELLED)
            return row, True

    def find(
        self, simulation_id: str, account: str
    ) -> tuple[SimulationRow, list[tuple[int, StreamRow]]] | None:
        """Return a simulation of `account` and its results, by the index of their scripts."""
        with self._database.begin() as session:
            found = _of(account).where(SimulationRow.id == simulation_id)
            row = session.scalars(found).one_or_none()
            return None if row is None else (row, _results(session, row.id))

    def page(
        self, account: str, *, status: str | None, active: bool, limit: int, offset: int
    ) -> tuple[list[SimulationRow], int]:
        """Return some of the account's simulations, newest first, and how many there are."""
        mine = _of(account)
        if status is not None:
            mine = mine.where(SimulationRow.status == status)
        if active:
            mine = mine.where(SimulationRow.status.in_(ACTIVE))
        newest = mine.order_by(SimulationRow.created.desc(), SimulationRow.id)
        with self._database.begin() as session:
            rows = list(session.scalars(newest.limit(limit).offset(offset)))
            return rows, session.scalar(_count(mine)) or 0

    def count(self) -> dict[str, int]:
        """Return how many simulations there are of each status."""
        by_status = select(SimulationRow.status, func.count()).group_by(SimulationRow.status)
        with self._database.begin() as session:
            found = dict(session.execute(by_status).all())
        return {str(status): found.get(status, 0) for status in SimulationStatus}

    def active(self, account: str) -> int:
        """Return how many simulations of `account` wait or run."""
        with self._database.begin() as session:
            mine = _of(account).where(SimulationRow.status.in_(ACTIVE))
            return session.scalar(_count(mine)) or 0

    def _held(self, session: Session, claim: Claim) -> SimulationRow:
        row = session.get(SimulationRow, claim.id, with_for_update=True)
        if row is None or row.token != claim.token or row.status not in RUNNING:
            raise LeaseLostError(claim.id)
        return row

    def _extend(self, row: SimulationRow) -> None:
        row.lease_until = self._clock() + self._lease_seconds

    def _lose(self, row: SimulationRow) -> None:
        if row.retries >= MOST_RETRIES:
            self._end(row, SimulationStatus.FAILED, LOST)
        else:
            row.retries += 1
            self._wait_again(row)

    def _wait_again(self, row: SimulationRow) -> None:
        row.status = SimulationStatus.PENDING
        row.lease_until = row.writing = None

    def _end(self, row: SimulationRow, status: SimulationStatus, error: str | None = None) -> None:
        row.status, row.error, row.completed = status, error, self._clock()
        row.lease_until = row.writing = None
        row.scripts = "[]"  # nobody needs them any more, and there may be images in them
        if status == SimulationStatus.COMPLETED:
            row.frames_done = row.frames_total


def _of(account: str) -> Select[SimulationRow]:
    return select(SimulationRow).where(SimulationRow.account == account)


def _count(rows: Select[SimulationRow] | Select[str]) -> Select[int]:
    return select(func.count()).select_from(rows.subquery())


def _results(session: Session, simulation_id: str) -> list[tuple[int, StreamRow]]:
    of_it = (
        select(SimulationResultRow.script_index, StreamRow)
        .join(StreamRow, StreamRow.id == SimulationResultRow.stream)
        .where(SimulationResultRow.simulation == simulation_id)
        .order_by(SimulationResultRow.script_index)
    )
    return [(index, stream) for index, stream in session.execute(of_it)]
