"""Pictures of one colour each, encoded as a streamer does."""

from __future__ import annotations

from odyssey_nb.media.h264 import Encoder
from odyssey_nb.wire.link import Picture

WIDTH, HEIGHT, RATE, COUNT = 128, 96, 20, 25
BEGAN = 3.5  # seconds into its stream that the clip begins
COLOURS = [  # Y, U and V, and what they are in RGB
    ((81, 90, 240), (254, 0, 0)),
    ((145, 54, 34), (0, 255, 1)),
    ((41, 240, 110), (0, 0, 255)),
]


def coloured() -> list[Picture]:
    """Return pictures of the colours in turn; every tenth a keyframe, one of them late."""
    encoder = Encoder(WIDTH, HEIGHT, rate=RATE)
    made = []
    for step in range(COUNT):
        for plane, level in zip(encoder.planes, COLOURS[step % 3][0], strict=True):
            plane[:] = level
        time = BEGAN + step / RATE + (0.013 if step == 7 else 0.0)
        data = encoder.encode(round(time * 90_000), key=step % 10 == 0)
        follows = 0 if step % 10 == 0 else 70 + step
        made.append(
            Picture(connection="default", stream=2, seq=71 + step, follows=follows, time=time,
                    received=1.7e9 + time, data=data)
        )  # fmt: skip
    return made
