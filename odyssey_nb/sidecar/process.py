"""The sidecar process: ``python -m odyssey_nb.sidecar.process FD KERNEL_PID SERVER_PID``.

One per kernel, in a process session of its own. It holds every connection of its kernel and
outlives that kernel only by the second that a proper goodbye takes: `FD` is its end of the socket
pair to the kernel, SERVER_PID 0 says that there is no Jupyter server.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from contextlib import suppress

from odyssey_nb.config import suspended_seconds
from odyssey_nb.sidecar.link import Link
from odyssey_nb.sidecar.watch import kernel_is_over, kernel_is_stopped

log = logging.getLogger(__name__)

IDLE_SECONDS = 60.0  # without a connection, before the process ends
GOODBYE_SECONDS = 2.5  # for all goodbyes together; a slot is free after the first tenth of it


async def _main(fd: int, kernel: int, server: int | None) -> None:
    reader, writer = await asyncio.open_connection(sock=socket.socket(fileno=fd), limit=2**20)
    idle = asyncio.Event()
    idle.set()
    link = Link(reader, writer, idle=idle.set)
    ends = [
        asyncio.ensure_future(link.serve()),
        asyncio.ensure_future(kernel_is_over(kernel, server)),
        asyncio.ensure_future(_idle_for_long(link, idle)),
        asyncio.ensure_future(_give_up_when_stopped(link, kernel)),
    ]
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    with suppress(TimeoutError):
        async with asyncio.timeout(GOODBYE_SECONDS):
            await link.leave()


async def _idle_for_long(link: Link, idle: asyncio.Event) -> None:
    """Return after `IDLE_SECONDS` without a connection."""
    while True:
        await idle.wait()
        idle.clear()
        await asyncio.sleep(IDLE_SECONDS)
        if not link.busy and not idle.is_set():
            return


async def _give_up_when_stopped(link: Link, kernel: int) -> None:
    """Free what a kernel holds that is stopped for long; it is told when it goes on."""
    seconds = suspended_seconds()
    while True:
        await kernel_is_stopped(kernel, seconds)
        link.give_up(f"the kernel was stopped for {seconds:g} s, so the session was freed")
        await asyncio.sleep(seconds)


def main() -> None:
    """Run until the kernel is over or nobody has needed us for long."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # only the kernel's end is ours
    logging.basicConfig(level=logging.WARNING)
    fd, kernel, server = (int(text) for text in sys.argv[1:4])
    status = 1
    try:
        asyncio.new_event_loop().run_until_complete(_main(fd, kernel, server or None))
        status = 0
    except Exception:
        log.exception("the sidecar failed")
    finally:
        sys.stderr.flush()
        os._exit(status)  # whatever a library left running must not keep the process


if __name__ == "__main__":
    main()
