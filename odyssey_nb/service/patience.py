"""A deadline for whoever sends a request slowly, head and body together.

uvicorn bounds the time between two requests and not that of one, so a client that sends a byte now
and then would keep its connection, and what waits for the rest, for good.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import asyncio

ARRIVING = (h11.IDLE, h11.SEND_BODY)


class PatientProtocol(H11Protocol):
    """HTTP/1.1 whose requests arrive within `seconds`; a connection that is slower is closed."""

    seconds = 120.0
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first request."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Take a part of a request, and stop the clock with its last."""
        super().data_received(data)
        if self.conn.their_state in ARRIVING:
            self._wait()
        else:
            self._stop()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing will arrive any more."""
        self._stop()
        super().connection_lost(exc)

    def _wait(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(self.seconds, self._too_late)

    def _stop(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_late(self) -> None:
        self._deadline = None
        self.transport.close()


def patient(seconds: float) -> type[PatientProtocol]:
    """Return the protocol with this deadline, as uvicorn takes it."""
    return type("PatientProtocol", (PatientProtocol,), {"seconds": seconds})
