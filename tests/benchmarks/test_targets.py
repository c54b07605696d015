"""What the last ``make bench`` found, held against the targets."""

from __future__ import annotations

import pytest

from tests.benchmarks.report import RESULTS, Report, verdict
from tests.benchmarks.view.figures import TARGETS, Target

pytestmark = pytest.mark.benchmark


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.text)
def test_target(target: Target) -> None:
    """The live view is as much less, or as much more, as it is meant to be."""
    if not RESULTS.exists():
        pytest.fail("nothing is measured yet: make bench")
    figures = Report.load().figures
    bound, value, _ = verdict(target, figures)
    assert target.met(figures), f"{target.text} is {value}, has to be {bound}"
