"""Values in time, and how sure a figure is over repeats."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from odyssey_nb.errors import UsageError
from odyssey_nb.media.clip import Clip

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    Pictures = Clip | NDArray[np.uint8]

COLUMNS = 320  # that a clip's pictures are scaled to
PICTURES_PER_SECOND = 20.0  # of an array, which does not say
LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # of R, G, B: ITU-R BT.601


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """A figure of each picture.

    Attributes:
        name: What it is.
        unit: What it is counted in.
        times: When, in seconds since the stream began; shape (n,).
        values: How much; shape (n,).
    """

    name: str
    unit: str
    times: NDArray[np.float64]
    values: NDArray[np.float64]

    @property
    def mean(self) -> float:
        """Of all values."""
        return float(self.values.mean())

    def by_segment(self, clip: Clip) -> dict[str, float]:
        """Return the mean while each prompt was applied, by prompt; equal prompts together.

        >>> metrics.motion(clip).by_segment(clip)
        """
        found: dict[str, list[float]] = {}
        for prompt, segment in zip(clip.prompts, clip.segments, strict=True):
            inside = np.isin(self.times, segment.times)
            if inside.any():
                found.setdefault(prompt, []).extend(self.values[inside].tolist())
        return {prompt: float(np.mean(values)) for prompt, values in found.items()}

    def __len__(self) -> int:
        return len(self.values)

    def __repr__(self) -> str:
        return f"<{self.name}: mean {self.mean:.3g} {self.unit}, {len(self)} values>"


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over repeats, and where it is with so much confidence."""

    mean: float
    low: float
    high: float
    n: int
    level: float = 0.95

    @classmethod
    def of(cls, values: Sequence[float], *, level: float = 0.95) -> Estimate:
        """Return the mean of independent repeats with Student's interval (Student 1908).

        It holds for means of values that are about normal; with a single value it is infinite.

        Raises:
            UsageError: There are no values.
        """
        if not len(values):
            raise UsageError("nothing was repeated", hint="Give one clip for each repeat.")
        n, mean = len(values), float(np.mean(values))
        if n == 1:
            return cls(mean, -np.inf, np.inf, n, level)
        reach = student(n - 1, level) * float(np.std(values, ddof=1)) / n**0.5
        return cls(mean, mean - reach, mean + reach, n, level)

    def __str__(self) -> str:
        return f"{self.mean:.3g} ({self.low:.3g} to {self.high:.3g}, {self.level:.0%}, n={self.n})"


def over(
    metric: Callable[[Pictures], Series | float], clips: Iterable[Pictures], *, level: float = 0.95
) -> Estimate:
    """Return the mean of a metric over clips that repeat the same, with its interval.

    >>> metrics.over(metrics.motion, [each.clip() for each in simulation.recordings])

    Args:
        metric: What gives a `Series`, of which the mean counts, or a number.
        clips: Independent repeats.
        level: Of confidence, between 0 and 1.
    """
    found = [metric(each) for each in clips]
    means = [each.mean if isinstance(each, Series) else float(each) for each in found]
    return Estimate.of(means, level=level)


def student(freedom: float, level: float) -> float:
    """Return the t within which Student's distribution has `level` of its mass.

    Its density is summed up numerically, on t = tan(angle), which makes the range finite.
    """
    edges = np.linspace(0, np.pi / 2, 20_001)
    tangents = np.tan((edges[1:] + edges[:-1]) / 2)
    density = (1 + tangents**2 / freedom) ** (-(freedom + 1) / 2) * (1 + tangents**2)
    mass = np.concatenate([[0.0], np.cumsum(density)])
    return float(np.tan(np.interp(level * mass[-1], mass, edges)))


def times_of(pictures: Pictures) -> NDArray[np.float64]:
    """Return when each picture was shown, in seconds; an array has 20 per second."""
    if isinstance(pictures, Clip):
        return np.asarray(pictures.times, np.float64)
    return np.arange(len(pictures)) / PICTURES_PER_SECOND


def each_of(pictures: Pictures, *, least: int = 1) -> Iterator[NDArray[np.uint8]]:
    """Yield one picture after the other: (height, width, 3), uint8, RGB.

    Raises:
        UsageError: There are fewer than `least`, or the array has another shape.
    """
    if isinstance(pictures, Clip):
        pictures = pictures.resize(COLUMNS) if len(pictures) else pictures
    elif pictures.ndim != 4 or pictures.shape[3] != 3 or pictures.dtype != np.uint8:
        raise UsageError(
            f"pictures are (T, height, width, 3) of uint8, not {pictures.shape} {pictures.dtype}",
            hint="Give a clip, or its frames.",
        )
    if len(pictures) < least:
        raise UsageError(
            f"this needs {least} pictures, not {len(pictures)}", hint="Take a longer clip."
        )
    return iter(pictures)


def luma(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return how bright each pixel is: (height, width), from 0 to 255."""
    made: NDArray[np.float32] = picture @ LUMA
    return made
