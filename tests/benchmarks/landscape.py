"""What a landscape's pictures cost in CPU time: ``python -m tests.benchmarks.landscape``."""

from __future__ import annotations

from statistics import median, quantiles
from time import process_time
from typing import TYPE_CHECKING, Final

import numpy as np

from odyssey_nb.service.worlds.base import PICTURES_PER_SECOND
from odyssey_nb.service.worlds.landscape import Landscape
from tests.contact_sheet import photograph, planes

if TYPE_CHECKING:
    from numpy.typing import NDArray

PROMPTS: Final = (
    "a clear day in the meadow",
    "a forest at dawn",
    "dense fog in the forest at night",
    "a desert at noon",
    "sunset over the sea",
    "a thunderstorm over the sea at night",
    "heavy snow in the mountains",
    "the city on a rainy night",
    "a lake at dusk",
)
SIZES: Final = ((1280, 704), (704, 1280))
PICTURES: Final = 100


def measure(
    prompt: str,
    width: int,
    height: int,
    *,
    steer: str | None = None,
    image: NDArray[np.uint8] | None = None,
) -> list[float]:
    """Return the CPU time of each picture in milliseconds; the first includes making the world."""
    picture = planes(width, height)
    begun = process_time()
    world = Landscape(width=width, height=height, prompt=prompt, seed=1, image=image)
    spent = []
    for step in range(PICTURES):
        if steer is not None and step == PICTURES // 4:
            world.steer(steer)
        world.paint(picture, step=step, time=step / PICTURES_PER_SECOND)
        ended = process_time()
        spent.append((ended - begun) * 1000)
        begun = ended
    return spent


def report(label: str, spent: list[float]) -> None:
    """Print one line about a run."""
    usual = spent[1:]
    print(
        f"{label:58s} first {spent[0]:6.1f}  median {median(usual):5.2f}"
        f"  p95 {quantiles(usual, n=20)[-1]:5.2f}  most {max(usual):5.1f}"
    )


if __name__ == "__main__":
    print("milliseconds of CPU per picture")
    for width, height in SIZES:
        for prompt in PROMPTS:
            report(f"{width}x{height} {prompt}", measure(prompt, width, height))
    image = np.asarray(photograph("a clear day in the mountains"))
    report("on an image: rain and fog", measure("rain and fog", 1280, 704, image=image))
    report("steered: day to night", measure("a meadow at noon", 1280, 704, steer="it gets dark"))
    report("steered: forest to city", measure("a forest", 1280, 704, steer="a city at night"))
