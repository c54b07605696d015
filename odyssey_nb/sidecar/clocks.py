"""When what a connection holds will end: its events, put on the clock."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from odyssey_nb.wire import link as wire

if TYPE_CHECKING:
    from collections.abc import Callable

OPEN = {"connecting", "connected", "reconnecting"}


class Clocks:
    """Follows the events of the connection called `name`; `now` is what they say at present.

    Only durations come from the service, so its clock need not be ours.
    """

    def __init__(self, name: str, *, time: Callable[[], float] = time.time) -> None:
        self.now = wire.Clocks(connection=name)
        self._time = time
        self._stream_seconds = self._idle_seconds = 0.0

    def follow(self, event: wire.Event) -> bool:
        """Follow `event`; return whether that changed anything."""
        before = self.now
        match event.type:
            case "session_granted":
                self._stream_seconds, self._idle_seconds = event.stream_seconds, event.idle_seconds
                self.now = replace(
                    self._idle(), connection_ends=self._time() + event.connection_seconds
                )
            case "stream_changed" if event.state == "streaming" and event.stream_id:
                ends = self._time() + self._stream_seconds
                self.now = replace(self.now, stream_ends=ends, idle_since=0, idle_ends=0)
            case "stream_changed" if event.state == "none":
                self.now = self._idle()
            case "status_changed" if event.status not in OPEN:
                self.now = wire.Clocks(connection=self.now.connection)
        return self.now != before

    def spend_until(self, ends: float) -> None:
        """What the user allowed is used up at `ends`, in epoch seconds; 0: never."""
        self.now = replace(self.now, budget_ends=ends)

    def _idle(self) -> wire.Clocks:
        now = self._time()
        return replace(self.now, stream_ends=0, idle_since=now, idle_ends=now + self._idle_seconds)
