"""What must survive ``importlib.reload`` and ``%autoreload``: the live state of this process.

It sits in a module without a file, so that reloading ours leaves it alone. Everything in it is
found again by name; nothing here is compared by identity with a class that a reload may have
replaced.
"""

from __future__ import annotations

import os
import sys
import threading
import types
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from odyssey_nb.kernel.link import SidecarLink
    from odyssey_nb.kernel.manager import ConnectionManager
    from odyssey_nb.kernel.nesting import Changes

_NAME = "_odyssey_nb_runtime"


class Runtime(types.ModuleType):
    """The live state of the process `pid`."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.pid = os.getpid()
        self.making = threading.RLock()  # the manager
        self.manager: ConnectionManager | None = None
        self.sidecar: SidecarLink | None = None
        self.hooked = False
        self.forks = False
        self.cells: set[int] = set()  # threads that run one
        self.children: list[int] = []  # process ids of services that we started
        self.terminal = False  # the command line, whose user types no Python
        self.shown_by = ""  # the module that shows streams in cells; empty where there are none
        self.warned = False  # of a key in a cell
        self.nesting: Changes | None = None  # of asyncio
        self.show: Callable[[object], object] | None = None  # the widget that shows an object
        self.crowds: dict[str, object] = {}  # that steer together, by connection name
        self.leases: set[Path] = set()  # that we hold; opening one anew would free its lock


def runtime() -> Runtime:
    """Return this process's live state, made at the first call.

    A forked child starts afresh: what its parent holds is not the child's to use or to end.
    """
    found = sys.modules.get(_NAME)
    if found is None or getattr(found, "pid", None) != os.getpid():
        found = sys.modules[_NAME] = Runtime(_NAME)
    return cast("Runtime", found)


def get_manager() -> ConnectionManager:
    """Return this process's connection manager, made at the first call."""
    state = runtime()
    if state.manager is None:
        with state.making:  # two threads may ask for the first at once
            if state.manager is None:
                from odyssey_nb.kernel.manager import ConnectionManager

                state.manager = ConnectionManager()
    return state.manager
