"""A thread that writes down what a stream hands out, without ever making the stream wait."""

from __future__ import annotations

import logging
import queue
import threading
from typing import TYPE_CHECKING, Generic, TypeVar

from av import FFmpegError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

log = logging.getLogger(__name__)

MOST_WAITING = 200  # items: ten seconds of pictures
CLOSE_SECONDS = 5.0

T = TypeVar("T")


class Scribe(Generic[T]):
    """Hands what is `put` to `write`, on a thread of its own, until `close`.

    When the disk is full, or so slow that `MOST_WAITING` items wait, it writes nothing more and is
    `broken`. Whoever has time may have the `patience` to wait for the disk, so many seconds.
    """

    def __init__(
        self, name: str, write: Callable[[Iterator[T]], None], *, patience: float = 0
    ) -> None:
        self._name = name
        self._write = write
        self._patience = patience
        self._inbox: queue.Queue[tuple[T] | None] = queue.Queue(MOST_WAITING)
        self.broken = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def put(self, item: T) -> None:
        """Have `item` written; returns at once if there is no patience."""
        if self.broken:
            return
        try:
            self._inbox.put((item,), timeout=self._patience)
        except queue.Full:
            self.broken = True
            log.exception("the disk is too slow for the %s, which ends here", self._name)

    def close(self) -> None:
        """Write what waits and close the files; waits `CLOSE_SECONDS` at most."""
        try:
            self._inbox.put(None, timeout=CLOSE_SECONDS)
        except queue.Full:
            return  # the thread hangs in the file system; what is on disk can be read
        self._thread.join(CLOSE_SECONDS)

    def _run(self) -> None:
        try:
            self._write(self._items())
        except (OSError, FFmpegError):
            log.exception("the %s failed; the stream goes on", self._name)
            self.broken = True

    def _items(self) -> Iterator[T]:
        while (found := self._inbox.get()) is not None:
            yield found[0]
