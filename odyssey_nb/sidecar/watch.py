"""Watches the processes that the sidecar must not outlive, and the kernel's being stopped.

End-of-file on the link is not enough: a forked grandchild can keep it open, and a kernel that holds
the GIL cannot notice that its Jupyter server is gone.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress

import psutil

POLL_SECONDS = 0.25  # where the system cannot tell by itself
SERVER_GRACE = 2.5  # seconds that a kernel gets to end by itself after its server died


async def process_end(pid: int) -> None:
    """Return when process `pid` has ended; at once if there is no such process."""
    opened = getattr(os, "pidfd_open", None)
    if opened is None:
        await _poll(pid)
        return
    try:
        fd = opened(pid)
    except ProcessLookupError:
        return
    except OSError:  # an old kernel or a sandbox does not offer it
        await _poll(pid)
        return
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(fd, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(fd)
        os.close(fd)


async def _poll(pid: int) -> None:
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        # Nothing here can be waited on: that is why it is asked again and again.
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:  # noqa: ASYNC110
            await asyncio.sleep(POLL_SECONDS)


async def kernel_is_over(kernel: int, server: int | None) -> None:
    """Return when the kernel has ended, or its server has and the kernel did not follow in time."""
    ends = [asyncio.ensure_future(process_end(kernel))]
    if server is not None:
        ends.append(asyncio.ensure_future(_server_end(server)))
    try:
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for end in ends:
            end.cancel()


async def _server_end(pid: int) -> None:
    await process_end(pid)
    await asyncio.sleep(SERVER_GRACE)


async def kernel_is_stopped(kernel: int, seconds: float) -> None:
    """Return when a signal or debugger has kept the kernel stopped for so many seconds.

    A kernel that computes, or holds the GIL, is not stopped: that is its user's work, however long
    nothing is heard of it.
    """
    clock, since = asyncio.get_running_loop().time, None
    while True:
        if not _is_stopped(kernel):
            since = None
        elif since is None:
            since = clock()
        elif clock() - since >= seconds:
            return
        await asyncio.sleep(min(1.0, seconds / 4))


def _is_stopped(pid: int) -> bool:
    try:
        status = psutil.Process(pid).status()
    except psutil.Error:
        return False
    return status in {psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP}
