"""A pytest plugin: a test that does not run fails, unless it is listed with a reason.

A skipped or xfailed test looks green while it checks nothing. Those with a good reason stand in
`tests/allowed_skips.txt`, one to a line, as ``NODEID  # REASON``. In a node id ``*`` stands for
any text, every other character for itself (also ``[``). Blank lines and lines that start with
``#`` are free. `conftest.py` loads it: ``pytest_plugins = ["tests.plugins.skips"]``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

LIST = "tests/allowed_skips.txt"

allowed_key: pytest.StashKey[list[re.Pattern[str]]] = pytest.StashKey()


def read(path: Path) -> list[re.Pattern[str]]:
    """Return the listed node ids as patterns; a missing file lists none.

    Raises:
        pytest.UsageError: A line has no reason.
    """
    patterns = []
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith("#"):
            continue
        nodeid, _, reason = line.partition(" #")
        if not reason.strip():
            raise pytest.UsageError(f"{LIST}:{number}: {nodeid.strip()} is listed without a reason")
        patterns.append(re.compile(".*".join(map(re.escape, nodeid.strip().split("*")))))
    return patterns


def pytest_configure(config: pytest.Config) -> None:
    """Read the list once, so that a mistake in it stops the run at its start."""
    config.stash[allowed_key] = read(config.rootpath / LIST)


# Outermost, so that pytest's own and pytest-asyncio's hooks have made up their minds before.
@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn the report of an unlisted skip, xfail or xpass into a failure."""
    report = yield
    kind = "xfailed" if hasattr(report, "wasxfail") else "skipped" if report.skipped else None
    if kind and not is_allowed(item.config, report.nodeid):
        reason = report.wasxfail if kind == "xfailed" else skip_reason(report)
        if kind == "xfailed":
            del report.wasxfail
        report.outcome = "failed"
        report.longrepr = complaint(kind, report.nodeid, reason)
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Turn the report of an unlisted module that skips itself into an error."""
    report = yield
    if report.skipped and not is_allowed(collector.config, report.nodeid):
        reason = skip_reason(report)
        report.outcome = "failed"
        report.longrepr = complaint("skipped", report.nodeid, reason)
    return report


def is_allowed(config: pytest.Config, nodeid: str) -> bool:
    """Say whether the list has this test."""
    return any(pattern.fullmatch(nodeid) for pattern in config.stash[allowed_key])


def skip_reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Return why the test was skipped, in pytest's words."""
    # pytest's skips carry (file, line, reason)
    return str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)


def complaint(kind: str, nodeid: str, reason: str) -> str:
    """Say what happened and what to do."""
    return f"{kind} ({reason or 'no reason'}), and {LIST} does not list it:\n{nodeid}  # why"
