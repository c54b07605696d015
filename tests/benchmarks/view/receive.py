"""Receives a stream in the kernel as its user would write it: aiortc, on a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

from tests.service.raw_client import RawClient

if TYPE_CHECKING:
    from collections.abc import Callable

    import av


def receive(url: str, api_key: str, show: Callable[[av.VideoFrame], None]) -> None:
    """Start a stream and give its newest picture, as aiortc decodes it, to `show` again and again.

    On a thread, so that pictures go on while a cell runs; those that come while `show` is at work
    replace each other, so that nothing queues up.
    """
    run = _receive(url, api_key, show)
    threading.Thread(target=asyncio.run, args=(run,), daemon=True).start()


async def _receive(url: str, api_key: str, show: Callable[[av.VideoFrame], None]) -> None:
    newest: asyncio.Queue[av.VideoFrame] = asyncio.Queue(1)

    async def take(client: RawClient) -> None:
        while True:
            picture = await client.picture()
            if newest.full():
                newest.get_nowait()
            newest.put_nowait(picture)

    async with RawClient.connected(url, api_key) as client:
        await client.start("anything")
        taking = asyncio.create_task(take(client))
        while not taking.done():
            show(await newest.get())
