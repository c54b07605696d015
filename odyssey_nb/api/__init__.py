"""The functions of ``import odyssey_nb as ody``: each finds the manager and does one thing."""

from __future__ import annotations

from typing import Any

from odyssey_nb.api.account import doctor, kill, login, logout, reap, sessions, usage
from odyssey_nb.api.clips import clip, grid, recordings
from odyssey_nb.api.live import (
    compare,
    connect,
    disconnect,
    end,
    interact,
    mark,
    start,
    status,
    watch,
)
from odyssey_nb.api.prompts import mix, prompt, scale, sliders
from odyssey_nb.api.runs import script, simulate, simulations, sweep
from odyssey_nb.kernel.runtime import runtime

__all__ = [
    "clip",
    "compare",
    "connect",
    "disconnect",
    "doctor",
    "end",
    "grid",
    "interact",
    "kill",
    "login",
    "logout",
    "mark",
    "mix",
    "prompt",
    "reap",
    "recordings",
    "scale",
    "script",
    "sessions",
    "simulate",
    "simulations",
    "sliders",
    "start",
    "status",
    "sweep",
    "usage",
    "watch",
]


def _show(shown: object) -> object:
    """Return the widget that shows a stream or a spectator, for front ends that ask for it."""
    from odyssey_nb.widgets.player import player_of, player_watching

    player: Any = player_of if hasattr(shown, "connection") else player_watching
    return player(shown)


runtime().show = _show
