"""A proxy that meddles: it refuses WebSockets, or tells another time than the service does."""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING

import aiohttp
from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@asynccontextmanager
async def meddling(service: str, *, ahead: float = 0) -> AsyncIterator[str]:
    """Put a proxy before the service at that URL, whose clock is so many seconds `ahead`.

    It passes no WebSockets.
    """
    async with aiohttp.ClientSession() as http:

        async def carry(request: web.Request) -> web.Response:
            if request.headers.get("Upgrade"):
                return web.Response(status=400)
            async with http.request(
                request.method, service + request.path_qs, headers=request.headers,
                data=await request.read(),
            ) as answer:  # fmt: skip
                date = datetime.now(UTC) + timedelta(seconds=ahead)
                return web.Response(
                    status=answer.status,
                    body=await answer.read(),
                    headers={"Date": format_datetime(date, usegmt=True)},
                )

        app = web.Application()
        app.router.add_route("*", "/{path:.*}", carry)
        runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()
