"""``asyncio.run`` in a cell, for scripts that were written for a terminal; off by default.

A kernel's loop runs already, so that ``asyncio.run`` fails in a cell. `nest_asyncio` lets loops run
within each other; on ipykernel 7 it loses cells and messages, and `nest_asyncio2` does not. Either
changes asyncio for the whole process, and neither can take that back: what it changed is written
down here, and put back.
"""

from __future__ import annotations

import asyncio
import sys
from importlib import metadata
from typing import TYPE_CHECKING, Any

from odyssey_nb.errors import UsageError
from odyssey_nb.kernel.runtime import runtime

if TYPE_CHECKING:
    from collections.abc import Callable

_NOTHING = object()
INSTALL = 'pip install "odyssey-nb[asyncio]"'


class Changes:
    """What a function changed in some modules and classes, to be put back."""

    def __init__(self, places: list[Any], change: Callable[[], object]) -> None:
        before = [dict(vars(place)) for place in places]
        change()
        self._changed = [
            (place, name, was.get(name, _NOTHING))
            for place, was in zip(places, before, strict=True)
            for name, value in dict(vars(place)).items()
            if was.get(name, _NOTHING) is not value
        ]

    def put_back(self) -> None:
        """Let everything be as it was."""
        for place, name, value in self._changed:
            if value is _NOTHING:
                delattr(place, name)
            else:
                setattr(place, name, value)


def switch_on() -> str:
    """Let ``asyncio.run`` work in cells, until `switch_off`; return what there is to say.

    Raises:
        UsageError: It works here as it is, or what is needed is missing or cannot be.
    """
    state = runtime()
    if state.nesting is not None:
        return "asyncio.run works in cells already"
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        raise UsageError(
            "no loop runs here, so asyncio.run works as it is", hint="Call it."
        ) from None
    if hasattr(asyncio, "_nest_patched"):
        raise UsageError(
            "something else has changed asyncio already",
            hint="Restart the kernel, and leave nest_asyncio.apply() out.",
        )
    apply = _nest()
    places = [asyncio, asyncio.tasks, asyncio.futures, asyncio.events, type(loop)]
    if sys.version_info < (3, 14):
        places.append(type(asyncio.get_event_loop_policy()))
    if "tornado.concurrent" in sys.modules:
        places.append(sys.modules["tornado.concurrent"])
    try:
        state.nesting = Changes(places, lambda: apply(loop))
    except ValueError as error:
        kind = f"{type(loop).__module__}.{type(loop).__name__}"
        raise UsageError(
            f"loops of {kind} cannot run within each other", hint="Write `await main()` instead."
        ) from error
    return "asyncio.run works in cells now; %odyssey asyncio off takes that back"


def switch_off() -> str:
    """Let everything be as before; return what there is to say."""
    state = runtime()
    if state.nesting is None:
        return "asyncio is as it was; `await main()` works in a cell"
    state.nesting.put_back()
    state.nesting = None
    return "asyncio.run fails in cells again, as usual; `await main()` works"


def _nest() -> Callable[[asyncio.AbstractEventLoop], object]:
    """Return what changes asyncio, for this kernel.

    Raises:
        UsageError: It is not installed.
    """
    major = int(metadata.version("ipykernel").partition(".")[0])
    try:
        if major >= 7:
            import nest_asyncio2 as nest
        else:
            import nest_asyncio as nest
        apply: Callable[[asyncio.AbstractEventLoop], object] = nest.apply
        return apply
    except ModuleNotFoundError as error:
        raise UsageError(f"{error.name} is not installed", hint=f"{INSTALL} brings it.") from error
