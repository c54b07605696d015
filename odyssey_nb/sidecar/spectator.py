"""A broadcast that the kernel watches: joined, joined again where the video broke, and left."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING

from odyssey_nb.client.retry import ATTEMPTS, delay
from odyssey_nb.client.spectator import Spectator
from odyssey_nb.errors import ConnectError, OdysseyNBError, UsageError, WatchError
from odyssey_nb.sidecar.held import Held
from odyssey_nb.wire import link as wire
from odyssey_nb.wire.status import Status, advance

if TYPE_CHECKING:
    from collections.abc import Callable


class HeldSpectator(Held):
    """A spectator from its `Watch` to its end. Each joining counts as a stream, from 1."""

    def __init__(self, request: wire.Watch, tell: Callable[[wire.FromSidecar], None]) -> None:
        super().__init__(request, tell)
        self._request = request
        self._spectator: Spectator | None = None
        self._status = Status.DISCONNECTED

    @property
    def connected(self) -> bool:
        """Whether the broadcast is joined."""
        return self._spectator is not None

    async def _live(self) -> None:
        self._move(Status.CONNECTING, "joining the broadcast")
        try:
            for stream in itertools.count(1):
                await self._watch(stream)
                if self._leave.is_set():
                    break
                # It is over, or the video broke; joining again tells which.
                self._move(Status.RECONNECTING, "the picture broke off, joining again")
                await asyncio.sleep(delay(1))
        except WatchError as error:
            if not self._answered:
                self._move(Status.FAILED, str(error), error.hint)
                raise
        except OdysseyNBError as error:
            self._move(Status.FAILED, str(error), error.hint)
            raise
        finally:
            self._move(Status.DISCONNECTED)

    async def _watch(self, stream: int) -> None:
        """Join the broadcast and hold it until it is lost or we leave."""
        request = self._request
        for attempt in itertools.count(1):
            try:
                async with Spectator.open(
                    request.url,
                    request.token,
                    name=self.name,
                    stream=stream,
                    timeout=request.timeout,
                    on_picture=self._take,
                ) as spectator:
                    await self._hold(spectator, stream)
                return
            except ConnectError:
                # A first joining that fails is told at once: the address may be wrong.
                if not self._answered or attempt == ATTEMPTS:
                    raise
            await asyncio.sleep(delay(attempt))

    async def _hold(self, spectator: Spectator, stream: int) -> None:
        self._spectator = spectator
        lost = asyncio.ensure_future(spectator.lost.wait())
        try:
            self._move(Status.CONNECTED)
            self._say(stream, "streaming")
            if not self._answered:
                self._answer()
            await self._until(lost)
        finally:
            lost.cancel()
            self._spectator = None
            self._newer.set()
            self._say(stream, "none")

    async def _do(self, request: wire.Command) -> wire.Answer:
        self._check()
        if request.type == "traffic" and self._spectator is not None:
            came, lost = await self._spectator.traffic()
            return wire.Answer(id=request.id, number=came, lost=lost)
        if request.type != "fetch":
            raise UsageError("a broadcast can be watched, not steered")
        return await self._fetch(request)

    def want_keyframe(self) -> None:
        """Ask the broadcast's streamer for a keyframe."""
        if self._spectator is not None:
            self._spectator.want_keyframe()

    def _say(self, stream: int, state: str) -> None:
        self._publish(
            wire.StreamChanged(connection=self.name, stream=stream, state=state, reason="ended")
        )

    def _move(self, to: Status, message: str = "", hint: str = "") -> None:
        self._status = advance(self._status, to)
        self._publish(
            wire.StatusChanged(connection=self.name, status=str(to), message=message, hint=hint)
        )
