"""What was measured of each way, and what it has to be beside the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any, Final, TypeAlias

IMAGE: Final = "ipywidgets Image"
RFB: Final = "jupyter_rfb, simplejpeg"
CANVAS: Final = "ipycanvas"
RELAY: Final = "ours, relay"
DIRECT: Final = "ours, direct"
PEERS: Final = (IMAGE, RFB, CANVAS)
OURS: Final = (RELAY, DIRECT)

Figures: TypeAlias = Mapping[str, Mapping[str, float | None]]  # way, then name: the median


def medians(rounds: list[dict[str, Any]]) -> Figures:
    """Return the median of each figure over the rounds in which it could be told."""
    return {way: _medians([each[way] for each in rounds]) for way in rounds[0]}


def _medians(found: list[dict[str, Any]]) -> dict[str, float | None]:
    flat = [dict(_flat(each)) for each in found]
    told = {name: [each[name] for each in flat if each[name] is not None] for name in flat[0]}
    return {name: median(values) if values else None for name, values in told.items()}


def _flat(found: dict[str, Any], prefix: str = "") -> list[tuple[str, float | None]]:
    pairs: list[tuple[str, float | None]] = []
    for name, value in found.items():
        if isinstance(value, dict):
            pairs += _flat(value, f"{name}.")
        else:
            pairs.append((prefix + name, value))
    return pairs


def get(figures: Figures, way: str, name: str) -> float:
    """Return a figure; one that could not be told, as no picture was painted, is infinite.

    The name ``processes`` stands for kernel and sidecar together.
    """
    if name == "processes":
        return get(figures, way, "cost.kernel") + get(figures, way, "cost.sidecar")
    value = figures[way][name]
    return float("inf") if value is None else value


def ratio(figures: Figures, name: str, ours: str, peer: str) -> float:
    """Return a figure of ours as a part of the same of a peer."""
    return get(figures, ours, name) / get(figures, peer, name)


@dataclass(frozen=True, slots=True)
class Target:
    """Something that has to be at most, or at least, so much."""

    text: str
    bound: float
    value: Callable[[Figures], float]
    least: bool = False

    def met(self, figures: Figures) -> bool:
        """Whether it is."""
        value = self.value(figures)
        return value >= self.bound if self.least else value <= self.bound


def _part(text: str, bound: float, name: str, ours: str, peer: str) -> Target:
    return Target(
        f"{text}: {ours} / {peer}", bound, lambda figures: ratio(figures, name, ours, peer)
    )


def _likeness(ours: str, peer: str) -> Target:
    return Target(
        f"PSNR: {ours} less {peer}",
        -2.0,
        lambda figures: get(figures, ours, "psnr") - get(figures, peer, "psnr"),
        least=True,
    )


def _rate(text: str, name: str, ours: str) -> Target:
    return Target(f"{text}: {ours}", 29.0, lambda figures: get(figures, ours, name), least=True)


TARGETS: Final = (
    _part("kernel CPU", 1 / 10, "cost.kernel", RELAY, RFB),
    _part("kernel CPU", 1 / 6, "cost.kernel", RELAY, IMAGE),
    _part("kernel and sidecar CPU", 1 / 4, "processes", RELAY, RFB),
    _part("kernel and sidecar CPU", 1 / 4, "processes", RELAY, IMAGE),
    _part("kernel and sidecar CPU", 1 / 5, "processes", DIRECT, IMAGE),
    *(_part("bytes", 1 / 6, "cost.bytes", ours, peer) for ours in OURS for peer in (RFB, IMAGE)),
    *(_likeness(ours, peer) for ours in OURS for peer in (RFB, IMAGE)),
    *(_part("median latency", 0.3, "idle.p50", ours, IMAGE) for ours in OURS),
    _rate("pictures per second in a Python cell", "python.fps", RELAY),
    _rate("pictures per second with the GIL held", "gil.fps", DIRECT),
)
