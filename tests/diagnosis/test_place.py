"""What is wrong with a machine, its packages, its kernel or its browser, each put to the checks."""

from __future__ import annotations

import asyncio
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from odyssey_nb.diagnosis import page, place
from odyssey_nb.diagnosis.examination import Check
from odyssey_nb.diagnosis.patient import Chart, Patient
from odyssey_nb.diagnosis.report import Finding, Report
from odyssey_nb.diagnosis.run import examine


def look(check: Any, patient: Patient | None = None) -> Finding:
    """Return what a check finds last."""
    return examine(patient or Patient(), checks=[Check("it", check)])[-1]


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Versions that are put in the place of those installed; this is a kernel."""
    versions: dict[str, str] = {}
    real = metadata.version
    monkeypatch.setattr(metadata, "version", lambda name: versions.get(name) or real(name))
    monkeypatch.setattr(place, "in_kernel", lambda: True)
    return versions


@pytest.mark.parametrize(
    ("version", "state"),
    [("6.31.0", "warning"), ("7.0.0", "problem"), ("7.0.1", "problem"), ("7.1.0", "ok")],
)
def test_kernels(installed: dict[str, str], version: str, state: str) -> None:
    """What each series does not do is said, with the command that changes it."""
    installed["ipykernel"] = version
    found = look(place.kernel)
    assert found.state == state
    assert version in found.found
    assert state == "ok" or 'pip install -U "ipykernel>=7.1"' in found.remedy


def test_a_nest_that_loses_messages(
    installed: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nest_asyncio is applied on ipykernel 7, cells get lost."""
    installed["ipykernel"] = "7.4.0"
    monkeypatch.setattr(asyncio, "_nest_patched", True, raising=False)
    found = look(place.kernel)
    assert found.state == "problem"
    assert "%odyssey asyncio on" in found.remedy
    installed["ipykernel"] = "6.31.0"
    assert look(place.kernel).state == "warning"


@pytest.mark.parametrize(
    ("name", "version"), [("aiortc", "1.13.0"), ("anywidget", "0.12.1"), ("aiohttp", "3.9")]
)
def test_packages_that_are_too_old_or_too_new(
    installed: dict[str, str], name: str, version: str
) -> None:
    """They are named with their version, and the command brings the right one."""
    installed[name] = version
    found = look(place.packages)
    assert found.state == "problem"
    assert f"{name} {version}" in found.found
    assert f'"{name}' in found.remedy
    assert ">=" in found.remedy


def test_versions_are_compared_as_numbers() -> None:
    """Not as text, and without what is said of a build."""
    assert place.meets("3.12.15", ">=", "3.9")
    assert not place.meets("3.9", ">=", "3.12.15")
    assert place.meets("1.0", ">=", "1")
    assert place.meets("0.11.0+local", "<", "0.12")
    assert place.meets("2.0.44.post1", ">=", "2.0.44")


def test_folders(machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A runtime directory that others may read, and a disk without room."""
    assert look(place.folders).state in {"ok", "warning"}
    monkeypatch.setattr(place, "ROOM", 2**70)
    found = look(place.folders)
    assert (found.state, found.remedy) == ("warning", "Make room there.")
    machine.chmod(0o755)
    found = look(place.folders)
    assert found.state == "problem"
    assert "ODYSSEY_NB_RUNTIME_DIR" in found.remedy


def test_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each that cannot be read is told as reading it would."""
    assert "ODYSSEY_NB_DATA_DIR" in look(place.settings).found
    monkeypatch.setenv("ODYSSEY_NB_WHEN_HIDDEN", "soon")
    monkeypatch.setenv("ODYSSEY_NB_BUDGET_MINUTES_PER_DAY", "-1")
    report = examine(Patient(), checks=[Check("settings", place.settings)])
    assert [str(each.state) for each in report] == ["problem", "problem"]
    assert all(each.remedy for each in report)


@pytest.mark.parametrize(
    ("able", "state", "says"),
    [
        ({"secure", "WebCodecs", "Media Source", "WebRTC"}, "ok", "WebCodecs, Media Source"),
        ({"Media Source", "WebRTC"}, "warning", "no secure context"),
        ({"secure", "WebRTC"}, "warning", "JPEG"),
        ({"secure", "WebCodecs"}, "warning", "HLS"),
    ],
)
def test_browsers(able: set[str], state: str, says: str) -> None:
    """What a page cannot do is told with what that costs, and with a way out."""
    report = Report([])
    told = {name: name in able for name in ("secure", "WebCodecs", "Media Source", "WebRTC")}
    page._browser({"browser": "Firefox 140", **told}, Chart("widgets", report.append))
    (found,) = report
    assert found.state == state
    assert found.check == "browser"
    assert says in found.found
    assert found.found.startswith("Firefox 140: ")
    assert bool(found.remedy) == (state == "warning")


def test_a_page_that_is_silent(installed: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a page, as in papermill, it is a warning; older kernels cannot even be asked."""
    monkeypatch.setattr(page, "ANSWER_SECONDS", 0.05)

    class Silent:
        def wait(self, seconds: float) -> None:
            assert seconds == 0.05

        def close(self) -> None:
            pass

    installed["ipykernel"] = "7.4.0"
    found = look(page.page, Patient(probe=Silent()))  # type: ignore[arg-type]
    assert found.state == "warning"
    assert "papermill" in found.remedy
    installed["ipykernel"] = "6.31.0"
    found = look(page.page, Patient(probe=Silent()))  # type: ignore[arg-type]
    assert found.state == "skipped"
