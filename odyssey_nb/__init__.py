"""Odyssey's interactive world models, live in a notebook.

The map of the package, from what a user touches down to what crosses a process boundary:

- `connect`, `start`, `interact`, `mark`, `end`, `disconnect`, `status`, `recordings`, `usage`: the
  verbs (also ``%odyssey VERB``)
- `sessions`, `kill`, `reap`: what all your programs hold, and how it ends
- `doctor`: what is wrong, and what to do; `login`, `logout`: a key that stands in no cell
- `watch`: somebody else's broadcast
- `clip`, `grid`: pictures with what happened, from a file, and side by side
- `script`: one timeline, to play live or as a simulation
- `aio`: the functions that wait, to be awaited
- `metrics`: figures of clips, with their sources and intervals; `plots` draws them
- `export`: clips as data sets, for LeRobot and webdataset
- `simulate`, `simulations`: scripted streams, faster than real time
- `sweep`: many of them, over prompts and parameters
- `sliders`: a prompt with controls in it; `prompt`, `scale`, `mix`: what it is made of
- `compare`: streams side by side under one prompt
- `Orchestrator`: a class steers one stream together
- `widgets`: what a cell shows
- `kernel`: connections and streams as cells see them
- `sidecar`: the process beside the kernel that holds every connection
- `client`: the asyncio client, for scripts
- `service`: the complete local service
- `media`, `wire`: pictures, and messages

Everything loads when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from odyssey_nb.config import VERSION
from odyssey_nb.errors import OdysseyNBError

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from odyssey_nb.api import (
        clip,
        compare,
        connect,
        disconnect,
        doctor,
        end,
        grid,
        interact,
        kill,
        login,
        logout,
        mark,
        mix,
        prompt,
        reap,
        recordings,
        scale,
        script,
        sessions,
        simulate,
        simulations,
        sliders,
        start,
        status,
        sweep,
        usage,
        watch,
    )
    from odyssey_nb.research import export, metrics, plots
    from odyssey_nb.research.orchestrator import Orchestrator

__version__ = VERSION

__all__ = [
    "OdysseyNBError",
    "Orchestrator",
    "__version__",
    "aio",
    "clip",
    "compare",
    "connect",
    "disconnect",
    "doctor",
    "end",
    "export",
    "grid",
    "interact",
    "kill",
    "load_ipython_extension",
    "login",
    "logout",
    "mark",
    "metrics",
    "mix",
    "plots",
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
    "unload_ipython_extension",
    "usage",
    "watch",
]


def __getattr__(name: str) -> object:
    """Load a public name when it is first used: a sidecar and a service need none of them."""
    from importlib import import_module

    if name == "Orchestrator":
        return import_module("odyssey_nb.research.orchestrator").Orchestrator
    if name == "aio":
        return import_module("odyssey_nb.aio")
    if name in {"export", "metrics", "plots"}:
        return import_module(f"odyssey_nb.research.{name}")
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("odyssey_nb.api"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def load_ipython_extension(shell: InteractiveShell) -> None:
    """``%load_ext odyssey_nb``: adds ``%odyssey`` and how our objects look in a cell."""
    from odyssey_nb.magics import load

    load(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """``%unload_ext odyssey_nb``: takes the magic and the displays away; connections stay.

    So ``%reload_ext`` interrupts no stream. `disconnect` frees what is held.
    """
    from odyssey_nb.magics import unload

    unload(shell)
