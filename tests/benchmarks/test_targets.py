"""What the last ``make bench`` found, held against the targets."""

from __future__ import annotations

import pytest

from tests.benchmarks.report import Report, verdict
from tests.benchmarks.view.figures import TARGETS, Target

pytestmark = pytest.mark.benchmark


@pytest.fixture
def report() -> Report:
    """What was found, if anything was."""
    report = Report.load()
    assert report.view, "the live view is not measured yet: make bench"
    return report


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.text)
def test_target(report: Report, target: Target) -> None:
    """The live view is as much less, or as much more, as it is meant to be."""
    bound, value, _ = verdict(target, report.figures)
    assert target.met(report.figures), f"{target.text} is {value}, has to be {bound}"


def test_others(report: Report) -> None:
    """So is everything else."""
    missed = {
        (section, what): each["sentence"]
        for section, found in report.others.items()
        for what, each in found.items()
        if not each["met"]
    }
    assert not missed
