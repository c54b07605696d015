"""The checks' deadlines, and what becomes of one that fails."""

from __future__ import annotations

import asyncio
import os
import signal
import threading

import pytest

from odyssey_nb.diagnosis import examination
from odyssey_nb.diagnosis.examination import Check, Examination
from odyssey_nb.diagnosis.patient import Chart, Patient
from odyssey_nb.diagnosis.report import Report
from odyssey_nb.diagnosis.run import examine
from odyssey_nb.errors import SettingError


async def fine(_patient: Patient, chart: Chart) -> None:
    """Find that all is well."""
    chart.ok("as it should be")


async def refused(_patient: Patient, chart: Chart) -> None:
    """Find something, then meet one of our own errors."""
    chart.ok("so far")
    raise SettingError("the setting is wrong", hint="Correct it.")


async def broken(_patient: Patient, _chart: Chart) -> None:
    """Be wrong itself."""
    raise ZeroDivisionError


async def slow(_patient: Patient, _chart: Chart) -> None:
    """Take for ever."""
    await asyncio.Event().wait()


def test_none_stops_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that fails, hangs or blocks its thread is a line; what it found before is kept."""
    monkeypatch.setattr(examination, "GRACE_SECONDS", 0.2)
    over = threading.Event()

    async def stuck(_patient: Patient, _chart: Chart) -> None:
        over.wait(30)

    checks = [
        Check("refused", refused),
        Check("broken", broken),
        Check("slow", slow, seconds=0.1),
        Check("stuck", stuck, seconds=0.1),
        Check("fine", fine),
    ]
    report = examine(Patient(), checks=checks)
    over.set()
    assert [(each.check, str(each.state)) for each in report] == [
        ("refused", "ok"), ("refused", "problem"), ("broken", "problem"), ("slow", "problem"),
        ("stuck", "problem"), ("fine", "ok"),
    ]  # fmt: skip
    assert report.about("refused")[1].remedy == "Correct it."
    assert "ZeroDivisionError" in report.about("broken")[0].found
    assert report.failed
    assert report.summary().startswith("2 ok, 4 problems in ")


def test_an_interrupted_check_gives_back_what_it_holds() -> None:
    """It is called off, and gets the time to tidy up before the interrupt goes on."""
    tidied = threading.Event()

    async def holds(_patient: Patient, _chart: Chart) -> None:
        try:
            os.kill(os.getpid(), signal.SIGINT)  # which reaches the main thread
            await asyncio.Event().wait()
        finally:
            tidied.set()

    with pytest.raises(KeyboardInterrupt):
        Examination(Check("holds", holds, seconds=60), Patient()).run()
    assert tidied.is_set()


def test_the_report_reads_the_same_in_text_and_in_a_cell() -> None:
    """Every state, remedy and command is in both, and nothing in a cell is run."""
    report = Report([], seconds=1.25)
    chart = Chart("clock", report.append)
    chart.ok("as the service's")
    chart.warn("a <little> late", "`sudo timedatectl set-ntp true`")
    chart.fail("an hour ahead", "Set it.", of="zone")
    chart.skip("no notebook here")
    lines = repr(report).splitlines()
    assert lines[0] == "ok       clock  as the service's"
    assert lines[2] == "                → `sudo timedatectl set-ntp true`"
    assert lines[-1] == "1 ok, 1 warning, 1 problem, 1 skipped in 1.2 s"
    page = report._repr_html_()
    assert "a &lt;little&gt; late" in page
    assert "<code>sudo timedatectl set-ntp true</code>" in page
    assert page.count("<tr") == 4
    assert "<script" not in page
    assert [each.check for each in report.of("problem")] == ["zone"]
