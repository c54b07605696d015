"""A connection as the sidecar holds it: the client, and what it is asked to do."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from odyssey_nb.client.client import AsyncClient
from odyssey_nb.concurrency import background
from odyssey_nb.errors import AnswerTimeoutError, OdysseyNBError
from odyssey_nb.leasefile import drop_lease, read_note
from odyssey_nb.sidecar.budget import Budget, Ledger
from odyssey_nb.sidecar.clocks import Clocks
from odyssey_nb.sidecar.held import Held
from odyssey_nb.wire import link as wire

if TYPE_CHECKING:
    from collections.abc import Callable


class HeldConnection(Held):
    """A connection from its `Connect` to its end."""

    def __init__(self, request: wire.Connect, tell: Callable[[wire.FromSidecar], None]) -> None:
        super().__init__(request, tell)
        self._request = request
        self._client: AsyncClient | None = None
        self._repairing = False
        self._clocks = Clocks(self.name)
        self._budget = Budget(request.budget, request.daily, Ledger(Path(request.ledger)))
        self._starts: set[asyncio.Task[Any]] = set()  # that run or wait for their turn
        self._turn = asyncio.Lock()  # to start or end a stream, in the order of the requests

    @property
    def connected(self) -> bool:
        """Whether the connection is up, and not on its way up or down."""
        return self._client is not None

    async def _live(self) -> None:
        request = self._request
        try:
            await self._budget.check()
            async with AsyncClient.open(
                request.url,
                request.api_key,
                name=self.name,
                timeout=request.timeout,
                on_event=self._follow,
                on_picture=self._take,
                ended_by=self._ended_by,
                recall=self._ring.tail,
            ) as client:
                self._client = client
                self._answer(client.session_id)
                async with background(self._spend(client)):
                    await self._until(client.lost)
        finally:
            self._client = None
            if request.lease:
                drop_lease(Path(request.lease))

    async def _spend(self, client: AsyncClient) -> None:
        """End the connection when what it may spend is used up."""
        client.give_up(await self._budget.spend(self._spend_until))

    def _spend_until(self, ends: float) -> None:
        self._clocks.spend_until(ends)
        self._publish(self._clocks.now)

    def _ended_by(self) -> str:
        return read_note(Path(self._request.lease)) if self._request.lease else ""

    async def _do(self, request: wire.Command) -> wire.Answer:
        self._check()
        client = self._client
        assert client is not None
        match request.type:
            case "start":
                return wire.Answer(id=request.id, text=await self._start(client, request))
            case "continue":
                async with self._turn:
                    await client.extend(always=request.always, timeout=request.timeout)
                return wire.Answer(id=request.id)
            case "allow":
                self._budget.allow(request.budget)
                return wire.Answer(id=request.id)
            case "interact":
                applied = await client.interact(request.prompt, timeout=request.timeout)
                return wire.Answer(id=request.id, text=applied)
            case "mark":
                time = await client.mark(request.text)
                self._remember("mark", client.stream_number, time, request.text)
                return wire.Answer(id=request.id, time=time)
            case "traffic":
                came, lost = await client.traffic()
                return wire.Answer(id=request.id, number=came, lost=lost)
            case "end":
                for each in self._starts:
                    each.cancel()  # nobody waits for it any more; it takes back what it has begun
                async with self._turn:
                    await client.end(timeout=request.timeout)
                return wire.Answer(id=request.id)
            case "fetch":
                return await self._fetch(request)

    async def _start(self, client: AsyncClient, request: wire.Start) -> str:
        task = asyncio.current_task()
        assert task is not None
        self._starts.add(task)
        try:
            async with self._turn:
                stream = await client.start(
                    request.prompt,
                    orientation="portrait" if request.portrait else "landscape",
                    image=request.image or None,
                    broadcast=request.broadcast,
                    bypass_expansion=request.bypass_expansion,
                    extend=request.extend,
                    timeout=request.timeout,
                )
                if request.broadcast:
                    with suppress(AnswerTimeoutError):  # it may come later, or never
                        await stream.broadcast(timeout=wire.BROADCAST_SECONDS)
                return stream.prompt
        finally:
            self._starts.discard(task)

    def give_up(self, error: OdysseyNBError) -> None:
        """Let the connection be lost; one that is not up yet is called off by its own deadline."""
        if self._client is not None:
            self._client.give_up(error)

    def want_keyframe(self) -> None:
        """Ask the streamer for a keyframe."""
        if self._client is not None:
            self._client.want_keyframe()

    def _follow(self, event: wire.Event) -> None:
        """Pass an event on, and remember what it says about the stream."""
        if event.type == "stream_changed" and event.state == "streaming" and event.prompt:
            kind = "start" if event.stream_id else "interact"
            time = self._shown(event.stream)
            self._remember(kind, event.stream, time, event.prompt, sent=event.sent)
            if event.continues:
                self._remember("continued", event.stream, time, f"past {event.continues}")
        elif event.type == "status_changed":
            if self._repairing and event.status == "connected" and self._client is not None:
                stream = self._client.stream_number
                self._remember("reconnected", stream, self._shown(stream), event.message)
            self._repairing = event.status == "reconnecting"
        if self._clocks.follow(event):  # told first: whoever hears the event has them already
            self._publish(self._clocks.now)
        self._publish(event)

    def _shown(self, stream: int) -> float:
        """Return the time of the newest picture of `stream`, 0 before its first."""
        newest = self._ring.newest
        return newest.time if newest is not None and newest.stream == stream else 0.0
