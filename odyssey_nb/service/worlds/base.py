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

import numpy as np

from odyssey_nb.errors import UnknownWorldError
from odyssey_nb.wire.stream import PICTURES_PER_SECOND as PICTURES_PER_SECOND

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Planes:
    """The three planes of a yuv420p picture, to be painted in place.

    BT.601 limited range, as H.264 decoders assume when a stream does not say otherwise: luma 16 to
    235, chroma 16 to 240 with 128 for grey. `width` and `height` are even.
    """

    y: NDArray[np.uint8]  # (height, width)
    u: NDArray[np.uint8]  # (height / 2, width / 2)
    v: NDArray[np.uint8]  # (height / 2, width / 2)


def planes_of(image: NDArray[np.uint8]) -> Planes:
    """Return `image`, RGB of shape (height, width, 3) with even sides, as planes of its own."""
    import av

    from odyssey_nb.media.pixels import Pixels

    height, width = image.shape[:2]
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
    packed = Pixels().array(frame, "yuv")
    y, u, v = np.split(packed.ravel(), (height * width, height * width * 5 // 4))
    half = height // 2, width // 2
    return Planes(y.reshape(height, width), u.reshape(half), v.reshape(half))


class World(Protocol):
    """One run of a world, from its first prompt to its end."""

    def steer(self, prompt: str) -> None:
        """Let `prompt` act from the next picture on."""

    def paint(self, planes: Planes, *, step: int, time: float) -> None:
        """Paint picture number `step` (from 0), `time` seconds after the first, into `planes`.

        The planes still hold what was painted before; every pixel must be written.
        """


class WorldFactory(Protocol):
    """Makes the world for one stream; sizes in pixels, the same `seed` the same world.

    A factory with a true attribute ``takes_images`` is also given images. One with a true
    ``expands_prompts`` is given prompts that say more than their author did (`expansion`). Prompts
    have single spaces, and what a world is given is what its client is told was applied. One with
    ``pictures_per_second`` is live at that rate instead of the usual one; simulations keep to it.
    """

    def __call__(
        self, *, width: int, height: int, prompt: str, seed: int, image: NDArray[np.uint8] | None
    ) -> World:
        """Begin with `prompt`, and with `image` (RGB, height x width x 3) if there is one."""


def takes_images(factory: WorldFactory) -> bool:
    """Return whether a world of `factory` may start from an image."""
    return bool(getattr(factory, "takes_images", False))


def expands_prompts(factory: WorldFactory) -> bool:
    """Return whether a world of `factory` wants its prompts expanded."""
    return bool(getattr(factory, "expands_prompts", False))


def rate_of(factory: WorldFactory) -> int:
    """Return how many pictures per second a live world of `factory` paints."""
    return int(getattr(factory, "pictures_per_second", PICTURES_PER_SECOND))


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
