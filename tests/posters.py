"""Reads the posters of a page back: which picture of the test pattern each shows."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
from PIL import Image

from odyssey_nb.service.worlds.test_pattern import read

POSTER = re.compile(
    r'data-odyssey-poster="[^"]+".*?src="data:image/jpeg;base64,([^"]+)"', re.DOTALL
)


def posters(page: str) -> list[tuple[int, int]]:
    """Return picture number and prompt hash of each poster in an HTML page."""
    found = POSTER.findall(page)
    assert all(len(each) <= 100_000 for each in found), "a notebook stays small"
    images = [Image.open(io.BytesIO(base64.b64decode(each))) for each in found]
    return [read(np.asarray(each.convert("RGB"))) for each in images]
