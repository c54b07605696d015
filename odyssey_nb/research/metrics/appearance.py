"""How much pictures move, flicker, and how sharp and colourful they are."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from odyssey_nb.research.metrics.series import Series, each_of, luma, times_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from odyssey_nb.research.metrics.series import Pictures

GREY = "grey levels"  # of 255


def motion(pictures: Pictures) -> Series:
    """How much changes from picture to picture: ITU-T P.910's temporal information.

    The standard deviation over the pixels of the difference to the picture before, in luma; from
    0, where nothing moves, to 255. It counts what moves, and not light that changes everywhere
    alike. The first picture has none.
    """
    found = [float((after - before).std()) for before, after in pairwise(_lumas(pictures, least=2))]
    return Series("motion", GREY, times_of(pictures)[1:], np.array(found))


def flicker(pictures: Pictures) -> Series:
    """How far each picture's brightness is off the middle of its neighbours'.

    |m(t) - (m(t-1) + m(t+1)) / 2| of the mean luma m: 0 where the light is steady or changes
    evenly, at most 255. The first and the last picture have none.
    """
    means = np.array([float(each.mean()) for each in _lumas(pictures, least=3)])
    off = np.abs(means[1:-1] - (means[:-2] + means[2:]) / 2)
    return Series("flicker", GREY, times_of(pictures)[1:-1], off)


def sharpness(pictures: Pictures) -> Series:
    """How much detail a picture has: ITU-T P.910's spatial information.

    The standard deviation over the pixels of the luma's gradient by Sobel's filter; 0 for a plain
    picture, some 20 to 100 for photographs.
    """
    found = [float(_gradient(each).std()) for each in _lumas(pictures)]
    return Series("sharpness", GREY, times_of(pictures), np.array(found))


def colour(pictures: Pictures) -> Series:
    """How colourful a picture is, as people judge it (Hasler and Süsstrunk 2003, equation 7).

    0 is grey, 15 slightly, 33 moderately, 59 quite and 109 extremely colourful.
    """
    found = [_colourfulness(each) for each in each_of(pictures)]
    return Series("colour", "of Hasler and Süsstrunk", times_of(pictures), np.array(found))


def _lumas(pictures: Pictures, *, least: int = 1) -> map[NDArray[np.float32]]:
    return map(luma, each_of(pictures, least=least))


def _gradient(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the length of Sobel's gradient of all pixels but those at the edge."""
    across = image[:, 2:] - image[:, :-2]
    down = image[2:] - image[:-2]
    horizontal = across[:-2] + 2 * across[1:-1] + across[2:]
    vertical = down[:, :-2] + 2 * down[:, 1:-1] + down[:, 2:]
    made: NDArray[np.float32] = np.hypot(horizontal, vertical)
    return made


def _colourfulness(picture: NDArray[np.uint8]) -> float:
    red, green, blue = np.moveaxis(picture.astype(np.float32), -1, 0)
    one, other = red - green, (red + green) / 2 - blue
    return float(np.hypot(one.std(), other.std()) + 0.3 * np.hypot(one.mean(), other.mean()))
