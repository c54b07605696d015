"""Bodies for those who run the service. Our own addition to the protocol."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """``GET /healthz``: who answers; `proof` only for a challenge, `time` since the epoch."""

    status: str
    version: str
    pid: int
    sessions: int
    time: float
    proof: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """``GET /readyz``: whether a session would get what it needs; each part says ``ok`` or why not.

    The parts are ``service``, ``streamer``, ``database`` and ``media``.
    """

    status: str  # "ready" or "not ready"
    parts: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """The answer to telemetry."""

    status: str
