"""The awaitable twins of the functions."""

from __future__ import annotations

import asyncio

import odyssey_nb as ody
from odyssey_nb.kernel.runtime import get_manager
from tests.conftest import API_KEY, Serve
from tests.service.raw_client import until


async def test_functions_can_be_awaited(serve: Serve) -> None:
    """The loop goes on meanwhile; a connect that is cancelled leaves nothing, an open one stays."""
    service = serve("--streamers", "1")
    where = {"url": service.url, "api_key": API_KEY}
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0.01)

    ticking = asyncio.ensure_future(tick())
    try:
        connection = await ody.aio.connect("held", **where)
        assert ticks > 5
        stream = await ody.aio.start("a red house", on="held")
        assert (stream.connection, stream.prompt) == (connection, "a red house")
        assert await ody.aio.interact("at night", on="held") == "at night"
        assert [row.here for row in await ody.aio.sessions()] == [True]

        waiting = asyncio.ensure_future(ody.aio.connect("late", **where))
        await until(lambda: "late" in get_manager().names())
        waiting.cancel()
        await asyncio.wait([waiting])
        assert waiting.cancelled()
        await until(lambda: get_manager().names() == ["held"])
        assert connection.is_open

        simulation = await ody.aio.simulate("0 start a\n0.5 end", **where)
        assert len(await simulation.aio.clip()) == 10
        await ody.aio.disconnect()
        await until(lambda: service.held == 0)
    finally:
        ticking.cancel()
        manager = get_manager()
        await asyncio.to_thread(manager.release_all, "the test is over", budget=5)
    assert "connect" in dir(ody.aio)
    assert ody.aio.usage.__doc__ == ody.usage.__doc__
