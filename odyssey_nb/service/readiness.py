"""Whether the service could serve a session now, part by part."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from odyssey_nb.wire.operations import Readiness

if TYPE_CHECKING:
    from collections.abc import Callable

    from odyssey_nb.service.database import Database
    from odyssey_nb.service.pool import StreamerPool
    from odyssey_nb.service.sessions import SessionTable
    from odyssey_nb.service.storage import Storage

log = logging.getLogger(__name__)

ANSWER_SECONDS = 2.0  # what a part gets to answer
FREE_BYTES = 100_000_000  # on the media's disk; 150 s at the usual rate take a third of that
OK, READY, NOT_READY = "ok", "ready", "not ready"


class Probe:
    """Asks each part that a session needs."""

    def __init__(
        self, table: SessionTable, pool: StreamerPool, database: Database, storage: Storage
    ) -> None:
        self._table = table
        self._pool = pool
        self._database = database
        self._storage = storage

    async def ask(self) -> Readiness:
        """Return what each part says; answers within `ANSWER_SECONDS`, whatever hangs."""
        database, media = await asyncio.gather(
            _answer("database", self._database.ping), _answer("media", self._room)
        )
        parts = {
            "service": "stopping" if self._table.closed else OK,
            "streamer": OK if self._pool.is_warm() else "none is warm",
            "database": database,
            "media": media,
        }
        ready = all(said == OK for said in parts.values())
        return Readiness(status=READY if ready else NOT_READY, parts=parts)

    def _room(self) -> None:
        free = self._storage.room()
        if free < FREE_BYTES:
            raise OSError(f"{free / 1e6:.0f} MB free, {FREE_BYTES / 1e6:.0f} MB are needed")


async def _answer(part: str, check: Callable[[], object]) -> str:
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            await asyncio.to_thread(check)
    except TimeoutError:
        return "does not answer"
    except OSError as error:
        return error.strerror or str(error)
    except SQLAlchemyError as error:
        # Its text may hold the database's URL and rows.
        log.warning("the %s is not ready: %s", part, type(error).__name__)
        return "fails"
    return OK
