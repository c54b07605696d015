"""Finding the local service: the file that says where it is, and the proof that it is there.

A file proves nothing: its service may be gone, and another program may have its port. So who is
found is asked to prove that it knows the secret in the file, which never travels, before any key is
shown to it.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import secrets
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from odyssey_nb.config import VERSION, runtime_dir
from odyssey_nb.private import write_private

if TYPE_CHECKING:
    from pathlib import Path

ANSWER_SECONDS = 1.0
BUSY_SECONDS = 5.0  # for a service whose process is there


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAddress:
    """Where a local service is; `secret` is what proves it."""

    url: str
    pid: int
    secret: str = field(repr=False)
    data_dir: str


def info_file() -> Path:
    """Return the file that says where the local service of this version is."""
    return runtime_dir() / f"service-{VERSION}.json"


def published_service() -> ServiceAddress | None:
    """Return what the info file says, if there is one; it does not prove that anything runs."""
    return _read(info_file())


def idle_services_of_other_versions() -> list[ServiceAddress]:
    """Return running services of this user that another version started and that nobody uses."""
    files = set(runtime_dir().glob("service-*.json")) - {info_file()}
    found = [each for each in map(_read, sorted(files)) if each is not None]
    return [each for each in found if (_health(each, ANSWER_SECONDS) or {}).get("sessions") == 0]


def _read(file: Path) -> ServiceAddress | None:
    try:
        return ServiceAddress(**json.loads(file.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def running_service() -> ServiceAddress | None:
    """Return the published service if it answers and proves that it is the one."""
    import psutil

    found = published_service()
    if found is None:
        return None
    if _health(found, ANSWER_SECONDS):
        return found
    # It may only be busy.
    return found if psutil.pid_exists(found.pid) and _health(found, BUSY_SECONDS) else None


def publish(service: ServiceAddress) -> bool:
    """Say where `service` is, unless another one runs; return whether it was said."""
    if running_service() is not None:
        return False
    write_private(info_file(), json.dumps(asdict(service)))
    return True


def withdraw(service: ServiceAddress) -> None:
    """Take the file away, if it is still about `service`."""
    if published_service() == service:
        info_file().unlink(missing_ok=True)


def proof(secret: str, challenge: str) -> str:
    """Return the HMAC-SHA256 of `challenge` (RFC 2104), which only who knows `secret` can make."""
    return hmac.new(secret.encode(), challenge.encode(), hashlib.sha256).hexdigest()


def _health(service: ServiceAddress, seconds: float) -> dict[str, object] | None:
    """Return what the service says of itself, if it proves that it is the one."""
    challenge = secrets.token_hex(16)
    parts = urlsplit(service.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=seconds)
    with suppress(OSError, ValueError, AttributeError, http.client.HTTPException):
        try:
            connection.request("GET", f"/healthz?challenge={challenge}")
            said: dict[str, object] = json.loads(connection.getresponse().read())
            if hmac.compare_digest(str(said.get("proof")), proof(service.secret, challenge)):
                return said
        finally:
            connection.close()
    return None
