"""What is measured while a stream runs, by steering it."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

from odyssey_nb.errors import UsageError
from odyssey_nb.media.ring import LONGEST_SECONDS
from odyssey_nb.research.metrics.coherence import thumbnail
from odyssey_nb.research.metrics.response import responsiveness

if TYPE_CHECKING:
    from collections.abc import Sequence

    from odyssey_nb.kernel.stream import Stream
    from odyssey_nb.research.metrics.coherence import Embed
    from odyssey_nb.research.metrics.response import Response

SLACK_SECONDS = 5.0  # of what is kept, and until the last picture is here


def respond(
    stream: Stream,
    prompts: Sequence[str],
    *,
    repeats: int = 1,
    window: float = 2.0,
    rest: float = 1.0,
    embed: Embed = thumbnail,
) -> Response:
    """Steer a live stream, and return how soon each prompt was acknowledged and showed.

    Each prompt has `window` seconds to show in, and `rest` seconds without one are there to compare
    with. One measurement is a prompt of one world: ask several times, and report `delay`, which has
    an interval. Times are counted in this machine's sidecar, from the command's leaving to the
    picture's coming; what paints it is not in them.

    >>> found = metrics.respond(stream, ["heavy snow", "a sunny day"], repeats=4)
    >>> print(found.delay, found.acknowledgement)
    >>> plots.latency(found)

    Args:
        stream: One that runs.
        prompts: What is said in turn. One that changes nothing cannot show, so give two or more.
        repeats: How often all of them are said.
        window: Seconds within which a prompt has to show.
        rest: Seconds for each prompt that count as moments without one.
        embed: See `responsiveness`.

    Raises:
        NoStreamError: The stream has ended, or does meanwhile.
        AnswerTimeoutError: A prompt was not acknowledged.
        UsageError: It takes longer than the stream lasts, or than is kept of it (150 s).
    """
    from tqdm.auto import tqdm

    asked = [prompt for _ in range(repeats) for prompt in prompts]
    if isinstance(prompts, str) or not asked or window <= 0 or rest <= 0:
        raise UsageError(
            "there is nothing to say, or no time to look",
            hint='Write metrics.respond(stream, ["heavy snow", "a sunny day"], repeats=4).',
        )
    stream._check()
    each, left = 2 * window + rest, stream.remaining
    needed = window + rest + each * len(asked) + SLACK_SECONDS
    most = LONGEST_SECONDS if left is None else min(left, LONGEST_SECONDS)
    if needed > most:
        raise UsageError(
            f"{len(asked)} prompts take {needed:.0f} s, and there are {most:.0f} s",
            hint="Say fewer, look for a shorter time, or start another stream.",
        )
    stream.frame()  # there may be none before
    began = stream.last(0.01).times[-1]
    phase = random.Random(0)  # else all prompts could fall at the same place between two pictures
    with tqdm(asked, desc="responsiveness", unit="prompt", leave=False) as bar:
        _wait(stream, rest + window)
        for prompt in bar:
            stream.interact(prompt)
            _wait(stream, each + phase.uniform(0, 0.1))
    seconds = stream.last(0.01).times[-1] - began + SLACK_SECONDS
    return responsiveness(stream.last(seconds)[began:], window=window, embed=embed)


def _wait(stream: Stream, seconds: float) -> None:
    """Let pictures come, for so long as the stream runs."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        time.sleep(min(left, 0.2))
        stream._check()
