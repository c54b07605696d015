"""An image as the scenery: a slow camera moves over it, under the light and air of the mood."""

from __future__ import annotations

from math import cos, sin, tau
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image

from odyssey_nb.service.worlds.base import planes_of
from odyssey_nb.service.worlds.landscape.blend import BLOCK, Tone, yuv
from odyssey_nb.service.worlds.landscape.light import light_of
from odyssey_nb.service.worlds.landscape.mood import Mood
from odyssey_nb.service.worlds.landscape.scene import Scene

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from odyssey_nb.service.worlds.base import Planes
    from odyssey_nb.service.worlds.landscape.blend import Brush, Bytes, Words
    from odyssey_nb.service.worlds.landscape.light import Light
    from odyssey_nb.service.worlds.landscape.noise import Floats

_ZOOM: Final = 1.06  # how much larger than the picture the image is, at least
_BREATH: Final = 0.025  # how much more the camera goes in and out
_TURN: Final = 47.0  # seconds of its way round; in, out and sideways take other times
_DARK, _BRIGHT = 0.16, 0.34  # mean luma of images that are taken for night, and for day
_TO_YUV: Final = yuv(np.eye(3, dtype=np.float32)) - yuv(np.zeros(3, np.float32))  # rows: R, G, B
_BLACK: Final = tuple(float(value) for value in yuv(np.zeros(3, np.float32)))
_FROM_YUV: Final = np.linalg.inv(_TO_YUV)
_FAR: Final = 0.85  # how distant the top of the image is for the air; the bottom is near
_NEAR: Final = 0.12
_THICKEST: Final = np.float32(0.88)  # how far fog may hide the image: something must be left of it


class Photo:
    """Paints an image. By the light of a usual day it looks as it was given."""

    def __init__(self, image: NDArray[np.uint8], brush: Brush) -> None:
        """Take `image`, RGB of the size of the pictures."""
        planes = planes_of(image)
        self._planes = (planes.y, planes.u, planes.v)
        self._luma = planes.y[::2, ::2].copy()  # what the chroma planes are coloured by
        mean = (float(planes.y.mean()) - 16.0) / 219.0
        self._day = min(1.0, max(0.0, (mean - _DARK) / (_BRIGHT - _DARK)))
        self._brush = brush
        self._graded: list[Image.Image] = []

    def relight(self, light: Light) -> None:
        """Take on the colours of `light`, and its air."""
        tones = self._tones(light)
        self._graded = [
            Image.fromarray(self._grade(plane, tone, colour))
            for plane, tone, colour in zip(
                self._planes, tones, (None, self._luma, self._luma), strict=True
            )
        ]

    def paint(self, planes: Planes, time: float) -> None:
        """Paint what the camera sees at `time`."""
        for graded, out in zip(self._graded, (planes.y, planes.u, planes.v), strict=True):
            height, width = out.shape
            box = _view(time, width, height)
            out[:] = np.asarray(graded.resize((width, height), Image.Resampling.BILINEAR, box))

    def _grade(self, plane: Bytes, tone: Tone, luma: Bytes | None) -> Bytes:
        graded = np.empty_like(plane)
        for top in range(0, len(plane), BLOCK):
            rows = slice(top, top + BLOCK)
            part = None if luma is None else luma[rows]
            np.copyto(
                graded[rows], self._brush.tone(tone, rows, plane[rows], part), casting="unsafe"
            )
        return graded

    def _tones(self, light: Light) -> list[Tone]:
        """Return how each row of the image looks: the image's own colour, lit, behind the air."""
        rows = len(self._planes[0])
        lit = self._lit(light)
        # What a coloured light does to a colour is a matrix in YUV. Chroma into luma is left out:
        # it is small, and a plane is coloured by itself and by luma alone.
        matrix = _FROM_YUV @ np.diag(lit) @ _TO_YUV
        colourful = 1.0 - 0.45 * light.grey - 0.4 * light.night * self._day
        part = np.linspace(0.0, 1.0, rows, dtype=np.float32)[:, None]
        distance = _FAR + (_NEAR - _FAR) * part
        extra = light.air - _CLEAR.air  # the image has the air of a clear day in it already
        thick = _THICKEST * (1.0 - np.exp(-distance * np.float32(0.6 * max(0.0, extra))))
        haze = yuv(np.clip(light.haze * np.float32(0.45 + 0.55 * self._day), 0.01, 0.98))
        tones = []
        for plane in range(3):
            own, more = float(matrix[plane, plane]), float(matrix[0, plane])
            if plane == 0:
                own, more = min(1.0, own), 0.0
            else:  # no colour, however strong, may leave the range
                own = min(own * colourful, 1.0 - abs(more) * 219.0 / 112.0)
            offset = _BLACK[plane] * (1.0 - own) - _BLACK[0] * more
            through = (1.0 - thick).astype(np.float32)
            tones.append(
                Tone(
                    gain=_words(own * through, plane),
                    accent=_words(more * through, plane) if plane else None,
                    offset=_words(offset * through + haze[plane] * thick + 0.5, plane),
                )
            )
        return tones

    def _lit(self, light: Light) -> Floats:
        """Return what the light does to each of red, green and blue; 1 changes nothing."""
        lit = _strength(light) / _strength(_CLEAR)
        # The eye adapts: most of the colour of the light is seen, but less of how dark it is; and
        # an image of the night is dark already.
        bright = max(0.25, float(lit.mean()))
        seen = min(1.1, bright ** (0.2 + 0.45 * self._day)) * (1.0 - 0.35 * light.night * self._day)
        result: Floats = ((lit / bright) ** np.float32(0.45 + 0.25 * self._day)) * np.float32(seen)
        return result


def _strength(light: Light) -> Floats:
    """Return how strongly a surface half turned to the light is lit."""
    strength: Floats = 0.67 * light.ambient + 0.5 * light.key
    return strength


def _words(values: Floats, plane: int) -> Words:
    """Return the rows of a column that belong to `plane`, in 8.8 fixed point."""
    column: Words = np.rint(values[:: 2 if plane else 1] * 256.0).astype(np.int32).astype(np.uint16)
    return column


def _view(time: float, width: int, height: int) -> tuple[float, float, float, float]:
    """Return which part of the image the camera sees: left, top, right and bottom."""
    angle = tau * time / _TURN
    part = 1.0 / (_ZOOM + _BREATH * (1.0 - cos(1.3 * angle)))
    room = 1.0 - part
    left = room * (0.5 + 0.45 * sin(angle))
    top = room * (0.5 + 0.35 * sin(0.7 * angle))
    return left * width, top * height, (left + part) * width, (top + part) * height


_CLEAR: Final = light_of(Mood.of(Scene()))
