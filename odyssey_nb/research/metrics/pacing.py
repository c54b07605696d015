"""How evenly pictures came."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from odyssey_nb.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from odyssey_nb.media.clip import Clip


@dataclass(frozen=True, slots=True, eq=False)
class Pacing:
    """The pace of a clip.

    Attributes:
        fps: Pictures per second, from the first to the last.
        jitter: Standard deviation of the time between two pictures, in seconds.
        freezes: When pictures stood still, by the rule of W3C's webrtc-stats for `freezeCount`, as
            pairs of start and length in seconds.
        times: When pictures were shown, in seconds; shape (n,).
    """

    fps: float
    jitter: float
    freezes: tuple[tuple[float, float], ...]
    times: NDArray[np.float64]

    @property
    def frozen(self) -> float:
        """Seconds in which pictures stood still."""
        return sum(length for _, length in self.freezes)

    def __repr__(self) -> str:
        return (
            f"<pacing: {self.fps:.1f} pictures per second, jitter {1000 * self.jitter:.1f} ms, "
            f"{len(self.freezes)} freezes>"
        )


def pacing(clip: Clip | Sequence[float]) -> Pacing:
    """Return the pace of a clip, or of times in seconds.

    A picture is late, and the one before it frozen, if the time between them is larger than both
    three times the average and the average and 150 ms (W3C webrtc-stats, `freezeCount`).

    Raises:
        UsageError: There are fewer than two pictures.
    """
    times = np.asarray(getattr(clip, "times", clip), np.float64)
    if len(times) < 2:
        raise UsageError(f"a pace needs two pictures, not {len(times)}", hint="Take a longer clip.")
    gaps = np.diff(times)
    average = float(gaps.mean())
    late = gaps > max(3 * average, average + 0.15)
    freezes = tuple(zip(times[:-1][late].tolist(), gaps[late].tolist(), strict=True))
    return Pacing(1 / average, float(gaps.std()), freezes, times)
