"""What a world is: prompts in, pictures out, one step at a time.

A world is created for one stream and is driven by its streamer, in the streamer's process and on
one thread: `steer` whenever a prompt arrives, `paint` once for every picture. Other packages offer
worlds through the entry-point group ``odyssey_nb.worlds``: the entry's name is what
``--world NAME`` takes, its value a callable with the signature of `WorldFactory`.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Protocol

from odyssey_nb.errors import UnknownWorldError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PICTURES_PER_SECOND = 20  # one picture per 50 ms: model overview page (protocol section 8)


@dataclass(frozen=True, slots=True)
class Planes:
    """The three planes of a yuv420p picture, to be painted in place.

    BT.601 limited range, as H.264 decoders assume when a stream does not say otherwise: luma 16 to
    235, chroma 16 to 240 with 128 for grey. `width` and `height` are even.
    """

    y: NDArray[np.uint8]  # (height, width)
    u: NDArray[np.uint8]  # (height / 2, width / 2)
    v: NDArray[np.uint8]  # (height / 2, width / 2)


class World(Protocol):
    """One run of a world, from its first prompt to its end."""

    def steer(self, prompt: str) -> str:
        """Let `prompt` act from the next picture on, and return it as the world understood it."""

    def paint(self, planes: Planes, *, step: int, time: float) -> None:
        """Paint picture number `step` (from 0), `time` seconds after the first, into `planes`.

        The planes still hold what was painted before; every pixel must be written.
        """


class WorldFactory(Protocol):
    """Makes the world for one stream; sizes in pixels, the same `seed` the same world."""

    def __call__(self, *, width: int, height: int, prompt: str, seed: int) -> World:
        """Begin a world with `prompt`."""


def find_world(name: str) -> WorldFactory:
    """Return the factory of the world called `name`.

    Raises:
        UnknownWorldError: No installed package offers a world of that name.
    """
    found = entry_points(group="odyssey_nb.worlds")
    if name not in found.names:
        raise UnknownWorldError(name, sorted(found.names))
    factory: WorldFactory = found[name].load()
    return factory
