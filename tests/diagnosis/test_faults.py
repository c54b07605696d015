"""Real faults, and what the doctor says of them: each is named once, with what to do."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import jwt
import pytest

import odyssey_nb as ody
from odyssey_nb.config import Target
from odyssey_nb.diagnosis import left, media, service, session
from odyssey_nb.diagnosis import service as service_check
from odyssey_nb.diagnosis.examination import Check
from odyssey_nb.diagnosis.patient import Chart, Patient
from odyssey_nb.diagnosis.report import Report
from odyssey_nb.diagnosis.run import examine
from odyssey_nb.errors import SettingError
from odyssey_nb.kernel.leases import Lease
from odyssey_nb.service.turn import relay_servers
from tests.conftest import API_KEY, Service, wait_until
from tests.meddling import meddling
from tests.network import Network
from tests.relay import Line, Threaded
from tests.service.running import running
from tests.turn import SECRET, Turn

SERVICE = Check("service", service.service)
ACCOUNT = Check("account", service.account)
SESSION = Check("session", session.session, seconds=30)
SERVERS = Check("ICE servers", media.ice_servers, seconds=25)
LEFT = Check("sessions", left.sessions)


def look(url: str, *checks: Check, key: str = API_KEY) -> Report:
    """Examine a program that goes to `url`."""
    return examine(Patient(target=Target(url=url, api_key=key)), checks=checks)


def states(report: Report) -> dict[str, str]:
    """Return how it stands with each check; the last finding counts."""
    return {each.check: str(each.state) for each in report}


def test_a_service_that_works(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything is tried, nothing is wrong, and nothing is left: no session and no recording."""
    monkeypatch.setenv("ODYSSEY_API_URL", service.url)
    monkeypatch.setenv("ODYSSEY_API_KEY", service.api_key)
    before = ody.recordings().total
    report = ody.doctor()
    assert not report.failed, report
    # Whether disks are full and machines slow is not for a test to say.
    assert states(report) | {"folders": "ok", "service": "ok"} == {
        "Python": "ok", "packages": "ok", "kernel": "skipped", "folders": "ok", "settings": "ok",
        "service": "ok", "key": "ok", "clock": "ok", "account": "ok", "codec": "ok", "UDP": "ok",
        "WebSocket": "ok", "ICE": "ok", "STUN": "ok", "widgets": "skipped", "sessions": "ok",
    }  # fmt: skip
    assert "ODYSSEY_API_KEY" in report.about("key")[0].found
    assert "directly by UDP" in report.about("ICE")[0].found
    assert "10 pictures came back" in report.about("UDP")[0].found
    service.wait_free()
    assert ody.recordings().total == before
    assert API_KEY not in repr(report)


def test_nothing_listens() -> None:
    """It is said once; what stands on it is skipped."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
    report = look(url.replace("//", "//me:planted@"), SERVICE, ACCOUNT, SESSION, SERVERS)
    assert "planted" not in repr(report), "nor who asks"
    assert states(report) == {
        "service": "problem", "account": "skipped", "session": "skipped", "ICE servers": "skipped"
    }  # fmt: skip
    assert report.about("service")[0].found == f"nothing answers at {url}".replace(
        "//", "//[hidden]"
    )
    assert report.about("account")[0].found == "the service does not answer"
    assert "odyssey-nb serve" in report.about("service")[0].remedy


def test_a_service_that_is_silent(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where packets vanish, waiting has an end."""
    monkeypatch.setattr(service_check, "ANSWER_SECONDS", 0.3)
    with Line(service.url) as line:
        line.do(lambda: setattr(line.it, "silent", True))
        report = look(line.url, SERVICE)
        line.do(lambda: setattr(line.it, "silent", False))
    assert "did not answer within 0.3 s" in report.about("service")[0].found
    assert "firewall" in report.about("service")[0].remedy


def test_a_name_that_is_none() -> None:
    """A host that does not exist is told from one that does not answer."""
    report = look("http://no-such-host.invalid", SERVICE)
    assert report.about("service")[0].found == "there is no host called no-such-host.invalid"


def test_a_wrong_key(service: Service) -> None:
    """It is refused, which is said with the way to another, and without the key."""
    report = look(service.url, SERVICE, ACCOUNT, SESSION, key="ody_of_somebody_else")
    assert states(report) == {
        "service": "ok", "key": "problem", "clock": "ok", "account": "skipped", "session": "skipped"
    }  # fmt: skip
    assert "login" in report.about("key")[0].remedy
    assert "somebody" not in repr(report)


def test_settings_that_contradict_each_other() -> None:
    """No target is a problem of the key, and no crash."""
    report = examine(
        Patient(unclear=SettingError("a remote service needs an API key")), checks=[SERVICE]
    )
    assert "needs an API key" in report.about("key")[0].found


def test_a_clock_that_is_off_and_a_proxy_without_websockets(service: Service) -> None:
    """A service an hour ahead is seen by its Date, and a socket that is refused by its check."""
    with Threaded(lambda: meddling(service.url, ahead=3600)) as proxy:
        report = look(proxy.it, SERVICE, SESSION)
    assert states(report) == {
        "service": "ok", "key": "ok", "clock": "problem", "WebSocket": "problem"
    }  # fmt: skip
    (clock,) = report.about("clock")
    assert clock.found.startswith("this machine's clock is 59:5") or "1:00:0" in clock.found
    assert "behind the service's" in clock.found
    assert "(400)" in report.about("WebSocket")[0].found
    service.wait_free(seconds=10)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Negotiation is given up soon, where nothing can come of it."""
    monkeypatch.setattr(session, "NEGOTIATE_SECONDS", 2)


@pytest.mark.usefixtures("impatient")
@pytest.mark.slow
def test_udp_is_blocked(service: Service) -> None:
    """The socket opens and video does not come: UDP and the missing relay are named."""
    with Threaded(lambda: Network.to(service.url, udp=False)) as network:
        report = look(network.it.url, SERVICE, SESSION)
        service.wait_free(seconds=10)  # while the goodbye can get through
    assert states(report)["WebSocket"] == "ok"
    assert states(report)["ICE"] == "problem"
    assert "no TURN server is named" in report.about("ICE")[0].found
    assert "--turn" in report.about("ICE")[0].remedy


@pytest.fixture
def turn(tmp_path: Path) -> Iterator[Turn]:
    """A TURN server."""
    with Turn.running(tmp_path) as turn:
        yield turn


@pytest.mark.parametrize(
    ("secret", "state", "found", "remedy"),
    [
        (SECRET, "ok", "relays: 10 pictures came back unharmed", ""),
        ("another", "problem", "refuses the credentials", "static-auth-secret"),
    ],
)
def test_a_relay(turn: Turn, secret: str, state: str, found: str, remedy: str) -> None:
    """Pictures that were sent through it come back; with another secret it refuses."""
    servers = relay_servers((turn.url,), secret)
    report = examine(Patient(up=True, ice=servers), checks=[SERVERS])
    (finding,) = report.about("TURN")
    assert finding.state == state, report
    assert found in finding.found
    assert remedy in finding.remedy
    assert str(servers[0].credential) not in repr(report)


@pytest.mark.slow
@pytest.mark.parametrize("secret", [SECRET, "another"])
def test_a_session_by_a_relay(
    turn: Turn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, secret: str
) -> None:
    """Without UDP a session comes up by a relay that takes the credentials, and by no other."""
    if secret != SECRET:
        monkeypatch.setattr(session, "NEGOTIATE_SECONDS", 2)
    place = tmp_path / "place"
    place.mkdir()
    with (
        running(place, *turn.options(secret)) as service,
        Threaded(lambda: Network.to(service.url, udp=False)) as network,
    ):
        report = look(network.it.url, SERVICE, SESSION, SERVERS)
        service.wait_free(seconds=10)
    state = "ok" if secret == SECRET else "problem"
    assert (states(report)["ICE"], states(report)["TURN"]) == (state, state), report
    if state == "ok":
        assert "through a TURN relay" in report.about("ICE")[0].found
    else:
        assert "see TURN below" in report.about("ICE")[0].remedy


async def test_a_stun_server_that_is_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a warning: video may come without it."""
    monkeypatch.setattr(media, "STUN_SECONDS", 0.3)
    report = Report([])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        url = f"stun:127.0.0.1:{silent.getsockname()[1]}"
        await media._stun(url, Chart("STUN", report.append))
    assert [(each.state, each.found) for each in report] == [
        ("warning", f"{url} does not answer within 0.3 s")
    ]


def test_what_dead_programs_left(
    service: Service, machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session that nobody holds any more is a problem, a lease without one a warning."""
    session_id = service.ask("POST", "/sessions/request", {}, service.token())["session_id"]
    for name, of in (("held", session_id), ("over", "no such session")):
        lease = Lease.take("gone", service.url, os.getpid())
        lease.name_session(of, service.url.replace("http", "ws"))
        said = json.loads(lease.path.read_text())
        lease.drop()
        said["kernel"] = {"pid": 2**22 + 1, "started": 1.0}
        (machine / "leases" / f"{name}.json").write_text(json.dumps(said))
    monkeypatch.setenv("ODYSSEY_API_URL", service.url)
    monkeypatch.setenv("ODYSSEY_API_KEY", API_KEY)
    report = examine(Patient(), checks=[LEFT])
    assert sorted(str(each.state) for each in report) == ["problem", "warning"], report
    assert "its kernel is gone" in report.of("problem")[0].found
    assert "reap" in report.of("problem")[0].remedy
    ody.reap()
    assert "none dangles" in examine(Patient(), checks=[LEFT])[0].found
    service.wait_free()


@pytest.mark.parametrize(
    ("iat", "state", "says"),
    [
        (0, "ok", "within 1 s"),
        (-20, "warning", "0:20 ahead of"),
        (-3600, "problem", "ahead of the token's"),
        (3600, "problem", "behind the token's"),
        (None, "skipped", "does not say"),
    ],
)
def test_the_times_of_a_token(iat: int | None, state: str, says: str) -> None:
    """Where a service gives no Date its token tells the time; one that is opaque tells nothing."""
    now, report = 1_800_000_000.5, Report([])
    token = "opaque" if iat is None else jwt.encode({"iat": int(now) + iat}, "k" * 32)
    service_check._clock("", now, token, Chart("service", report.append))
    (found,) = report
    assert (found.check, str(found.state)) == ("clock", state)
    assert says in found.found


@pytest.mark.slow
def test_an_interrupted_command_frees_its_streamer(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C while the session is tried: it is given back at once, and no lease is left."""
    monkeypatch.setenv("ODYSSEY_API_URL", service.url)
    monkeypatch.setenv("ODYSSEY_API_KEY", service.api_key)
    command = [sys.executable, "-m", "odyssey_nb.cli", "doctor"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as done:
        wait_until(lambda: service.held, seconds=40, what="the session")
        done.send_signal(signal.SIGINT)
        done.wait(20)
    assert done.returncode == 130
    service.wait_free()
