"""The report that every benchmark writes to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.benchmarks.report import Report


@pytest.fixture(scope="session")
def report() -> Iterator[Report]:
    """What was measured; written when all is done, and by the live view at once."""
    report = Report.load()
    yield report
    report.save()
