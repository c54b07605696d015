"""Optical flow: how far things move from picture to picture."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from odyssey_nb.media.clip import extra
from odyssey_nb.research.metrics.series import Series, each_of, luma, times_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from odyssey_nb.research.metrics.series import Pictures

# Farnebäck's polynomials over 5 pixels, averaged over 15, on three scales: OpenCV's own example.
SETTINGS = {
    "pyr_scale": 0.5, "levels": 3, "winsize": 15, "iterations": 3, "poly_n": 5, "poly_sigma": 1.2,
    "flags": 0,
}  # fmt: skip


def flow(pictures: Pictures) -> Series:
    """How far things move from picture to picture: dense optical flow (Farnebäck 2003).

    The mean length of the motion over all pixels, in pixels of a picture 320 columns wide where
    `pictures` is a clip; from 0, where nothing moves. Unlike `motion` it counts how far and not how
    much changes: a plain wall that passes by has none. Motion of more than some 20 pixels at once
    is lost. The first picture has none. It takes the extra ``flow``.

    >>> plots.series(metrics.flow(clip), clip)

    Raises:
        UsageError: OpenCV is not installed, or there are fewer than two pictures.
    """
    cv2 = extra("cv2", of="flow")
    found = [
        float(np.linalg.norm(cv2.calcOpticalFlowFarneback(*pair, None, **SETTINGS), axis=2).mean())
        for pair in pairwise(map(_grey, each_of(pictures, least=2)))
    ]
    return Series("flow", "pixels per picture", times_of(pictures)[1:], np.array(found))


def _grey(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.rint(luma(picture)).astype(np.uint8)
