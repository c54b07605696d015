"""Bodies about recordings (protocol section 2.8)."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """``GET /recordings/{stream_id}``; the URLs are signed and good for a while."""

    stream_id: str
    video_url: str | None = field(default=None, repr=False)  # MP4
    events_url: str | None = field(default=None, repr=False)  # JSON Lines
    thumbnail_url: str | None = field(default=None, repr=False)  # JPEG
    preview_url: str | None = field(default=None, repr=False)  # MP4
    frame_count: int | None = None
    duration_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingInfo:
    """One line of a `RecordingPage`; sizes in pixels, times as ISO 8601."""

    stream_id: str
    width: int
    height: int
    started_at: str
    ended_at: str | None = None
    duration_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingPage:
    """``GET /stream-recordings``: the caller's own, newest first."""

    recordings: list[RecordingInfo]
    total: int
    limit: int
    offset: int
