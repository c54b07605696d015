"""Runs the simulations that wait, in processes that come with the work and go with it.

A worker is one process that takes simulations from the queue until none waits. All of them together
leave a core to the streams.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from odyssey_nb.concurrency import Crew, background
from odyssey_nb.service.database import StreamRow
from odyssey_nb.service.pool import Simulator, StreamerLostError
from odyssey_nb.service.simulations import LeaseLostError
from odyssey_nb.wire import script as scripts
from odyssey_nb.wire.simulator import RunScript
from odyssey_nb.wire.stream import LANDSCAPE, PORTRAIT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from odyssey_nb.service.recordings import Recordings
    from odyssey_nb.service.simulations import Claim, SimulationQueue
    from odyssey_nb.wire.simulator import FromSimulator, ScriptOver

log = logging.getLogger(__name__)

LOOK_SECONDS = 5.0  # between two looks for leases that ran out, and for work of other services
MOST_WORKERS = max(1, (os.cpu_count() or 1) - 1)


class Simulators:
    """The workers of one service."""

    def __init__(
        self, queue: SimulationQueue, recordings: Recordings, *, world: str, silence: float
    ) -> None:
        self.queue = queue
        self._recordings = recordings
        self._world = world
        self._silence = silence
        self._crew = Crew()
        self._wake = asyncio.Event()
        self.workers = 0

    @classmethod
    @asynccontextmanager
    async def open(
        cls, queue: SimulationQueue, recordings: Recordings, *, world: str, silence: float
    ) -> AsyncIterator[Simulators]:
        """Run simulations in the body; what is unfinished at its end waits for the next service.

        Args:
            queue: Where they wait.
            recordings: What they leave behind goes there.
            world: What they paint.
            silence: A worker that says nothing for so many seconds counts as gone.
        """
        simulators = cls(queue, recordings, world=world, silence=silence)
        async with background(simulators._look()):
            try:
                yield simulators
            finally:
                await simulators._crew.close()

    def wake(self) -> None:
        """Something waits now."""
        self._wake.set()

    async def _look(self) -> None:
        every = min(LOOK_SECONDS, self._silence / 2)
        while True:
            self._wake.clear()
            try:
                for orphan in await asyncio.to_thread(self.queue.expire):
                    await asyncio.to_thread(self._recordings.storage.delete, orphan)
                waiting = await asyncio.to_thread(self.queue.waiting)
            except SQLAlchemyError:  # a full disk, say; the next look may have more luck
                log.exception("simulations could not be looked for")
                waiting = 0
            for _ in range(min(waiting, MOST_WORKERS - self.workers)):
                self.workers += 1
                self._crew.start(self._work())
            with suppress(TimeoutError):
                async with asyncio.timeout(every):
                    await self._wake.wait()

    async def _work(self) -> None:
        """Be a worker until nothing waits."""
        try:
            simulator = await Simulator.start()
            try:
                while (claim := await asyncio.to_thread(self.queue.claim)) is not None:
                    await self._perform(claim, simulator)
            finally:
                await simulator.close()
                self.wake()  # something may have begun to wait since
        except (StreamerLostError, LeaseLostError) as error:
            log.warning("a simulator ended early: %s", type(error).__name__)
        except (SQLAlchemyError, OSError):  # a full disk, say; the lease's end gives it back
            log.exception("a simulation cannot be run")
        finally:
            self.workers -= 1

    async def _perform(self, claim: Claim, simulator: Simulator) -> None:
        """Run what is left of a simulation, or see to it that somebody else will."""
        task = Task(claim, simulator, self.queue, self._recordings, self._silence)
        try:
            await task.run(self._world)
        except StreamerLostError:
            await asyncio.to_thread(self.queue.lost, claim)
            raise
        except asyncio.CancelledError:
            # The service ends. Whatever this cannot do any more, the lease's end will.
            with suppress(LeaseLostError, SQLAlchemyError):
                await asyncio.to_thread(self.queue.release, claim)
            raise
        finally:
            if task.writing is not None:
                await simulator.close()  # first, or it would write on
                await task.discard()


class Task:
    """One simulation on its simulator. `writing` is the stream that nobody knows of yet."""

    def __init__(
        self,
        claim: Claim,
        simulator: Simulator,
        queue: SimulationQueue,
        recordings: Recordings,
        silence: float,
    ) -> None:
        self._claim, self._simulator = claim, simulator
        self._queue, self._recordings = queue, recordings
        self._silence = silence
        self._done = claim.done
        self.writing: str | None = None

    async def run(self, world: str) -> None:
        """Run each script that is left, and publish what it leaves behind.

        Raises:
            LeaseLostError: It is no longer ours: it was cancelled, or somebody else has it.
            StreamerLostError: The simulator is gone, or hangs.
        """
        for index, script in self._claim.scripts.items():
            command = RunScript(
                world=world,
                media=str(self._recordings.storage.root),
                portrait=self._claim.portrait,
                bypass_vlm_expansion=self._claim.bypass,
                script=script,
            )
            error = await self._run_script(index, command)
            if error is not None:
                await asyncio.to_thread(self._queue.finish, self._claim, error)
                return
            self._done += scripts.pictures(script)
        await asyncio.to_thread(self._queue.finish, self._claim)

    async def _run_script(self, index: int, command: RunScript) -> str | None:
        """Return why it failed, if it did."""
        self._simulator.send(command)
        began = time.time()
        while True:
            message = await self._hear()
            match message.type:
                case "stream_began":
                    began, self.writing = time.time(), message.stream_id
                    await asyncio.to_thread(self._queue.began, self._claim, message.stream_id)
                case "progress":
                    done = self._done + message.pictures
                    await asyncio.to_thread(self._queue.beat, self._claim, done)
                case "script_over":
                    row = self._row(message, began)
                    await asyncio.to_thread(self._queue.publish, self._claim, index, row)
                    self.writing = None
                    await asyncio.to_thread(self._recordings.retire)
                    return None
                case "interactive_stream_error":
                    await self.discard()
                    return f"script {index}: {message.message}"

    async def discard(self) -> None:
        """Remove what was written and is not published."""
        if self.writing is not None:
            await asyncio.to_thread(self._recordings.storage.delete, self.writing)
            self.writing = None

    async def _hear(self) -> FromSimulator:
        try:
            async with asyncio.timeout(self._silence):
                return await self._simulator.receive()
        except TimeoutError:
            raise StreamerLostError("a simulator fell silent") from None

    def _row(self, over: ScriptOver, began: float) -> StreamRow:
        width, height = PORTRAIT if self._claim.portrait else LANDSCAPE
        return StreamRow(
            id=over.stream_id,
            account=self._claim.account,
            session_id=self._claim.id,
            width=width,
            height=height,
            started=began,
            ended=time.time(),
            reason="end",
            frame_count=over.pictures,
            duration=over.duration,
            size=self._recordings.storage.size(over.stream_id),
            state="ready",
            kind="simulation",
        )
