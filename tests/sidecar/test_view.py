"""The view socket of a real sidecar: who gets in, and what a page can do there without a kernel."""

from __future__ import annotations

import asyncio
import itertools
import json
import secrets
import struct
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from odyssey_nb.sidecar import view
from odyssey_nb.wire import link as wire
from odyssey_nb.wire.view import prove
from tests.conftest import Service, wait_until
from tests.sidecar.line import Line, hello, sidecar

ORIGIN = "http://127.0.0.1:8888"


class Desk:
    """A sidecar with a connection, and the passes that its kernel gives to pages."""

    def __init__(self, line: Line, log: Path) -> None:
        self.line, self._log = line, log
        self._ids = itertools.count(100)
        self.port = 0
        self.known: list[str] = []  # every token and secret

    async def admit(self, *, seconds: float = 10) -> tuple[str, str]:
        """Let a page in: return its token and its secret."""
        token, secret = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
        self.known += [token, secret]
        answer = await self.line.answer(
            wire.Admit(
                id=next(self._ids), connection="default", origin=ORIGIN, token=token,
                secret=secret, timeout=seconds,
            )
        )  # fmt: skip
        assert answer.error == ""
        self.port = answer.number
        return token, secret

    def knock(self, origin: str | None = ORIGIN) -> Any:
        """Open a socket, without a word."""
        return connect(f"ws://127.0.0.1:{self.port}/", origin=origin, max_size=None, proxy=None)

    @property
    def log(self) -> str:
        """What the sidecar has said."""
        return self._log.read_text()

    def saw(self, *refusals: str) -> None:
        """Each of these is in the log."""
        for why in refusals:
            wait_until(lambda why=why: f"refused at the view socket: {why}" in self.log, what=why)


@pytest.fixture
async def desk(service: Service, tmp_path: Path) -> AsyncIterator[Desk]:
    """A sidecar with one connection, on which a stream runs; its log never shows a secret."""
    log = tmp_path / "sidecar.log"
    async with sidecar(log=log) as line:
        line.tell(hello())
        await line.connect(service)
        start = wire.Start(id=2, connection="default", prompt="a", portrait=False, timeout=10)
        assert (await line.answer(start)).error == ""
        desk = Desk(line, log)
        yield desk
    assert not [each for each in desk.known if each in desk.log]


class Page:
    """A page that has come in."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._ids = itertools.count(1)
        self.pictures: list[dict[str, Any]] = []  # headers
        self.data: list[bytes] = []
        self.events: list[dict[str, Any]] = []

    async def tell(self, kind: str, **fields: Any) -> None:
        """Say something."""
        await self._socket.send(json.dumps({"type": kind, "connection": "default"} | fields))

    async def receive(self) -> dict[str, Any]:
        """Return the next text, keeping pictures and events."""
        while True:
            async with asyncio.timeout(10):
                message = await self._socket.recv()
            if isinstance(message, bytes):
                (length,) = struct.unpack_from(">I", message)
                self.pictures.append(json.loads(message[4 : 4 + length]))
                self.data.append(message[4 + length :])
                return {"type": "picture"}
            found = dict(json.loads(message))
            if found["type"] in {"answer", "welcome"}:
                return found
            self.events.append(found)

    async def ask(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Send a command and return its answer."""
        number = next(self._ids)
        await self.tell(kind, id=number, **fields)
        while (message := await self.receive()).get("id") != number:
            pass
        return message


@asynccontextmanager
async def entered(desk: Desk) -> AsyncIterator[Page]:
    """Come in as the page for which the kernel got a pass."""
    token, secret = await desk.admit()
    async with desk.knock() as socket:
        page = Page(socket)
        await page.tell("enter", token=token, nonce="any words")
        welcome = await page.receive()
        assert welcome == {"type": "welcome", "proof": prove(secret, "any words")}
        yield page


def enter(token: str) -> str:
    """What a page says first."""
    return json.dumps({"type": "enter", "token": token, "nonce": "n"})


async def closed(socket: ClientConnection) -> int:
    """Wait until the sidecar closes the socket without a word; return the code."""
    with pytest.raises(ConnectionClosed) as caught:
        async with asyncio.timeout(10):
            said = await socket.recv()
            raise AssertionError(said)
    assert caught.value.rcvd is not None
    return caught.value.rcvd.code


async def test_a_page_sees_and_steers(desk: Desk, service: Service) -> None:
    """Pictures come by credit from a keyframe on; commands are answered and change the stream."""
    await desk.line.connect(service, "other")
    async with entered(desk) as page:
        with pytest.raises(InvalidStatus):
            await desk.knock()  # nobody else is awaited
        await page.tell("subscribe", credit=5)
        while len(page.pictures) < 5:
            await page.receive()
        told = {each["type"] for each in page.events}
        assert told == {"status_changed", "stream_changed", "clocks"}
        assert page.pictures[0]["key"]
        assert all(data.startswith(b"\0\0\0\1") for data in page.data)
        assert (await page.ask("interact", prompt="fog", timeout=5))["text"] == "fog"
        assert (await page.ask("mark", text="", timeout=5))["time"] > 0
        happened = [each for each in page.events if each["type"] == "happening"]
        assert [each["kind"] for each in happened] == ["interact", "mark"]
        assert (await page.ask("traffic", timeout=5))["number"] > 0
        assert len(page.pictures) == 5, "no picture without credit"
        await page.tell("credit", pictures=1)
        while len(page.pictures) < 6:
            await page.receive()

        await page.tell("seen")
        while (await desk.line.receive()).type != "seen":
            pass

        await page.tell("disconnect", connection="other", id=99)  # not what it came in for
        assert (await page.ask("end", timeout=5))["error"] == ""
        assert page.events[-1]["state"] == "none"
        assert (await page.ask("interact", prompt="x", timeout=5))["error"] == "NO_STREAM"
        assert service.held == 2
        assert (await page.ask("disconnect"))["error"] == ""
        assert page.events[-1]["status"] == "disconnected"
        assert service.held == 1


async def test_only_the_right_token_opens_and_only_once(desk: Desk, service: Service) -> None:
    """Used, old, guessed or no tokens are refused and counted, and no command comes before one."""
    used, _ = await desk.admit()
    old, _ = await desk.admit(seconds=0)
    await desk.admit()  # somebody is awaited all the time
    async with desk.knock() as silent, desk.knock() as first:
        await first.send(enter(used))
        assert "welcome" in await first.recv()
        refused = [
            enter(used),
            enter(old),
            enter("a guess"),
            json.dumps({"type": "disconnect", "connection": "default", "id": 1}),
            json.dumps({"type": "subscribe", "connection": "default", "credit": 5}),
        ]
        for said in refused:
            async with desk.knock() as socket:
                await socket.send(said)
                assert await closed(socket) == 1008
        async with desk.knock() as socket:
            await socket.send("[1, 2")
            assert await closed(socket) == 1008
        assert await closed(silent) == 1008
    desk.saw(
        "wrong token (4 so far)", "malformed message (1 so far)", "no token in time (1 so far)"
    )
    assert service.held == 1


async def test_strangers_stay_out(desk: Desk, service: Service) -> None:
    """Other origins, too many sockets and oversized messages are refused and counted."""
    await desk.admit()
    for origin in ("http://evil.example", "http://127.0.0.1:8889", None, "null"):
        with pytest.raises(InvalidStatus) as caught:
            await desk.knock(origin)
        assert caught.value.response.status_code == 403
    large = "x" * (view.LARGEST_BYTES + 1)
    async with desk.knock() as socket:
        await socket.send(large)
        assert await closed(socket) == 1009
    async with entered(desk) as page:
        with pytest.raises(ConnectionClosed):
            await page.ask("interact", prompt=large, timeout=5)

    async with AsyncExitStack() as stack:
        for _ in range(view.MOST_SOCKETS):
            await stack.enter_async_context(entered(desk))
        await desk.admit()
        with pytest.raises(InvalidStatus) as caught:
            await desk.knock()
        assert caught.value.response.status_code == 503
    async with entered(desk) as page:
        assert (await page.ask("mark", text="", timeout=5))["error"] == "", "there is room again"
    desk.saw("foreign origin (4 so", "oversized message (1 so", "too many sockets (1 so")
    assert service.held == 1


@pytest.mark.parametrize("how", ["disconnects", "dies"])
async def test_pages_are_told_the_end_and_let_go(desk: Desk, service: Service, how: str) -> None:
    """Whether the kernel disconnects or is gone, the page hears it, and then its socket ends."""
    async with entered(desk) as page:
        if how == "dies":
            desk.line.writer.close()
        else:
            answer = await desk.line.answer(wire.Disconnect(id=50, connection="default"))
            assert answer.error == ""
        with pytest.raises(ConnectionClosed):
            await page.receive()
        assert page.events[-1]["status"] == "disconnected"
        service.wait_free(seconds=2)
