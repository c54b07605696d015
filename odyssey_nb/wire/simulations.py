"""Bodies about simulations (protocol section 2.9)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from odyssey_nb.wire.script import Script


class SimulationStatus(StrEnum):
    """How far a simulation has come, in the official SDKs' words."""

    PENDING = "pending"
    DISPATCHED = "dispatched"  # a worker has it
    PROCESSING = "processing"  # it has made a picture
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


RUNNING = (SimulationStatus.DISPATCHED, SimulationStatus.PROCESSING)
ACTIVE = (SimulationStatus.PENDING, *RUNNING)
CANCELLABLE = (SimulationStatus.PENDING, SimulationStatus.DISPATCHED)


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationRequest:
    """``POST /simulation-jobs`` as it arrives: exactly one source, whose entries are read later."""

    portrait: bool = True
    output_video: bool = True
    script: object = None
    scripts: object = None
    script_url: str | None = None
    bypass_vlm_expansion: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSimulation:
    """``POST /simulation-jobs`` as we send it."""

    portrait: bool
    script: Script | None = None
    scripts: list[Script] | None = None
    bypass_vlm_expansion: bool | None = None
    output_video: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedStream:
    """What one script has left behind: a recording. Sizes in pixels are our addition."""

    stream_id: str
    video_url: str | None = field(default=None, repr=False)
    events_url: str | None = field(default=None, repr=False)
    thumbnail_url: str | None = field(default=None, repr=False)
    preview_url: str | None = field(default=None, repr=False)
    frame_count: int | None = None
    duration_seconds: float | None = None
    script_index: int = 0
    width: int | None = None
    height: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationInfo:
    """One simulation in full, or one line of a list; times as ISO 8601.

    The last four are our addition; services that do not tell them leave them out.
    """

    job_id: str
    status: str
    priority: str = "normal"
    created_at: str = ""
    dispatched_at: str | None = None
    started_at: str | None = None
    completed_at: str | None = None
    error_message: str | None = None
    assigned_region: str | None = None
    retry_count: int | None = None
    estimated_wait_minutes: float | None = None
    streams: list[SimulatedStream] | None = None
    frames_done: int | None = None
    frames_total: int | None = None
    width: int | None = None
    height: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationPage:
    """``GET /simulation-jobs``: the caller's own, newest first."""

    jobs: list[SimulationInfo]
    total: int
    limit: int
    offset: int
