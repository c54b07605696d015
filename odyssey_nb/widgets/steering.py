"""Steering with what changes often: one prompt under way, the newest wins, at most so many."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from odyssey_nb.errors import OdysseyNBError
from odyssey_nb.kernel.runtime import get_manager

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)

EVERY_SECONDS = 0.25  # between two prompts, however fast a control moves


class NewestWins:
    """Runs `work` on the newest value, one at a time; values given meanwhile replace each other.

    Two begin at least `every` seconds apart. A thread exists only while there is work.
    """

    def __init__(self, work: Callable[[str], None], *, every: float = 0.0) -> None:
        self._work = work
        self._every = every
        self._earliest = 0.0
        self._lock = threading.Lock()
        self._next: str | None = None
        self._running = False

    @property
    def waiting(self) -> bool:
        """Whether a value waits that `work` does not have yet."""
        return self._next is not None

    def put(self, value: str) -> None:
        """Let `work` have `value` as soon as it is free, unless a newer one comes first."""
        with self._lock:
            self._next = value
            if self._running:
                return
            self._running = True
        thread = threading.Thread(target=self._run, name="odyssey-sliders", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            self._running = False
            raise

    def _run(self) -> None:
        while True:
            time.sleep(max(0.0, self._earliest - time.monotonic()))
            with self._lock:
                value, self._next = self._next, None
                if value is None:
                    self._running = False
                    return
            self._earliest = time.monotonic() + self._every
            try:
                self._work(value)
            except Exception:
                log.exception("steering failed")  # the next value may fare better


@dataclass
class Standing:
    """How it stands with one stream: what was sent to it, and what it applied."""

    on: str  # the connection's name
    sent: str = ""
    applied: str = ""
    problem: str = ""
    seconds: float = 0.0  # from sending to the acknowledgement
    pending: bool = False


class Steering:
    """Steers the streams of several connections, each at its own pace; a missing one is started."""

    def __init__(
        self, connections: list[str], *, every: float, changed: Callable[[], None]
    ) -> None:
        self._standings = [Standing(on) for on in connections]
        self._changed = changed
        self._pacers = [
            NewestWins(lambda prompt, at=at: self._steer(at, prompt), every=every)  # type: ignore[misc]
            for at in range(len(connections))
        ]

    @property
    def standings(self) -> list[dict[str, Any]]:
        """How it stands with each stream."""
        return [
            asdict(standing) | {"pending": standing.pending or pacer.waiting}
            for standing, pacer in zip(self._standings, self._pacers, strict=True)
        ]

    def put(self, prompt: str) -> None:
        """Let every stream have `prompt`, unless a newer one comes first."""
        for standing, pacer in zip(self._standings, self._pacers, strict=True):
            standing.pending = True
            pacer.put(prompt)
        self._changed()

    def _steer(self, at: int, prompt: str) -> None:
        standing, began = self._standings[at], time.monotonic()
        standing.sent, standing.problem, standing.pending = prompt, "", True
        self._changed()
        try:
            connection = get_manager()[standing.on]
            stream = connection.stream
            if stream is None:
                stream = connection.start(prompt, orientation=connection.orientation)
                standing.applied = stream.prompt
            else:
                standing.applied = stream.interact(prompt)
        except OdysseyNBError as error:
            standing.problem = error.one_line()
        finally:
            standing.seconds = round(time.monotonic() - began, 3)
            standing.pending = self._pacers[at].waiting  # a newer one may
        self._changed()
