"""A participant of a crowd, without a browser."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp

from tests.conftest import wait_until


class Page:
    """A participant's page on a thread of its own, which says what it is told to and remembers."""

    def __init__(self, link: str) -> None:
        parts = urlsplit(link)
        self._given = {key: each[0] for key, each in parse_qs(parts.fragment).items()}
        stream = parts.path.rpartition("/")[2]
        self._url = f"{parts.scheme}://{parts.netloc}/live/{stream}/crowd"
        self.heard: list[dict[str, Any]] = []
        self._loop = asyncio.new_event_loop()
        self._say: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._talk())

    async def _talk(self) -> None:
        async with aiohttp.ClientSession() as http, http.ws_connect(self._url) as socket:
            me, name = self._given.get("me"), self._given.get("name", "")
            token = me or self._given["join"]
            first = {"type": "enter" if me else "join", "token": token, "name": name}
            await socket.send_str(json.dumps(first))

            async def listen() -> None:
                async for frame in socket:
                    self.heard.append(json.loads(frame.data))

            listening = asyncio.create_task(listen())
            while (message := await self._say.get()) is not None:
                await socket.send_str(json.dumps(message))
            listening.cancel()

    def say(self, **message: Any) -> None:
        self._loop.call_soon_threadsafe(self._say.put_nowait, message)

    def propose(self, prompt: str) -> None:
        self.say(type="propose", prompt=prompt)

    def last(self, kind: str) -> dict[str, Any]:
        """The newest message of a kind, empty where none came."""
        return next((each for each in reversed(self.heard) if each["type"] == kind), {})

    def told(self) -> list[str]:
        """What it was told for itself alone."""
        return [each["kind"] for each in self.heard if each["type"] == "told"]

    def wait(self, type: str, **fields: Any) -> None:
        """Wait until the newest message of a kind has these fields."""
        wait_until(
            lambda: self.last(type).items() >= fields.items() and self.last(type),
            what=f"{type} {fields}",
            seconds=20,
        )

    def close(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._say.put_nowait, None)
            self._thread.join(10)
