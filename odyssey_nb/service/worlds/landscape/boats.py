"""Small boats that give the sea its size."""

from __future__ import annotations

import numpy as np

from odyssey_nb.service.worlds.landscape.shapes import Sprite


def boat(height: int) -> Sprite:
    """Return a boat under sail, `height` pixels tall."""
    width = max(5, round(height * 0.8))
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    y, x = (y + 0.5) / height, (x + 0.5) / width
    soft = height * 0.5  # pixels per unit across an edge: one pixel of smoothing
    main = np.minimum(0.60 - x, (x - 0.58) + (y - 0.02) * 0.66) * (y < 0.80)
    jib = np.minimum(x - 0.64, 0.64 + (y - 0.10) * 0.50 - x) * (y < 0.78)
    hull = np.minimum(
        np.minimum(y - 0.85, x - 0.04 - (y - 0.85) * 0.6), 0.96 - x - (y - 0.85) * 0.8
    )
    sails = np.clip(np.maximum(main, jib) * soft + 0.3, 0.0, 1.0)
    wood = np.clip(hull * soft + 0.5, 0.0, 1.0)
    shade = np.where(wood > 0.5, 30.0, 235.0 - 120.0 * (x > 0.62))
    return Sprite(np.maximum(sails, wood), shade.astype(np.float32), accent=(0, 1))
