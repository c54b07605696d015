"""How often to try again, for how long, and at which address."""

from __future__ import annotations

import random
from dataclasses import dataclass
from urllib.parse import urlsplit

ATTEMPTS = 3  # to connect
RESUMES = 25  # attempts to open the socket of a session again
RENEWALS = 5  # attempts to get another session
_FIRST_DELAY, _LONGEST_DELAY = 0.25, 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a connection that broke is waited for, in seconds."""

    stall: float = 5.0  # without a picture of a running stream, until that is called a stall
    stalled: float = 30.0  # without one, until the session is given up; ICE gives up by then too
    negotiate: float = 12.0  # for a session's video to come up, until another session is tried
    resume: float = 30.0  # for the socket of a session, which the service keeps for 40 s
    renew: float = 20.0  # for another session; the service has given up by then as well
    asleep: float = 30.0  # in which nothing runs here, until the session is given up


def delay(attempt: int) -> float:
    """Return how long to wait before attempt number `attempt` (from 1), in seconds, with jitter."""
    base = min(_LONGEST_DELAY, _FIRST_DELAY * 2 ** (attempt - 1))
    return float(base * random.uniform(0.5, 1.5))


def with_scheme(signaling_url: str, scheme: str) -> str:
    """Return `signaling_url` with `scheme` ("ws" or "http") and its security kept (section 3.1)."""
    url = signaling_url.rstrip("/")
    if "://" not in url:
        return f"{scheme}://{url}"
    given, _, rest = url.partition("://")
    secure = "s" if given in {"wss", "https"} else ""
    return f"{scheme}{secure}://{rest}"


def is_loopback(url: str) -> bool:
    """Whether `url` is on this machine."""
    return urlsplit(url).hostname in {"127.0.0.1", "localhost", "::1"}


def is_gone(url: str, error: Exception) -> bool:
    """Whether `error` says that nothing on this machine listens at `url`: it holds nothing then."""
    refused = isinstance(getattr(error.__cause__, "os_error", None), ConnectionRefusedError)
    return refused and is_loopback(url)
