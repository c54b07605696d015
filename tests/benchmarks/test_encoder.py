"""Our encoder beside the one that aiortc brings along: quality for the same bits, and CPU."""

from __future__ import annotations

from statistics import mean

import pytest

from tests.benchmarks.encoding import Encoded, at_the_bitrate_of, painted, theirs
from tests.benchmarks.report import Report
from tests.benchmarks.test_streamer import PROMPTS

pytestmark = pytest.mark.benchmark

SECTION = "The encoder, beside aiortc's own"
PICTURES = 120  # six seconds
BITRATES = [1_000_000, 3_000_000]  # bit/s: aiortc's usual one and its highest
MOST_LOST = 1.5  # dB, on every scene
MOST_SPENT = 1 / 5  # of aiortc's CPU


def test_quality_and_cost(report: Report) -> None:
    """Encodes the same pictures with both, ours for as many bits as aiortc's took."""
    pairs: list[tuple[Encoded, Encoded]] = []
    lost = []
    for prompt in PROMPTS:
        pictures = painted("landscape", prompt, PICTURES)
        for bitrate in BITRATES:
            usual = theirs(pictures, bitrate)
            ours = at_the_bitrate_of(usual, pictures)
            # aiortc takes every stream for one of 30 pictures per second, and saves a third.
            assert ours.bitrate == pytest.approx(usual.bitrate, rel=0.1)
            pairs.append((ours, usual))
            quality = ours.psnr(pictures), usual.psnr(pictures)
            lost.append(quality[1] - quality[0])
            report.say(
                SECTION,
                f"{prompt!r}, {usual.bitrate / 1e6:.1f} Mbit/s",
                f"{quality[0]:.1f} dB for {ours.milliseconds:.1f} ms of CPU per picture; "
                f"aiortc {quality[1]:.1f} dB for {usual.milliseconds:.1f} ms",
            )
    spent = sum(ours.milliseconds for ours, _ in pairs) / sum(
        each.milliseconds for _, each in pairs
    )
    report.say(
        SECTION,
        "all of these",
        f"{mean(lost):.1f} dB less on average, {max(lost):.1f} at most, for {spent:.0%} of the CPU",
        met=max(lost) <= MOST_LOST and spent <= MOST_SPENT,
    )
