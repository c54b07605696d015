"""Whether a world stays itself: likeness over time, against distance, and after a return."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from odyssey_nb.errors import UsageError
from odyssey_nb.research.metrics.series import Estimate, Series, each_of, times_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from odyssey_nb.research.metrics.series import Pictures

    Embed = Callable[[NDArray[np.uint8]], NDArray[np.floating]]

LAGS = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0)  # seconds
CELLS = 24, 14  # of a picture, columns and rows, whose colours describe it
LIKENESS = "likeness"  # a cosine, from -1 to 1


def thumbnail(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Describe a picture by the mean colours of 24 × 14 cells, around their own mean.

    It takes no model: it knows what is where in which colour, and nothing of what it means.
    """
    columns, rows = CELLS
    height, width = picture.shape[:2]
    top, left = np.arange(rows) * height // rows, np.arange(columns) * width // columns
    sums = np.add.reduceat(np.add.reduceat(picture.astype(np.float32), top), left, axis=1)
    areas = np.outer(np.diff([*top, height]), np.diff([*left, width]))
    cells = sums / areas[..., None]
    described: NDArray[np.float32] = (cells - cells.mean()).ravel()
    return described


@dataclass(frozen=True, slots=True, eq=False)
class Coherence:
    """How alike pictures are that lie so far apart.

    Attributes:
        lags: How far, in seconds; shape (n,).
        likeness: For each, the mean cosine over pairs of pictures; its interval is over stretches
            of the clip that do not overlap, as neighbouring pairs tell the same.
    """

    lags: NDArray[np.float64]
    likeness: tuple[Estimate, ...]

    def __repr__(self) -> str:
        pairs = zip(self.lags, self.likeness, strict=True)
        return f"<coherence: {', '.join(f'{lag:g} s {each.mean:.2f}' for lag, each in pairs)}>"


def coherence(
    pictures: Pictures, lags: Sequence[float] = LAGS, *, embed: Embed = thumbnail
) -> Coherence:
    """Return how alike pictures are against their distance in time.

    The cosine of what `embed` makes of two pictures, as VBench's consistency is of DINO's, but for
    each distance: a world that keeps its place stays up, one that forgets falls.

    >>> metrics.coherence(clip, lags=[1, 5, 10])
    >>> metrics.coherence(clip, embed=dino)  # dino: (height, width, 3) uint8 -> vector

    Args:
        pictures: What to measure.
        lags: Distances in seconds; those that the clip does not have are left out.
        embed: Describes a picture by a vector.

    Raises:
        UsageError: The clip is shorter than every lag.
    """
    times, vectors = times_of(pictures), _vectors(pictures, embed)
    kept, found = [], []
    for lag in lags:
        later = np.searchsorted(times, times + lag - 1e-6)
        first = np.flatnonzero(later < len(times))
        if not len(first) or lag <= 0:
            continue
        likeness = np.einsum("ij,ij->i", vectors[first], vectors[later[first]])
        stretches = ((times[first] - times[0]) // lag).astype(int)
        means = [float(likeness[stretches == each].mean()) for each in np.unique(stretches)]
        kept.append(lag)
        found.append(Estimate.of(means))
    if not kept:
        raise UsageError(
            f"the clip of {times[-1] - times[0]:.1f} s has none of these lags",
            hint="Give shorter lags, or take a longer clip.",
        )
    return Coherence(np.array(kept, np.float64), tuple(found))


def drift(pictures: Pictures, *, embed: Embed = thumbnail) -> Series:
    """How alike each picture is to the first: 1 at first, then a cosine from -1 to 1."""
    vectors = _vectors(pictures, embed)
    return Series("drift", LIKENESS, times_of(pictures), (vectors @ vectors[0]).astype(float))


def return_to_start(pictures: Pictures, *, seconds: float = 0.5, embed: Embed = thumbnail) -> float:
    """How much of what was lost on the way is back at the end, for a way that leads back.

    (e - m) / (1 - m), where e is the likeness of the last `seconds` to the first picture, and m the
    least on the way: 1 is all of it, 0 nothing. A way on which nothing changes is 1.
    """
    way = drift(pictures, embed=embed)
    end = float(way.values[way.times >= way.times[-1] - seconds].mean())
    least = float(way.values.min())
    return 1.0 if least > 1 - 1e-6 else (end - least) / (1 - least)


def _vectors(pictures: Pictures, embed: Embed) -> NDArray[np.float64]:
    """Return what `embed` makes of each picture, each of length 1; of a plain one it is 0."""
    made = np.array([embed(each) for each in each_of(pictures)], np.float64)
    lengths = np.linalg.norm(made, axis=1, keepdims=True)
    vectors: NDArray[np.float64] = np.divide(
        made, lengths, out=np.zeros_like(made), where=lengths > 0
    )
    return vectors
