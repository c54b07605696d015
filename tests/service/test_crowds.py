"""A crowd at a broadcast's page, spoken to by hand: who is let in, what is carried, how it ends."""

from __future__ import annotations

import asyncio
import hashlib
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from odyssey_nb.concurrency import Crew
from odyssey_nb.service import crowds
from odyssey_nb.service.crowds import Crowds
from odyssey_nb.service.lines import MOST_UNSENT, Line
from odyssey_nb.wire import crowd as wire
from tests.conftest import API_KEY
from tests.service.raw_client import RawClient, until
from tests.service.running import OTHER_KEY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.conftest import Service

Message = dict[str, Any]
BOARD = {
    "type": "board", "mode": "queue", "every": 5, "longest": 100,
    "waiting": [{"id": "1", "prompt": "<b>snow</b>", "by": ["a"], "names": ["Ada"]}],
}  # fmt: skip


def digest(token: str) -> str:
    """Return what the service keeps of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


class Socket:
    """One end of a crowd's socket, which remembers everything that it is told."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.heard: list[Message] = []

    async def say(self, **message: Any) -> None:
        await self.socket.send_str(json.dumps(message))

    async def hear(self, kind: str) -> Message:
        """Wait for the next message of a kind, past those of others."""
        async with asyncio.timeout(10):
            while True:
                text = await self.socket.receive_str()
                self.heard.append(json.loads(text))
                if self.heard[-1]["type"] == kind:
                    return self.heard[-1]

    async def closed(self) -> int | None:
        """Wait until the service closes it; return the code."""
        async with asyncio.timeout(10):
            while (await self.socket.receive()).type == aiohttp.WSMsgType.TEXT:
                pass
        return self.socket.close_code


class Crowd:
    """What opens the sockets of one stream's crowd."""

    def __init__(self, http: aiohttp.ClientSession, service: Service, stream_id: str) -> None:
        self.http = http
        self._opened: list[Socket] = []
        self._url = f"{service.url}/live/{stream_id}/crowd"
        self.service = service
        self.stream_id = stream_id

    async def owner(self, token: str | None = None) -> Socket:
        token = await asyncio.to_thread(self.service.token) if token is None else token
        headers = {"Authorization": f"Bearer {token}"}
        return await self._open(f"{self._url}/owner", headers=headers)

    async def page(self, **first: Any) -> Socket:
        page = await self._open(self._url)
        await page.say(**first)
        return page

    async def _open(self, url: str, **options: Any) -> Socket:
        self._opened.append(Socket(await self.http.ws_connect(url, **options)))
        return self._opened[-1]

    async def close(self) -> None:
        for each in self._opened:
            await each.socket.close()


@asynccontextmanager
async def crowd_of(service: Service) -> AsyncIterator[tuple[Crowd, Socket]]:
    """A broadcast stream's crowd, and its owner's socket with a link that all share."""
    async with RawClient.connected(service.url, API_KEY) as client:
        started = await client.start("a red house", broadcast=True)
        await client.hear()
        async with aiohttp.ClientSession() as http:
            crowd = Crowd(http, service, started["stream_id"])
            owner = await crowd.owner()
            await owner.say(type="roster", people=[], join=digest("for all"), number=7)
            assert (await owner.hear("enrolled"))["number"] == 7
            await owner.say(**BOARD)
            yield crowd, owner
            await crowd.close()
        await client.end()


async def test_who_is_let_in(shared: Service) -> None:
    """A link lets in, once with a token of one's own; all other tokens, keys and streams do not."""
    async with crowd_of(shared) as (crowd, owner):
        page = await crowd.page(type="join", token="for all", name=" Ada\n<b>\u202e ")
        entered = await page.hear("entered")
        assert entered["name"] == "Ada <b>"
        assert entered["stream"] == crowd.stream_id
        joined = (await owner.hear("joined"))["person"]
        assert joined == {
            "id": entered["participant"], "name": "Ada <b>", "digest": digest(entered["token"])
        }  # fmt: skip
        assert (await owner.hear("present"))["present"] is True
        assert (await page.hear("board"))["waiting"] == [{**BOARD["waiting"][0], "votes": 0}]
        await page.socket.close()
        assert (await owner.hear("present"))["present"] is False

        again = await crowd.page(type="enter", token=entered["token"], name="Ada L.")
        found = await again.hear("entered")
        assert (found["participant"], found["name"]) == (entered["participant"], "Ada L.")
        assert "token" not in found or not found["token"]

        for first in (
            {"type": "join", "token": "wrong"},
            {"type": "enter", "token": "for all"},
            {"type": "enter", "token": joined["digest"]},
            {"type": "propose", "prompt": "snow"},
        ):
            page = await crowd.page(**first)
            assert (await page.hear("refused"))["reason"] == "unknown"
            assert await page.closed() == 4001
        for nonsense in ("{", "[]", json.dumps({"type": "enter", "token": "x" * 10_000})):
            page = await crowd.page(type="here")
            await page.socket.send_str(nonsense)
            assert await page.closed() is not None

        assert await (await crowd.owner("wrong")).closed() == 4001
        other = await asyncio.to_thread(shared.token, OTHER_KEY)
        assert await (await crowd.owner(other)).closed() == 4004
        elsewhere = Crowd(crowd.http, shared, "no-such-stream")
        assert await (await elsewhere.owner()).closed() == 4004
        page = await elsewhere.page(type="join", token="for all")
        assert (await page.hear("over"))["reason"]
        await elsewhere.close()


async def test_a_roster_from_before_somebody_joined(shared: Service) -> None:
    """It sends away nobody of whom its owner could not know; who does know may."""
    async with crowd_of(shared) as (crowd, owner):
        page = await crowd.page(type="join", token="for all", name="Ada")
        await page.hear("board")
        joined = await owner.hear("joined")
        await owner.say(type="roster", people=[], join=digest("for all"), joins=0)
        assert await owner.hear("joined") == joined, "told again"
        assert (await owner.hear("present"))["present"] is True
        assert (await owner.hear("enrolled"))["number"] == 0
        await owner.say(type="roster", people=[], joins=joined["number"])
        assert (await page.hear("refused"))["reason"] == "revoked"
        assert all(each["type"] != "refused" for each in page.heard[:-1])


async def test_what_is_carried(shared: Service) -> None:
    """Both ways in order, to whom it concerns, no faster than anybody types, until it is over."""
    async with crowd_of(shared) as (crowd, owner):
        people = [{"id": each, "name": each, "digest": digest(each)} for each in ("ada", "ben")]
        await owner.say(type="roster", people=people, join="")
        await owner.hear("enrolled")
        ada, ben = [await crowd.page(type="enter", token=each) for each in ("ada", "ben")]
        for page in (ada, ben):
            await page.hear("board")
        await ada.say(type="propose", prompt=" heavy\tsnow ")
        await ada.say(type="vote", proposal="1")
        assert (await owner.hear("proposed"))["prompt"] == "heavy snow"
        assert (await owner.hear("voted")) == {
            "type": "voted", "participant": "ada", "proposal": "1"
        }  # fmt: skip
        await owner.say(type="told", participant="ada", kind="accepted", text="it waits")
        assert (await ada.hear("told"))["text"] == "it waits"

        for _ in range(40):
            await ben.say(type="propose", prompt="rain")
        assert "too fast" in (await ben.hear("told"))["text"]
        assert all(each["type"] != "told" or each["participant"] == "ben" for each in ben.heard)

        newer = await crowd.owner()
        assert await owner.closed() == 4013
        assert {(await newer.hear("present"))["participant"] for _ in people} == {"ada", "ben"}
        await newer.socket.close()
        assert (await ada.hear("away"))["away"] is False, "one took the other's place"
        assert (await ada.hear("away"))["away"] is True
        await ada.say(type="propose", prompt="fog")
        assert "lost touch" in (await ada.hear("told"))["text"]

        owner = await crowd.owner()
        await owner.say(type="roster", people=people[:1], join="")
        assert (await ben.hear("refused"))["reason"] == "revoked"
        assert await ben.closed() == 4001
        ben = await crowd.page(type="enter", token="ben")
        assert (await ben.hear("refused"))["reason"] == "unknown"

        await owner.say(type="over", reason="the bell rings")
        assert (await ada.hear("over"))["reason"] == "the bell rings"
        assert await ada.closed() == 1000
        assert await owner.closed() == 1000
        late = await crowd.page(type="enter", token="ada")
        assert await late.hear("over")


class NoBroadcasts:
    """Knows one broadcast, as long as it is told to."""

    live = True

    def token(self, stream_id: str) -> str | None:
        return "spectator" if self.live else None


class SilentSocket:
    """A socket of nobody, who hears all and says nothing until it is let go."""

    def __init__(self) -> None:
        self.gone = asyncio.Event()
        self.sent: list[str] = []

    async def send_text(self, text: str) -> None:
        self.sent.append(text)

    async def receive(self) -> Message:
        await self.gone.wait()
        return {"type": "websocket.disconnect", "code": 1006}

    async def close(self, code: int, reason: str) -> None:
        self.gone.set()


@pytest.mark.parametrize("lost", ["OWNER_SECONDS", "MOVE_SECONDS"])
async def test_a_crowd_that_is_left_is_closed(lost: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its owner, or without a stream, it closes after a while and is forgotten."""
    monkeypatch.setattr(crowds, lost, 0.2)
    monkeypatch.setattr(crowds, "LOOK_SECONDS", 0.02)
    crew, broadcasts = Crew(), NoBroadcasts()
    found: Any = Crowds(broadcasts, crew)  # type: ignore[arg-type]
    owner: Any = SilentSocket()
    serving = crew.start(found.attend_owner(owner, "one", "me", lambda _: True))
    await until(lambda: found.find("one") is not None)
    crowd = found.find("one")
    if lost == "OWNER_SECONDS":
        owner.gone.set()
    else:
        broadcasts.live = False
    async with asyncio.timeout(5):
        await crowd.closed.wait()
        await until(lambda: found.find("one") is None)
        await serving
        await crew.settle(5)


async def test_pages_that_only_wait_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """One too many is closed at once, whoever it is; those before it are served."""
    monkeypatch.setattr(crowds, "MOST_LINES", 1)
    crew, crowd = Crew(), crowds.Crowd("me", "one", "spectator")
    pages: list[Any] = [SilentSocket(), SilentSocket()]
    serving = crew.start(crowd.attend_page(pages[0]))
    await until(lambda: crowd._lines)
    await crowd.attend_page(pages[1])
    assert [each.gone.is_set() for each in pages] == [False, True]
    pages[0].gone.set()
    async with asyncio.timeout(5):
        await serving


class LateSocket(SilentSocket):
    """A socket that has said one thing more before it is closed."""

    last: str | None = '{"type": "over", "reason": "the bell rings"}'

    async def receive(self) -> Message:
        gone = await super().receive()
        text, self.last = self.last, None
        return gone if text is None else {"type": "websocket.receive", "text": text}


async def test_who_was_replaced_has_no_say() -> None:
    """What an owner sent just before a newer one came does not count any more."""
    crew, crowd = Crew(), crowds.Crowd("me", "one", "spectator")
    older: Any = LateSocket()
    newer: Any = SilentSocket()
    async with asyncio.timeout(5):
        first = crew.start(crowd.attend_owner(older, lambda _: None))
        await until(lambda: not crowd.away)
        second = crew.start(crowd.attend_owner(newer, lambda _: None))
        await first
        assert not crowd.closed.is_set()
        newer.gone.set()
        await second


def test_between_two_streams() -> None:
    """An owner who goes to and fro between streams makes no longer and longer list of them."""
    crowd = crowds.Crowd("me", "one", "spectator")
    for stream in ("two", "one", "one", "two", "one"):
        crowd._follow(wire.Moved(stream=stream), lambda _: "spectator")
    assert crowd.streams == ["two", "one"]


async def test_a_line_that_nobody_reads_is_bounded() -> None:
    """Boards replace each other; of the rest only so much waits."""
    socket: Any = SilentSocket()
    line = Line(socket)
    for number in range(1000):
        line.show(f"board {number}")
        assert line.put(f"word {number}") == (number < MOST_UNSENT)
    line.close()
    async with asyncio.timeout(5):
        await line.send()
    assert socket.sent == [*(f"word {number}" for number in range(MOST_UNSENT)), "board 999"]


def test_what_strangers_write_is_one_line() -> None:
    """What turns text around, hides in it or breaks its line is left out, and the rest cut."""
    assert wire.tidy(" a\u202eb\u200b\r\n c\x00 ", 40) == "a b c"
    assert wire.tidy("héllo wörld 雪", 40) == "héllo wörld 雪"
    assert wire.tidy("x" * 50, 40) == "x" * 40
