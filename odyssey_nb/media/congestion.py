"""What a line can carry, told from what its far end reports of it."""

from __future__ import annotations

from math import exp
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

LEAST = 200_000  # bit/s; below it there is nothing to see
LITTLE_LOSS, MUCH_LOSS = 0.02, 0.1  # shares of the packets
GROWTH = 1.08  # in a second
QUEUE_SECONDS = 0.15  # that packets wait longer for than when nothing was in their way
REACTION_SECONDS = 0.3  # between two cuts, so that the first can show
SILENCE_SECONDS = 2.0  # what a report may stand for, however long ago the last one was
NARROW, WIDE = 500_000, 750_000  # bit/s; at full rate less makes a blur
NARROW_SECONDS, WIDE_SECONDS = 3.0, 5.0


class BitrateController:
    """Sets the bitrate of an encoder by what one receiver reports.

    It is the loss-based controller of Google congestion control (draft-ietf-rmcat-gcc-02, section
    6): little loss lets the bitrate grow, much takes half of the lost share away, and between the
    two it stays. The receiver's estimate (REMB) lowers the bitrate at once where its reports bear
    it out, by losses or a round trip that has grown: it is made of delays between packets, which a
    busy machine has too. And it lowers it only to below what is really sent: an estimate keeps
    close to what arrives, so that one made of calm pictures says nothing about the line.

    The bitrate is never above `ceiling`, nor below `LEAST`. While it is too low for every picture
    (`NARROW` for some seconds, until it has been `WIDE` for some), the line `is_narrow`.

    Not thread-safe, but its attributes may be read from any thread. `clock` is in seconds.
    """

    def __init__(self, ceiling: int, clock: Callable[[], float]) -> None:
        self.bitrate = self._ceiling = ceiling
        self.is_narrow = False
        self._clock = clock
        self._sending = 0.0  # bit/s, an average over about a second
        self._sent_at = self._reported_at = clock()
        self._cut_at = float("-inf")
        self._least_trip = float("inf")  # seconds
        self._is_strained = False  # by the last report
        self._turning: float | None = None  # since when the line looks different from `is_narrow`

    def sent(self, size: int) -> None:
        """So many bytes were sent."""
        now = self._clock()
        self._sending = self._sending_at(now) + 8 * size
        self._sent_at = now

    def reported(self, lost: float, round_trip: float | None = None) -> None:
        """Take a report.

        Args:
            lost: The share of packets that the receiver misses since its last report, 0 to 1.
            round_trip: There and back, in seconds; ``None`` where it is not known.
        """
        now = self._clock()
        passed = min(max(now - self._reported_at, 0.0), SILENCE_SECONDS)
        self._reported_at = now
        self._is_strained = lost >= LITTLE_LOSS
        if round_trip is not None:
            self._least_trip = min(self._least_trip, round_trip)
            self._is_strained |= round_trip > self._least_trip + QUEUE_SECONDS
        if lost < LITTLE_LOSS:
            self._set(self.bitrate * GROWTH**passed, now)
        elif lost > MUCH_LOSS and now - self._cut_at >= REACTION_SECONDS:
            self._cut_at = now
            self._set(self.bitrate * (1 - lost / 2), now)
        else:
            self._set(self.bitrate, now)

    def estimated(self, bitrate: int) -> None:
        """The receiver believes that no more than `bitrate`, in bit/s, gets through."""
        now = self._clock()
        if self._is_strained and bitrate < self._sending_at(now):
            self._set(min(self.bitrate, bitrate), now)

    def _sending_at(self, now: float) -> float:
        return self._sending * exp(self._sent_at - now)

    def _set(self, bitrate: float, now: float) -> None:
        self.bitrate = round(min(max(bitrate, LEAST), self._ceiling))
        turns = self.bitrate >= WIDE if self.is_narrow else self.bitrate < NARROW
        if not turns:
            self._turning = None
        elif self._turning is None:
            self._turning = now
        elif now - self._turning >= (WIDE_SECONDS if self.is_narrow else NARROW_SECONDS):
            self.is_narrow, self._turning = not self.is_narrow, None
