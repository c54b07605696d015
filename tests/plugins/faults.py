"""A pytest plugin: what the faults of a run left behind, as a table and in the report.

`FAULTS_REPORT` names the folder for REPORT.md and report.json; without it they are not written.
"""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import TYPE_CHECKING

from tests.faults import report as written
from tests.faults.fault import Outcome

if TYPE_CHECKING:
    import pytest

_outcomes: list[Outcome] = []


def pytest_configure() -> None:
    """Draw the seed of all instants unless one is given, before other processes inherit it."""
    os.environ.setdefault("FAULTS_SEED", str(random.randrange(10**6)))


def pytest_report_header() -> str:
    """Print the seed."""
    return f"FAULTS_SEED={os.environ['FAULTS_SEED']}"


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Keep what a run found, whichever process ran it; or that it broke down."""
    if report.when != "call":
        return
    said = dict(report.user_properties)
    if "fault" in said:
        _outcomes.append(Outcome(**said["fault"]))
    elif "begun" in said:
        broken = Outcome(**said["begun"])
        broken.broken = _kind(report.longreprtext)
        _outcomes.append(broken)


def _kind(failure: str) -> str:
    """Return what kind of failure it was, without what it says: that may hold paths and keys."""
    errors = [line for line in failure.splitlines() if line.startswith("E ")]
    return errors[0].removeprefix("E").strip().partition(":")[0][:80] if errors else "failed"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print a row per fault."""
    if not _outcomes:
        return
    terminalreporter.section(f"faults (FAULTS_SEED={os.environ['FAULTS_SEED']})")
    for line in written.lines(written.summary(_outcomes)):
        terminalreporter.write_line(line)
    folder = os.environ.get("FAULTS_REPORT")
    if folder:
        written.write([each for each in _outcomes if not each.quick], Path(folder))
