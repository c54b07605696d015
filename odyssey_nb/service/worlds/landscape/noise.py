"""Smooth random fields that repeat without a seam."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
_EPSILON: Final = 1e-6


def noise(
    rng: np.random.Generator,
    height: int,
    width: int,
    *,
    roughness: float,
    largest: float,
    stretch: float = 1.0,
) -> Floats:
    """Return a field of shape ``(height, width)`` with mean 0 and deviation 1, seamless both ways.

    Args:
        roughness: The exponent of the spectrum's fall: 1 is rough, 3 is smooth.
        largest: The size of the largest features, in pixels across.
        stretch: How many times longer features are across than down.
    """
    across = np.fft.rfftfreq(width).astype(np.float32)
    down = np.fft.fftfreq(height).astype(np.float32)[:, None] / np.float32(stretch)
    frequency = np.sqrt(across**2 + down**2)
    weight = np.exp(np.log(np.maximum(frequency, 1.0 / largest)) * np.float32(-roughness))
    # Features larger than `largest` are left out, else one slope would rule the whole strip.
    weight *= frequency > 0.4 / largest
    shape = weight.shape
    # So many waves add up to a normal distribution whatever theirs is; this one is cheap to draw.
    spectrum = np.empty(shape, np.complex64)
    for part in (spectrum.real, spectrum.imag):
        np.multiply(rng.random(shape, dtype=np.float32) - np.float32(0.5), weight, out=part)
    field: Floats = np.fft.irfft2(spectrum, s=(height, width)).astype(np.float32)
    field -= field.mean()
    field /= field.std() + _EPSILON
    return field


def noise_line(rng: np.random.Generator, width: int, *, roughness: float, largest: float) -> Floats:
    """Return a seamless line of `width` values with mean 0 and deviation 1."""
    line: Floats = noise(rng, 1, width, roughness=roughness, largest=largest)[0]
    return line


def ramp(values: Floats, low: float, high: float) -> Floats:
    """Return how far `values` have come from `low` (0) to `high` (1), eased at both ends."""
    part = np.clip((values - low) / (high - low), 0.0, 1.0).astype(np.float32)
    eased: Floats = part * part * (3.0 - 2.0 * part)
    return eased
