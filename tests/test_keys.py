"""``odyssey-nb keys`` as an operator types it, beside a service that runs."""

from __future__ import annotations

import re
import subprocess
import sys
import urllib.error

import pytest

from tests.conftest import Service


def keys(service: Service, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command on the service's data directory."""
    command = [sys.executable, "-m", "odyssey_nb.cli", "keys", *words]
    return subprocess.run(
        [*command, "--data-dir", str(service.data_dir)],
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip


def refusal(service: Service, key: str) -> int:
    """Return the status of a request for a session that is to be refused."""
    with pytest.raises(urllib.error.HTTPError) as caught:
        service.ask("POST", "/sessions/request", {}, token=service.token(key))
    caught.value.close()
    return caught.value.code


def test_the_life_of_a_key(service: Service) -> None:
    """A key is shown once, listed by its beginning, suspended and revoked; the service knows."""
    made = keys(service, "create", "--account", "dave", "--limit", "monthly_hours=2")
    (key,) = re.findall(r"^ody_\S+$", made.stdout, re.MULTILINE)
    usage = service.ask("GET", "/usage", token=service.token(key))
    assert usage["monthly_hours"] == 2

    words = ("set", "dave", "--suspend", "unpaid bills", "--limit", "monthly_hours=default")
    assert keys(service, *words, "--may-bypass").stdout == (
        "dave  may bypass, suspended: unpaid bills\n"
    )
    assert refusal(service, key) == 429
    listed = keys(service, "list").stdout
    assert re.search(rf"{key[:12]}… *dave ", listed)
    assert re.search(r"^local +as the service", listed, re.MULTILINE)
    assert key[:13] not in listed
    assert service.api_key not in listed

    assert "opens nothing any more" in keys(service, "revoke", key[:10]).stdout
    assert refusal(service, key) == 401
    assert re.search(r"dave .*revoked", keys(service, "list").stdout)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("revoke", "ody_nobody"), "no good key begins with 'ody_nobody'"),
        (("set", "nobody"), "no account called 'nobody'"),
        (("create", "--limit", "idle_seconds=3"), "no limit called 'idle_seconds'"),
    ],
)
def test_a_mistake_is_one_line(service: Service, words: tuple[str, ...], says: str) -> None:
    """What cannot be done is told in one line that says what can."""
    done = keys(service, *words)
    assert done.returncode == 1
    assert says in done.stderr
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr
