"""The sidecar as its kernel's end of the link sees it: a real process on a real socket."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from odyssey_nb.kernel.link import SidecarLink
from odyssey_nb.sidecar.link import Link
from odyssey_nb.wire import link as wire
from tests.conftest import Serve, Service, wait_until
from tests.service.raw_client import until
from tests.sidecar.line import Line, hello, sidecar


async def test_another_version_is_refused() -> None:
    """A kernel of another link version is left alone: the sidecar says who it is and ends."""
    async with sidecar() as line:
        line.tell(hello(wire.LINK_VERSION + 1))
        with pytest.raises(asyncio.IncompleteReadError):
            await line.receive()
        assert line.process.wait(5) == 0


async def test_requests_without_a_connection_are_answered() -> None:
    """Every request gets an answer, also one that names nothing."""
    async with sidecar() as line:
        line.tell(hello())
        for request in (
            wire.Interact(id=5, connection="x", prompt="fog", timeout=1),
            wire.End(id=6, connection="x", timeout=1),
            wire.Fetch(id=7, connection="x"),
        ):
            assert (await line.answer(request)).error == "NOT_CONNECTED"
        assert (await line.answer(wire.Disconnect(id=8, connection="x"))).error == ""


async def test_pictures_flow_by_credit_and_events_always(service: Service) -> None:
    """With no credit left not one picture comes, but every event and answer does."""
    async with sidecar() as line:
        line.tell(hello())
        await line.connect(service)
        start = wire.Start(id=2, connection="default", prompt="a", portrait=False, timeout=10)
        assert (await line.answer(start)).text == "a"
        line.tell(wire.Subscribe(connection="default", credit=5))
        while len(line.pictures) < 5:
            message = await line.receive()
            assert message.type == "picture"
            line.pictures.append(message)
        assert line.pictures[0].key
        assert all(
            later.follows in {0, before.seq}
            for before, later in zip(line.pictures, line.pictures[1:], strict=False)
        )

        line.pictures.clear()
        for number in range(10, 30):
            interact = wire.Interact(
                id=number, connection="default", prompt=f"p{number}", timeout=5
            )
            assert (await line.answer(interact)).text == f"p{number}"
        newest = wire.Fetch(id=40, connection="default", stream=1, after=10, timeout=5)
        assert (await line.answer(newest)).pictures[-1].seq > 10
        assert line.pictures == []

        line.tell(wire.Credit(connection="default", pictures=3))
        message = await line.receive()
        while message.type != "picture":
            message = await line.receive()
        assert message.key, "after a gap only a keyframe can be decoded"


async def test_a_kernel_that_does_not_read_costs_no_memory(service: Service) -> None:
    """Pictures that nobody takes are dropped: the sidecar stays within its ring."""
    async with sidecar() as line:
        line.tell(hello())
        await line.connect(service)
        start = wire.Start(id=2, connection="default", prompt="a", portrait=False, timeout=10)
        await line.answer(start)
        line.tell(wire.Subscribe(connection="default", credit=3))
        memory = psutil.Process(line.process.pid).memory_info
        before = memory().rss
        fetch = wire.Fetch(id=3, connection="default", stream=1, after=60, timeout=8)
        assert (await line.answer(fetch)).pictures[-1].seq > 60
        assert len(line.pictures) == 3
        assert memory().rss - before < 20_000_000


async def test_closing_the_link_says_goodbye(service: Service) -> None:
    """End-of-file alone frees every streamer, and the process ends."""
    async with sidecar() as line:
        line.tell(hello())
        await line.connect(service, "one")
        await line.connect(service, "two")
        assert service.held == 2
        line.writer.close()
        await line.writer.wait_closed()
        service.wait_free(seconds=2)
        assert line.process.wait(3) == 0


async def test_a_name_that_is_taken_is_freed_first(serve: Serve) -> None:
    """A kernel that has lost sight of a connection gets another by that name, on one streamer."""
    service = serve("--streamers", "1", "--limit", "concurrent_streams=1")
    async with sidecar() as line:
        line.tell(hello())
        await line.connect(service)
        line.events.clear()
        again = wire.Connect(
            id=2, connection="default", url=service.url, api_key=service.api_key, timeout=20
        )
        assert (await line.answer(again)).error == ""
        told = [each.status for each in line.events if each.type == "status_changed"]
        assert told[0] == "authenticating", "the first one's end is told under the same name"
        assert service.held == 1
        assert (await line.answer(wire.Disconnect(id=3, connection="default"))).error == ""
        service.wait_free(seconds=2)


async def test_closing_while_a_name_is_freed(serve: Serve) -> None:
    """A link that closes while one connection gives way to another frees both."""
    service = serve("--streamers", "1", "--limit", "concurrent_streams=1")
    async with sidecar() as line:
        line.tell(hello())
        await line.connect(service)
        line.tell(
            wire.Connect(
                id=2, connection="default", url=service.url, api_key=service.api_key, timeout=20
            )
        )
        line.tell(wire.Goodbye(id=3, reason="test"))
        with pytest.raises(asyncio.IncompleteReadError):
            while True:
                await line.receive()
        service.wait_free(seconds=2)
        assert line.process.wait(3) == 0


@asynccontextmanager
async def served_here() -> AsyncIterator[tuple[Link, Line]]:
    """Serve a link in this process, which so takes at once what is told at once."""
    ours, theirs = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=theirs)
    link = Link(reader, writer, idle=lambda: None)
    process: Any = None
    line = Line(process, *await asyncio.open_connection(sock=ours))
    with closing(writer), closing(line.writer):
        serving = asyncio.create_task(link.serve())
        try:
            yield link, line
        finally:
            line.tell(wire.Goodbye(id=99, reason="test"))
            await serving


async def test_nothing_is_held_for_a_successor_that_was_called_off() -> None:
    """Of three by one name each calls off the one before it; with the last the link is idle."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        async with served_here() as (link, line):
            for number in (1, 2, 3):
                line.tell(
                    wire.Connect(
                        id=number, connection="default", url=url, api_key="ody_k", timeout=20
                    )
                )
            await line.answer(wire.Disconnect(id=4, connection="default"))
            await until(lambda: not link.busy)


async def test_a_disconnect_is_no_affair_of_what_comes_after_it(service: Service) -> None:
    """A connection that is asked for in the same moment is opened, and answered."""
    async with served_here() as (link, line), asyncio.timeout(30):
        line.tell(wire.Disconnect(id=1, connection="default"))
        asked = wire.Connect(
            id=2, connection="default", url=service.url, api_key=service.api_key, timeout=20
        )
        assert (await line.answer(asked)).error == ""
        assert (await line.answer(wire.Disconnect(id=3, connection="default"))).error == ""
        await until(lambda: not link.busy)


async def test_signals_to_the_group_do_not_end_it(service: Service) -> None:
    """An interrupt, a hang-up or a polite kill is the kernel's affair."""
    async with sidecar() as line:
        line.tell(hello())
        await line.connect(service)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            line.process.send_signal(number)
        answer = await line.answer(wire.Fetch(id=9, connection="default"))
        assert answer.error == ""
        assert service.held == 1


@pytest.mark.parametrize("which", ["kernel", "server"])
async def test_a_dead_process_ends_it_although_the_link_is_open(
    service: Service, which: str
) -> None:
    """A grandchild can keep the link open; the death of kernel or server counts all the same."""
    victim = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        async with sidecar(**{which: victim.pid}) as line:
            line.tell(hello())
            await line.connect(service)
            victim.kill()
            victim.wait()
            # The server's death leaves the kernel 2.5 s to end by itself.
            service.wait_free(seconds=2 if which == "kernel" else 5)
            await _ended(line)
    finally:
        victim.kill()
        victim.wait()


async def _ended(line: Line) -> None:
    with suppress(asyncio.IncompleteReadError):
        while True:
            await line.receive()
    wait_until(lambda: line.process.poll() is not None, seconds=3, what="the sidecar's end")


async def test_a_connect_under_way_is_called_off(
    serve: Callable[..., Service],
) -> None:
    """Disconnecting while a connection waits for a streamer ends the wait and holds nothing."""
    full = serve("--streamers", "1")
    async with sidecar() as line:
        line.tell(hello())
        await line.connect(full, "first")
        line.tell(
            wire.Connect(id=2, connection="second", url=full.url, api_key=full.api_key, timeout=30)
        )
        message = await line.receive()
        while not (message.type == "status_changed" and message.status == "connecting"):
            message = await line.receive()
        assert (await line.answer(wire.Disconnect(id=3, connection="second"))).error == ""
        statuses = [each.status for each in line.events if each.type == "status_changed"]
        assert statuses[-1] == "disconnected"
        assert full.held == 1


def test_the_end_of_a_sidecar_is_waited_for(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever finds it lost goes on when what it held is known."""
    monkeypatch.setattr("odyssey_nb.kernel.link.GRACE", 30)
    told, going_on = threading.Event(), threading.Event()

    def follow(_link: SidecarLink) -> None:
        assert told.wait(10)

    link = SidecarLink.start(on_event=lambda _: None, on_picture=lambda _: None, on_lost=follow)
    link.settle()
    assert link.usable
    os.kill(link.pid, signal.SIGKILL)
    waiting = threading.Thread(target=lambda: (link.settle(), going_on.set()))
    waiting.start()
    wait_until(lambda: not link.usable, what="the loss")
    assert not going_on.is_set()
    told.set()
    waiting.join(10)
    assert going_on.is_set()
