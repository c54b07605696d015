"""The world that every path shows: detailed, moving everywhere, and telling when it was painted.

Its pictures carry their number and the time of their painting, in milliseconds, as black and white
squares that survive every encoder; `exact` paints one of them anew, to compare with.
"""

from __future__ import annotations

from time import time as now
from typing import TYPE_CHECKING, Final

from odyssey_nb.service.worlds.landscape import Landscape
from odyssey_nb.service.worlds.test_pattern import write
from odyssey_nb.wire.stream import LANDSCAPE
from tests.contact_sheet import planes as new_planes

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from odyssey_nb.service.worlds.base import Planes

NAME: Final = "bench_source"
PICTURES_PER_SECOND: Final = 30
# Of six landscapes tried the one with the most detail, and so the largest as JPEG: 111 KB,
# the others 41 to 73. H.264 has the same 3 Mbit/s for each, so this choice favours it in bytes.
PROMPT: Final = "the city on a rainy night"
TIMES: Final = 1 << 32  # milliseconds, after which they begin anew


def _world(width: int, height: int) -> Landscape:
    return Landscape(width=width, height=height, prompt=PROMPT, seed=0)


class Source:
    """The rainy city, whatever is asked for."""

    pictures_per_second = PICTURES_PER_SECOND

    def __init__(
        self,
        *,
        width: int,
        height: int,
        prompt: str,
        seed: int,
        image: NDArray | None = None,
    ) -> None:
        del prompt, seed, image
        self._world = _world(width, height)

    def steer(self, prompt: str) -> None:
        """Go on as before."""

    def paint(self, planes: Planes, *, step: int, time: float) -> None:
        """Paint picture `step`, of a time that is its number's, and stamp it."""
        del time
        self._world.paint(planes, step=step, time=step / PICTURES_PER_SECOND)
        write(planes, step, int(now() * 1000) % TIMES)


def exact(number: int) -> Planes:
    """Return a picture as it was before the encoder, without its strip."""
    world, picture = _world(*LANDSCAPE), new_planes(*LANDSCAPE)
    world.paint(picture, step=0, time=0.0)
    world.paint(picture, step=number, time=number / PICTURES_PER_SECOND)
    return picture


def offer(folder: Path, **worlds: type) -> None:
    """Offer worlds as an installed package does, to processes with `folder` on their path."""
    info = folder / "odyssey_nb_bench-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: odyssey-nb-bench\nVersion: 1\n")
    lines = [f"{name} = {each.__module__}:{each.__name__}" for name, each in worlds.items()]
    (info / "entry_points.txt").write_text("\n".join(["[odyssey_nb.worlds]", *lines, ""]))
