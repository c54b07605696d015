"""The live view beside its peers: the same stream, page and load, one after another in rounds."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.benchmarks.report import Report, machine, ratios, table, targets
from tests.benchmarks.view import source
from tests.benchmarks.view.measure import WAYS, measure
from tests.lab import running_lab

pytestmark = [pytest.mark.benchmark, pytest.mark.browser, pytest.mark.timeout(1800)]

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
ROOT = Path(__file__).parents[2]


def test_view(
    report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chromium: Browser
) -> None:
    """Measures five ways to the page and writes the table; it fails only where one is broken."""
    source.offer(tmp_path / "worlds", **{source.NAME: source.Source})
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(tmp_path / "worlds")]))
    (tmp_path / "lab").mkdir()
    where, rounds = machine(chromium.version), []
    with running_lab(tmp_path / "lab") as lab:
        for turn in range(ROUNDS):
            print(f"\nround {turn + 1} of {ROUNDS}:", end="", flush=True)
            found = {}
            for way in WAYS:
                folder = tmp_path / f"{turn}-{way.name.replace(' ', '-')}"
                found[way.name] = measure(way, lab, chromium, folder)
                print(f" {way.name};", end="", flush=True)
            rounds.append(found)
    report.view = {"machine": where, "rounds": rounds}
    report.save()
    for part in (table, ratios, targets):
        print(f"\n{part(report.figures)}")
