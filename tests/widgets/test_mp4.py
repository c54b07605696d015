"""The MP4 that the page makes for Media Source, as FFmpeg sees it."""

from __future__ import annotations

import base64
import io
import json
import shutil
import subprocess

import av
import numpy as np
import pytest

from odyssey_nb.media.h264 import Decoder, Encoder
from odyssey_nb.widgets.base import STATIC

# Takes access units in base64, the first of them a keyframe; writes the whole file.
MUX = """
import { readFileSync } from "node:fs";
const { fragment, initialization, parametersOf, unitsOf } = await import(process.argv[1]);
const pictures = JSON.parse(readFileSync(0)).map((text) => unitsOf(Buffer.from(text, "base64")));
process.stdout.write(initialization(parametersOf(pictures[0])));
pictures.forEach((units, n) => {
  process.stdout.write(fragment(units, { number: n + 1, time: 50 * n, duration: 50 }));
});
"""


@pytest.mark.parametrize("size", [(1280, 704), (704, 1280), (1280, 716)])
def test_what_the_page_muxes_decodes_to_the_same(size: tuple[int, int]) -> None:
    """Every picture comes out of the file as it does without one, in its place and size."""
    encoder, random = Encoder(*size, rate=20), np.random.default_rng(7)
    pictures = []
    for number in range(6):
        for plane in encoder.planes:
            plane[:] = random.integers(16, 235, (plane.shape[0], 1))
        pictures.append(encoder.encode(number * 4500, key=number in (0, 4)))
    node = shutil.which("node")
    assert node, "the tests of the widgets' JavaScript need Node.js"
    texts = json.dumps([base64.b64encode(each).decode() for each in pictures])
    done = subprocess.run(
        [node, "--input-type=module", "-e", MUX, (STATIC / "mp4.js").as_uri()],
        input=texts.encode(), capture_output=True, timeout=30, check=True,
    )  # fmt: skip
    with av.open(io.BytesIO(done.stdout), format="mp4") as file:
        frames = list(file.decode(video=0))
    decoder = Decoder()
    expected = [decoder.decode(each) for each in pictures]
    assert [round((frame.time or 0) * 20) for frame in frames] == [0, 1, 2, 3, 4, 5]
    assert [frame.key_frame for frame in frames] == [True, False, False, False, True, False]
    for frame, other in zip(frames, expected, strict=True):
        assert other is not None
        assert (frame.width, frame.height) == size
        assert np.array_equal(frame.to_ndarray(), other.to_ndarray())
