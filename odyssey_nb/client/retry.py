"""How often to try again, and at which address."""

from __future__ import annotations

import random
from urllib.parse import urlsplit

ATTEMPTS = 3
_FIRST_DELAY, _LONGEST_DELAY = 0.25, 2.0


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
