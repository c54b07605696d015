"""Plays the runs of a sweep live, on as many connections as the account has room for."""

from __future__ import annotations

import queue
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from contextvars import copy_context
from typing import TYPE_CHECKING

from odyssey_nb.errors import (
    AuthError,
    ConcurrentLimitError,
    ConnectError,
    LimitError,
    NoStreamerError,
    OdysseyNBError,
    StreamLimitError,
)
from odyssey_nb.kernel.runtime import get_manager
from odyssey_nb.research.sweep.store import OVER, Note, State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from odyssey_nb.config import Target
    from odyssey_nb.kernel.connection import Connection
    from odyssey_nb.research.sweep.plan import Run
    from odyssey_nb.research.sweep.store import Store

MOST_CONNECTIONS = 16
LOOK_SECONDS = 0.2


class Stage:
    """Where runs are played. What is interrupted is not noted, and played from its beginning."""

    def __init__(self, name: str, target: Target, store: Store, runs: Sequence[Run]) -> None:
        self._name, self._target, self._store = name, target, store
        self._left: queue.SimpleQueue[Run] = queue.SimpleQueue()
        for run in runs:
            if run.note.state not in OVER:
                self._left.put(run)
        self._names: list[str] = []  # of the connections
        self._open: dict[str, Connection] = {}
        self._stopping = threading.Event()

    def play(self, at_once: int, progress: Callable[[], None]) -> None:
        """Play what is left, and call `progress` now and then.

        Raises:
            ConcurrentLimitError, NoStreamerError: There is room for no connection at all.
            ConnectError: The service does not answer.
            LimitError: The month is used up, or the account is suspended.
        """
        count = max(1, min(at_once, self._left.qsize(), MOST_CONNECTIONS))
        with ThreadPoolExecutor(count, thread_name_prefix="odyssey-sweep") as pool:
            # Kernels find out by a context variable into which cell a progress bar belongs.
            self._names = [f"{self._name} {number}" for number in range(1, count + 1)]
            players = [pool.submit(copy_context().run, self._player, each) for each in self._names]
            try:
                waiting = set(players)
                while waiting:
                    waiting = wait(waiting, LOOK_SECONDS).not_done
                    progress()
            finally:
                self._stop()
        errors = [error for each in players if (error := each.exception()) is not None]
        if errors and (not self._left.empty() or not all(map(_crowded, errors))):
            raise next((each for each in errors if not _crowded(each)), errors[0])

    def _stop(self) -> None:
        """End what streams, and call off what is being opened; who plays there stops."""
        self._stopping.set()
        for name in self._names:
            with suppress(OdysseyNBError):  # whoever plays there disconnects it too
                get_manager().disconnect(name)

    def _player(self, name: str) -> None:
        """Play one run after the other on a connection of its own."""
        if self._left.empty():
            return
        with self._connected(name) as connection:
            while not self._stopping.is_set():
                try:
                    run = self._left.get_nowait()
                except queue.Empty:
                    return
                try:
                    connection = self._perform(run, connection, name)
                except BaseException:
                    self._left.put(run)
                    raise

    @contextmanager
    def _connected(self, name: str) -> Iterator[Connection]:
        try:
            yield self._connect(name)
        finally:
            connection = self._open.pop(name, None)
            if connection is not None:
                connection.disconnect()

    def _connect(self, name: str) -> Connection:
        connection = get_manager().connect(
            name,
            local=True if self._target.url is None else None,
            url=self._target.url,
            api_key=self._target.api_key,
        )
        self._open[name] = connection
        return connection

    def _perform(self, run: Run, connection: Connection, name: str) -> Connection:
        """Play a run, and note what became of it; return the connection for the next one."""
        if not connection.is_open:  # it came to its limit
            connection = self._connect(name)
        try:
            clip = run.full_script.play(
                connection, orientation=run.orientation, bypass_expansion=run.bypass
            )
        except OdysseyNBError as error:
            if self._stopping.is_set():
                return connection
            if _final(error):
                raise
            self._store.write(run.key, Note(state=State.FAILED, error=error.one_line()))
        else:
            self._store.keep_clip(run.key, clip)
            self._store.write(run.key, Note(state=State.DONE))
        return connection


def _crowded(error: BaseException) -> bool:
    """Whether this is only that others hold what there is."""
    return isinstance(error, (ConcurrentLimitError, ConnectError, NoStreamerError))


def _final(error: OdysseyNBError) -> bool:
    """Whether another run would fare no better."""
    refused = isinstance(error, (AuthError, LimitError))
    return refused and not isinstance(error, StreamLimitError)
