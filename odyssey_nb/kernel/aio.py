"""Awaitable twins: ``await stream.aio.interact("…")`` does what ``stream.interact("…")`` does."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from odyssey_nb.kernel.connection import Connection
    from odyssey_nb.kernel.stream import Stream


def twin(method: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
    """Return the awaitable twin of something that blocks; it runs on a thread."""

    async def call(*args: Any, **options: Any) -> object:
        return await asyncio.to_thread(method, *args, **options)

    call.__doc__ = method.__doc__
    return call


class Aio:
    """Offers the named blocking methods of `owner` as awaitables, each run on a thread."""

    def __init__(self, owner: object, *names: str) -> None:
        self._owner = owner
        self._names = names

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        if name.startswith("_") or name not in self._names:
            raise AttributeError(name)
        return twin(getattr(self._owner, name))

    def __dir__(self) -> list[str]:
        return list(self._names)


class ConnectionAio(Aio):
    """The twins of a connection's methods; a start that is cancelled leaves no stream."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection, "disconnect", "start")
        self._connection = connection

    async def start(self, prompt: str, **options: Any) -> Stream:
        """Start a stream; see `Connection.start`."""
        beginning = self._connection.beginning(prompt, **options)
        await asyncio.to_thread(beginning.prepare)
        # Asked for here and not on the thread, so that calling it off can only come later.
        beginning.ask()
        try:
            return await asyncio.to_thread(beginning.wait)
        except asyncio.CancelledError:
            beginning.call_off()
            raise
