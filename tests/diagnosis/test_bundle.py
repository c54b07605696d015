"""The report for others: what it holds, and that no secret is in it."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path

import pytest

import odyssey_nb as ody
from odyssey_nb.diagnosis.bundle import TAIL
from odyssey_nb.diagnosis.examination import Check
from odyssey_nb.diagnosis.patient import Chart, Patient
from odyssey_nb.diagnosis.redaction import HIDDEN, Redaction
from odyssey_nb.diagnosis.run import examine
from odyssey_nb.errors import UsageError
from odyssey_nb.kernel.leases import Lease
from odyssey_nb.wire.control import IceServer
from tests.test_cli import odyssey_nb

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.bq3k1kFHDZyNnDq7ZSp4sX2s3p0aS-Vtd5x9W5YzYfA"
KEY = "ody_planted_key_of_the_environment"
LOCAL, GIVEN, CREDENTIAL = "planted-local-key-4711", "planted given key", "planted+credential/47="
SIGNED = "https://media.example/a.mp4?X-Amz-Signature=planted0815&expires=1"
SECRETS = (KEY, LOCAL, GIVEN, CREDENTIAL, JWT, "planted0815", "plantedbearer", "planteduser")


async def leaky(patient: Patient, chart: Chart) -> None:
    """Find everything that must not be shown."""
    patient.api_key = GIVEN
    patient.ice = [IceServer(urls="turn:a", username="x", credential=CREDENTIAL)]
    chart.fail(f"{KEY} {LOCAL} {GIVEN} {CREDENTIAL}", f"{JWT} {SIGNED} and the red house")


def test_no_secret_is_in_it(machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted in settings, files, logs, leases and findings, none comes through; the rest does."""
    monkeypatch.setenv("ODYSSEY_API_KEY", KEY)
    monkeypatch.setenv("ODYSSEY_API_URL", f"https://planteduser:{KEY}@api.example/?token={JWT}")
    monkeypatch.setenv("ODYSSEY_NB_WHEN_HIDDEN", "60,off")
    data = tmp_path / "data"
    data.mkdir()
    (data / "local.key").write_text(LOCAL + "\n")
    (machine / "service.log").write_text(
        f"GET /client/s?token={JWT}\nAuthorization: Bearer plantedbearer\n"
        f'fetching {SIGNED}\n{{"api_key": "{KEY}", "credential":"{CREDENTIAL}"}}\na harmless line\n'
    )
    lease = Lease.take("mine", f"http://planteduser:{KEY}@127.0.0.1:9/?token={JWT}", 1)
    lease.name_session("s-1", f"ws://127.0.0.1:9/client?token={JWT}")
    left = json.loads(lease.path.read_text())
    lease.drop()
    (machine / "leases" / "left.json").write_text(json.dumps(left))
    file = tmp_path / "report.zip"

    report = examine(Patient(), save=file, checks=[Check("leaky", leaky)])

    assert str(file) in report.summary()
    assert file.stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(file) as bundle:
        told = {name: bundle.read(name).decode() for name in bundle.namelist()}
    assert set(told) == {
        "report.txt", "report.json", "versions.json", "settings.json", "leases.json",
        "logs/service.log",
    }  # fmt: skip
    for name, text in told.items():
        for secret in SECRETS:
            assert secret not in text, (name, text)
    assert "and the red house" in told["report.txt"]
    assert json.loads(told["settings.json"])["ODYSSEY_NB_WHEN_HIDDEN"] == "60,off"
    assert json.loads(told["settings.json"])["ODYSSEY_API_KEY"] == f"set, {len(KEY)} characters"
    assert json.loads(told["leases.json"])[0]["session_id"] == "s-1"
    assert "aiortc" in json.loads(told["versions.json"])["packages"]
    assert "a harmless line" in told["logs/service.log"]


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        (f"a {JWT} b", f"a {HIDDEN} b"),
        ("ody_abc-123, and", f"{HIDDEN}, and"),
        ("https://me:pw@host/a?b=1&c=2 d", f"https://{HIDDEN}host/a?{HIDDEN} d"),
        ("http://h/live/s#join=a-b_c d", f"http://h/live/s#join={HIDDEN} d"),
        ("http://h/live/s#me=abc&name=Ada", f"http://h/live/s#me={HIDDEN}&name=Ada"),
        ("the token is good", "the token is good"),
        ("what? a question=mark", "what? a question=mark"),
        ("odyssey_nb 0.1.0 and ody.doctor()", "odyssey_nb 0.1.0 and ody.doctor()"),
        ('{"api_key": "abc def", "a": "b"}', f'{{"api_key": "{HIDDEN}", "a": "b"}}'),
        ("session_token='abc', x=1", f"session_token='{HIDDEN}', x=1"),
        ('"ODYSSEY_API_KEY": "set, 9 characters"', '"ODYSSEY_API_KEY": "set, 9 characters"'),
        ("my planted word", f"my {HIDDEN}"),
    ],
)
def test_what_looks_like_a_secret(text: str, hidden: str) -> None:
    """What is known and what looks like it goes; prose, names and versions stay."""
    assert Redaction(["planted word", "", "a"])(text) == hidden


def test_half_a_secret(machine: Path, tmp_path: Path) -> None:
    """A log is cut at a line, and a report that others could read gives way to one they cannot."""
    line = f"{JWT}\n"
    (machine / "service.log").write_text(line * (2 * TAIL // len(line)))
    file = tmp_path / "report.zip"
    file.touch(0o644)
    examine(Patient(), save=file, checks=[])
    assert file.stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(file) as bundle:
        assert set(bundle.read("logs/service.log").decode().split()) == {HIDDEN}


def test_what_cannot_be_read(machine: Path, tmp_path: Path) -> None:
    """A log that cannot be read is said to be so, and costs nothing else."""
    (machine / "service.log").symlink_to("service.log")
    file = tmp_path / "report.zip"
    examine(Patient(), save=file, checks=[])
    with zipfile.ZipFile(file) as bundle:
        assert bundle.read("logs/service.log").startswith(b"it cannot be read: ")
        assert "report.txt" in bundle.namelist()


def test_a_place_that_cannot_be_written() -> None:
    """It is one line."""
    with pytest.raises(UsageError, match="cannot be written"):
        examine(Patient(), save="/nowhere/report.zip", checks=[])


def test_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A problem is exit status 1, its line says what to type, and the bundle is there."""
    monkeypatch.setenv("ODYSSEY_API_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("ODYSSEY_API_KEY", KEY)
    file = tmp_path / "report.zip"
    done = odyssey_nb("doctor", "--no-session", "--bundle", str(file))
    assert done.returncode == 1
    assert "problem  service" in done.stdout
    assert re.search(r"^ +→ `odyssey-nb serve` starts one\.$", done.stdout, re.MULTILINE)
    assert "`%odyssey doctor` in one asks its page" in done.stdout
    assert KEY not in done.stdout + done.stderr
    assert zipfile.is_zipfile(file)
    assert ody.doctor.__doc__
