"""The landscape: reads prompts, glides from mood to mood and from place to place, and paints."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from odyssey_nb.service.worlds.landscape.blend import OPAQUE, Brush
from odyssey_nb.service.worlds.landscape.canvas import Canvas
from odyssey_nb.service.worlds.landscape.clouds import Clouds
from odyssey_nb.service.worlds.landscape.light import Light, light_of
from odyssey_nb.service.worlds.landscape.lightning import Lightning
from odyssey_nb.service.worlds.landscape.mist import Mist
from odyssey_nb.service.worlds.landscape.mood import GLIDE, Mood
from odyssey_nb.service.worlds.landscape.photo import Photo
from odyssey_nb.service.worlds.landscape.places import STEPS, build, settle
from odyssey_nb.service.worlds.landscape.prompt import understand
from odyssey_nb.service.worlds.landscape.scene import Scene
from odyssey_nb.service.worlds.landscape.scroll import Scroll
from odyssey_nb.service.worlds.landscape.sky import Sky
from odyssey_nb.service.worlds.landscape.weather import Flakes, Rain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from odyssey_nb.service.worlds.base import Planes
    from odyssey_nb.service.worlds.landscape.blend import Bytes
    from odyssey_nb.service.worlds.landscape.canvas import Part
    from odyssey_nb.service.worlds.landscape.scene import Place

_BUILT: Final = 0.4  # seconds after a prompt by which its new place is ready
_FADE: Final = 0.7  # seconds of crossfade to it
_SKY_BOTTOM: Final = 0.78  # part of the height that the sky reaches down to behind the scenery


class Landscape:
    """A landscape that drifts by under changing light and weather.

    The same size, seed, prompts and times give the same pictures.
    """

    takes_images = True
    expands_prompts = True

    def __init__(
        self,
        *,
        width: int,
        height: int,
        prompt: str,
        seed: int,
        image: NDArray[np.uint8] | None = None,
    ) -> None:
        """Begin with the scene `prompt` describes; `width` and `height` in pixels, both even.

        With an `image` that is the place, and it stays: light, weather and camera act on it.
        """
        self._canvas = Canvas(width, height)
        self._brush = Brush(width)
        self._seed = seed
        self._on_photo = image is not None
        self._scene = self._understood(prompt, Scene())
        self._goal = Mood.of(self._scene)
        # An image is shown as it was given before the prompt's light and weather come over it.
        self._mood = self._start = self._goal if image is None else Mood.of(Scene())
        self._since = -GLIDE if image is None else 0.0
        self._steered = False
        self._light: Light | None = None

        rng = np.random.default_rng((seed, 1000))
        self._behind: list[Part] = []
        if image is None:
            sky = Sky(self._canvas, self._canvas.row(_SKY_BOTTOM), rng)
            self._behind = [sky, Clouds(self._canvas, self._brush, rng)]
        self._lightning = Lightning(self._canvas, seed)
        self._weather: list[Part] = [
            Flakes(self._canvas, rng, leaves=True),
            Rain(self._canvas, rng),
            Flakes(self._canvas, rng),
        ]
        self._place = self._scene.place
        if image is not None:
            self._scenery: list[Part] = [
                Photo(image, self._brush),
                Mist(self._canvas, self._brush, rng, middle=0.62, tall=0.7, speed=9.0),
            ]
        else:
            self._scenery = list(build(self._place, self._canvas, self._brush, seed))
            settle(self._scenery)
        self._move: _Move | None = None

    def steer(self, prompt: str) -> None:
        """Let `prompt` change what it speaks about, from the next picture on."""
        self._scene = self._understood(prompt, self._scene)
        self._steered = True

    def _understood(self, prompt: str, scene: Scene) -> Scene:
        scene = understand(prompt, scene)
        # Words nobody taught us tint a landscape of ours, which is a pity on a photograph.
        return replace(scene, quirk=Scene().quirk) if self._on_photo else scene

    def paint(self, planes: Planes, *, step: int, time: float) -> None:
        """Paint the landscape as it is `time` seconds after its first picture."""
        if self._steered:
            self._steered = False
            self._begin_glide(time)
        self._mood = self._start.towards(self._goal, min(1.0, (time - self._since) / GLIDE))
        self._relight()
        if self._move is not None:
            self._go_on_moving(self._move, planes, time)
        self._paint_all(planes, time)
        if self._move is not None and self._move.old is not None:
            self._move.fade(planes, self._brush, time)

    def _begin_glide(self, time: float) -> None:
        self._start, self._goal, self._since = self._mood, Mood.of(self._scene), time
        goes_to = self._move.place if self._move is not None else self._place
        if self._scene.place is not goes_to and not self._on_photo:
            parts = build(self._scene.place, self._canvas, self._brush, self._seed)
            self._move = _Move(self._scene.place, parts, time)

    @property
    def _parts(self) -> tuple[Part, ...]:
        return *self._behind, *self._scenery, self._lightning, *self._weather

    def _relight(self) -> None:
        """Hand the mood's light to every part; while it is what they have, let one of them rest."""
        if self._light is not None and self._light.mood == self._mood:
            any(part.rest() for part in self._parts if isinstance(part, Scroll))
            return
        self._light = light_of(self._mood)
        for part in self._parts:
            part.relight(self._light)

    def _paint_all(self, planes: Planes, time: float) -> None:
        for part in self._parts:
            part.paint(planes, time)

    def _go_on_moving(self, move: _Move, planes: Planes, time: float) -> None:
        """Build on at the new place; when it is ready, keep the old one's picture and go there."""
        if move.old is None and move.build(time):
            self._paint_all(planes, time)
            move.depart(planes, time)
            self._place, self._scenery = move.place, move.parts
            assert self._light is not None
            for part in self._scenery:
                part.relight(self._light)
        if move.old is not None and time >= move.departed + _FADE:
            self._move = None


class _Move:
    """On the way to another place: first it is built, a part per picture, then it fades in."""

    def __init__(self, place: Place, parts: Iterator[Part], begun: float) -> None:
        self.place = place
        self.parts: list[Part] = []
        self.old: list[Bytes] | None = None
        self.departed = 0.0
        self._coming = parts
        self._begun = begun
        self._built = 0

    def build(self, time: float) -> bool:
        """Build as many parts as should be there by `time`; return whether all are."""
        due = 1 + int(STEPS * (time - self._begun) / _BUILT)
        while self._built < due:
            part = next(self._coming, None)
            self._built += 1
            if part is None:
                settle(self.parts)
                return True
            self.parts.append(part)
        return False

    def depart(self, planes: Planes, time: float) -> None:
        """Keep the last picture of the old place, which `planes` hold."""
        self.old = [planes.y.copy(), planes.u.copy(), planes.v.copy()]
        self.departed = time

    def fade(self, planes: Planes, brush: Brush, time: float) -> None:
        """Let what is left of the old picture shine through."""
        assert self.old is not None
        part = min(1.0, max(0.0, (time - self.departed) / _FADE))
        left = round(OPAQUE * (1.0 - part * part * (3.0 - 2.0 * part)))
        for out, old in zip((planes.y, planes.u, planes.v), self.old, strict=True):
            brush.cross(out, old, left)
