"""Awaitable twins: ``await stream.aio.interact("…")`` does what ``stream.interact("…")`` does."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class Aio:
    """Offers the named blocking methods of `owner` as awaitables, each run on a thread."""

    def __init__(self, owner: object, *names: str) -> None:
        self._owner = owner
        self._names = names

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        if name.startswith("_") or name not in self._names:
            raise AttributeError(name)
        method = getattr(self._owner, name)

        async def call(*args: Any, **options: Any) -> object:
            return await asyncio.to_thread(method, *args, **options)

        call.__doc__ = method.__doc__
        return call

    def __dir__(self) -> list[str]:
        return list(self._names)
