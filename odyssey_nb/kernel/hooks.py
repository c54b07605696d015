"""Where a notebook's polite ends meet ours; the impolite ones are the sidecar's.

- ``do_shutdown`` of the kernel: Restart and Shut down, also while a cell computes. It runs on the
  control thread with a budget of 2.5 s before SIGTERM, of which we take 1 s.
- ``atexit``: ``exit()`` in a cell, nbclient's timeout, plain scripts, the IPython terminal.

- ``pre_run_cell`` and ``post_run_cell``: while a cell runs, somebody is at work. (``pre_execute``
  and ``post_execute`` fire for every message of a widget as well.)
- ``reset`` of the shell, which ``%reset`` calls: the functions that pictures go to end with it.

No signal handlers: ipykernel owns SIGINT, and a handler for SIGTERM would only delay the end.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
from typing import TYPE_CHECKING, Any

from odyssey_nb.kernel.runtime import runtime

if TYPE_CHECKING:
    from collections.abc import Callable

    from IPython.core.interactiveshell import InteractiveShell

log = logging.getLogger(__name__)

BUDGET_SECONDS = 1.0


def install() -> None:
    """Register the hooks, once per process however often our modules are reloaded."""
    state = runtime()
    if state.hooked:
        return
    state.hooked = True
    atexit.register(goodbye, "exit")
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is not None:
        _wrap_do_shutdown(shell)
        _follow_cells(shell)
        _wrap_reset(shell)


def goodbye(reason: str) -> None:
    """Release everything this process holds, within the budget; never raises."""
    try:
        state = runtime()
        if state.manager is not None:
            state.manager.release_all(reason, budget=BUDGET_SECONDS)
    except BaseException:
        log.exception("releasing at %s failed; the sidecar will do it", reason)


def _follow_cells(shell: InteractiveShell) -> None:
    state = runtime()
    if threading.current_thread() is threading.main_thread():
        state.cells.add(threading.get_ident())  # the one that this is called from

    def begin(_info: object) -> None:
        state.cells.add(threading.get_ident())

    def finish(_result: object) -> None:
        state.cells.discard(threading.get_ident())
        if state.manager is not None:
            state.manager.attended()

    shell.events.register("pre_run_cell", begin)
    shell.events.register("post_run_cell", finish)


def _wrap_reset(shell: InteractiveShell) -> None:
    inner: Callable[..., None] = shell.reset

    def reset(*args: Any, **options: Any) -> None:
        state = runtime()
        if state.manager is not None:
            state.manager.forget_callbacks()
        inner(*args, **options)

    vars(shell)["reset"] = reset


def _wrap_do_shutdown(shell: InteractiveShell) -> None:
    kernel = getattr(shell, "kernel", None)
    inner = getattr(kernel, "do_shutdown", None)
    if kernel is None or inner is None:
        return

    def do_shutdown(restart: bool) -> object:  # noqa: FBT001 - ipykernel's signature
        goodbye("restart" if restart else "shutdown")
        return inner(restart)

    kernel.do_shutdown = do_shutdown


def close_in_forks() -> None:
    """Register, once per process, what a forked child does with its copy of the line."""
    state = runtime()
    if not state.forks:
        state.forks = True

        def let_go() -> None:
            if state.sidecar is not None:
                state.sidecar.after_fork()

        os.register_at_fork(after_in_child=let_go)
