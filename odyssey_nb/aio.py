"""Awaitable twins of the functions: ``await ody.aio.connect()`` does what ``ody.connect()`` does.

Each runs on a thread, so the loop goes on. One that is cancelled leaves nothing open that was not
open before: a connection that is being opened is called off, a stream that is being started too.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from odyssey_nb import api
from odyssey_nb.kernel.aio import twin
from odyssey_nb.kernel.runtime import get_manager

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from odyssey_nb.kernel.connection import Connection
    from odyssey_nb.kernel.simulations import Simulation
    from odyssey_nb.kernel.stream import Stream

_OTHERS = (
    "disconnect", "doctor", "end", "interact", "kill", "mark", "reap", "recordings", "sessions",
    "simulations", "usage", "watch",
)  # fmt: skip


async def connect(name: str = "default", **options: Any) -> Connection:
    """Open a connection, or return the open one; see `odyssey_nb.connect`."""
    return await _opened(name, lambda: api.connect(name, **options))


async def start(prompt: str, *, on: str = "default", **options: Any) -> Stream:
    """Start a stream, connecting first if need be; see `odyssey_nb.start`."""
    manager = get_manager()
    connection = await _opened(on, lambda: manager.get(on) or manager.reopen(on))
    return await connection.aio.start(prompt, **options)


async def simulate(
    script: object,
    *,
    wait: bool = True,
    timeout: float | None = None,  # noqa: ASYNC109
    **options: Any,
) -> Simulation:
    """Run a scripted stream; see `odyssey_nb.simulate`. Cancelled, it goes on at the service."""
    simulation = await asyncio.to_thread(api.simulate, script, wait=False, **options)
    return await simulation.aio.wait(timeout) if wait else simulation


async def _opened(name: str, work: Callable[[], Connection]) -> Connection:
    before = get_manager().get(name)
    try:
        return await asyncio.to_thread(work)
    except asyncio.CancelledError:
        if before is None:
            await asyncio.to_thread(get_manager().disconnect, name)
        raise


def __getattr__(name: str) -> Callable[..., Awaitable[Any]]:
    """Return the twin of one of the other functions."""
    if name not in _OTHERS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return twin(getattr(api, name))


def __dir__() -> list[str]:
    return sorted({"connect", "simulate", "start", *_OTHERS})
