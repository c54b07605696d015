"""How soon a prompt shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from odyssey_nb.errors import UsageError
from odyssey_nb.research.metrics.coherence import thumbnail
from odyssey_nb.research.metrics.series import Estimate, each_of, times_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from odyssey_nb.media.clip import Clip
    from odyssey_nb.research.metrics.coherence import Embed

WINDOW = 3.0  # seconds after a prompt within which it has to show
IN_A_ROW = 2  # pictures that differ, of which the first counts
FALSE_ALARM = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class Response:
    """How soon each prompt showed.

    Attributes:
        prompts: What was applied, and from when on it is counted, in seconds: from when it was
            sent, or, where nobody knows that, from when it was applied.
        delays: For each the seconds to the first picture that differs by more than the stream's own
            motion; None where none did.
        null: How often a moment without a prompt would have counted as an answer; 0 to 1.
        moments: How many such moments there were.
        acknowledged: For each prompt the seconds until the service said what it applies; None where
            nobody knows.
    """

    prompts: tuple[tuple[float, str], ...]
    delays: tuple[float | None, ...]
    null: float
    moments: int
    acknowledged: tuple[float | None, ...] = ()

    @property
    def answered(self) -> int:
        """How many prompts showed."""
        return sum(each is not None for each in self.delays)

    @property
    def delay(self) -> Estimate:
        """Mean delay in seconds of those that did, with its interval."""
        return Estimate.of([each for each in self.delays if each is not None])

    @property
    def acknowledgement(self) -> Estimate:
        """Mean seconds until a prompt was acknowledged, with its interval."""
        return Estimate.of([each for each in self.acknowledged if each is not None])

    @property
    def parts(self) -> dict[str, tuple[float, ...]]:
        """The seconds of each interaction from one moment to the next, of those that had both.

        A picture may differ before the acknowledgement is here: then that part is below 0.
        """
        told = self.acknowledged or (None,) * len(self.delays)
        pairs = list(zip(told, self.delays, strict=True))
        first = "sent" if any(each is not None for each in told) else "applied"
        parts = {
            "sent → acknowledged": tuple(each for each in told if each is not None),
            "acknowledged → seen": tuple(
                seen - known for known, seen in pairs if known is not None and seen is not None
            ),
            f"{first} → seen": tuple(each for each in self.delays if each is not None),
        }
        return {name: values for name, values in parts.items() if values}

    def __repr__(self) -> str:
        said = f"<responsiveness: {self.answered} of {len(self.delays)} prompts show"
        if self.answered:
            said += f" after {self.delay.mean:.2f} s"
        return f"{said}; {self.null:.0%} of {self.moments} moments without one would have>"


def responsiveness(
    clip: Clip,
    *,
    prompts: Sequence[tuple[float, str]] | None = None,
    window: float = WINDOW,
    embed: Embed = thumbnail,
) -> Response:
    """Return how soon prompts show in a clip, beyond what its pictures do by themselves.

    Where the clip knows when a prompt was sent, that is from when on it counts; see `Clip.events`.
    `respond` does the same with a stream that runs.

    A picture differs that is much farther from the last one before the prompt than pictures as far
    apart in time usually are without a prompt between them; two in a row must. How much is set by
    moments of the same stream without a prompt: 5 % of them may count as answered within the
    window. That this holds is told as `null`.

    >>> metrics.responsiveness(stream.last(60))

    Args:
        clip: A stretch of a stream with some seconds without a prompt.
        prompts: When, in seconds, and what; left out, those of the clip that were not its first.
        window: Seconds within which a prompt has to show.
        embed: Describes a picture by a vector; distances are Euclidean.

    Raises:
        UsageError: The clip has no prompt, or no time without one to compare with.
    """
    times = times_of(clip)
    said = _said(clip) if prompts is None else [_Said(*each, times) for each in prompts]
    said = [each for each in said if each.clock[0] < each.when < each.clock[-1]]
    if not said:
        raise UsageError("no prompt was applied within the clip", hint="Call stream.interact(…).")
    vectors = np.array([embed(each) for each in each_of(clip, least=IN_A_ROW + 1)], np.float64)
    step = float(np.median(np.diff(times)))
    reach = max(IN_A_ROW + 1, round(window / step))
    begins = [int(np.searchsorted(each.clock, each.when, side="right")) - 1 for each in said]
    quiet = _quiet(len(times), begins, reach)
    if len(quiet) < 20:
        raise UsageError(
            f"the clip has {len(quiet) * step:.1f} s without a prompt to compare with",
            hint="Take a longer clip, or wait longer between prompts.",
        )
    null = np.array([_distances(vectors, at, reach) for at in quiet])
    usual = np.maximum(np.median(null, axis=0), 1e-9)
    ratios = null / usual
    in_a_row = np.minimum.reduce([ratios[:, n : reach - IN_A_ROW + 1 + n] for n in range(IN_A_ROW)])
    usual *= np.quantile(in_a_row.max(axis=1), 1 - FALSE_ALARM)
    found = [_first(_distances(vectors, at, reach), usual) for at in begins]
    delays = tuple(
        None if first is None else float(each.clock[at + first] - each.when)
        for each, at, first in zip(said, begins, found, strict=True)
    )
    false = [_first(each, usual) is not None for each in null]
    return Response(
        prompts=tuple((each.when, each.words) for each in said),
        delays=delays,
        null=float(np.mean(false)),
        moments=len(false),
        acknowledged=tuple(each.acknowledged for each in said),
    )


class _Said(NamedTuple):
    """A prompt, from when on it counts, on which clock of the pictures, and its acknowledgement."""

    when: float
    words: str
    clock: NDArray[np.float64]
    acknowledged: float | None = None  # seconds later


def _said(clip: Clip) -> list[_Said]:
    """Return the prompts of `clip`: those whose sending is known by when pictures came."""
    times, found = np.asarray(clip.times), list[_Said]()
    for each in clip.events:
        if each["type"] != "interact":
            continue
        if "sent" in each:
            came, after = np.asarray(clip.arrivals), each["acknowledged"] - each["sent"]
            found.append(_Said(each["sent"], each["applied_prompt"], came, after))
        else:
            found.append(_Said(each["time"], each["applied_prompt"], times))
    return found


def _quiet(length: int, begins: list[int], reach: int) -> list[int]:
    """Return the pictures after which no prompt comes within reach, nor came just before."""
    barred = np.zeros(length, bool)
    for at in begins:
        barred[max(0, at - reach) : at + reach] = True
    return [each for each in range(length - reach) if not barred[each]]


def _distances(vectors: NDArray[np.float64], at: int, reach: int) -> NDArray[np.float64]:
    """Return how far the next pictures are from picture `at`; beyond the end nothing is far."""
    after = vectors[at + 1 : at + 1 + reach] - vectors[at]
    found = np.zeros(reach)
    found[: len(after)] = np.linalg.norm(after, axis=1)
    return found


def _first(distances: NDArray[np.float64], usual: NDArray[np.float64]) -> int | None:
    """Return how many pictures on the first is of those in a row that are too far."""
    far = distances > usual * (1 + 1e-9)
    for index in range(len(far) - IN_A_ROW + 1):
        if far[index : index + IN_A_ROW].all():
            return index + 1
    return None
