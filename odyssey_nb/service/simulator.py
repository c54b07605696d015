"""A simulator process: runs scripts one after another, as fast as its world can paint.

Pictures are of moments that lie exactly a twentieth of a second apart, however long each takes, so
that the same script gives the same packets. It runs at the lowest priority: streams go first.
"""

from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from odyssey_nb.concurrency import background
from odyssey_nb.errors import OdysseyNBError, SimulationFailedError
from odyssey_nb.service.child import Line, run
from odyssey_nb.service.recordings import finalise
from odyssey_nb.service.stream import Hub, Stream, WorldHangsError
from odyssey_nb.service.worlds.base import find_world
from odyssey_nb.wire import simulator as wire
from odyssey_nb.wire.script import PICTURE_MILLISECONDS
from odyssey_nb.wire.stream import (
    LANDSCAPE,
    PORTRAIT,
    InteractiveStreamError,
    InteractiveStreamStart,
)
from odyssey_nb.wire.streamer import Ready, StreamBegan

if TYPE_CHECKING:
    from odyssey_nb.wire.script import Script

log = logging.getLogger(__name__)

LOWEST_PRIORITY = 19
BEAT_SECONDS = 0.5  # between two reports of progress
DISK_SECONDS = 5.0  # longest wait for the disk at one picture
FINISHED = "end"  # why a simulated stream ends

Control: TypeAlias = Line[wire.FromSimulator, wire.FromControl]


class Moment:
    """A clock that stands still until it is set, in seconds."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


class Run:
    """One script being run."""

    def __init__(self, command: wire.RunScript, control: Control) -> None:
        self._command = command
        self._control = control
        self._stream: Stream | None = None

    async def to_end(self) -> None:
        """Run it, and report how it went."""
        try:
            async with background(self._beat()):
                over = await self._simulate()
        except OdysseyNBError as error:
            self._fail(str(error))
        except WorldHangsError:
            self._fail("the world does not answer any more")
        except Exception:
            log.exception("a simulation failed")
            self._fail("the world stopped working")
        else:
            self._control.report(over)

    def _fail(self, message: str) -> None:
        self._control.report(InteractiveStreamError(reason="simulation_failed", message=message))

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            made = 0 if self._stream is None else self._stream.pictures
            self._control.report(wire.Progress(pictures=made))

    async def _simulate(self) -> wire.ScriptOver:
        command, moment = self._command, Moment()
        script, media = command.script, Path(command.media)
        assert script[0].start is not None
        start = InteractiveStreamStart(
            prompt=script[0].start.prompt,
            portrait=command.portrait,
            input_image_base64=script[0].start.image,
            bypass_vlm_expansion=command.bypass_vlm_expansion,
        )
        hub = Hub(moment)
        stream, applied = await Stream.begin(
            find_world(command.world), start, hub, media, patience=DISK_SECONDS
        )
        self._stream = stream
        width, height = PORTRAIT if command.portrait else LANDSCAPE
        self._control.report(
            StreamBegan(stream_id=stream.id, prompt=applied, width=width, height=height)
        )
        reason = "failed"
        try:
            await self._play(stream, script, moment)
            reason = FINISHED
        finally:
            await stream.close(reason)
        if not stream.recorded:
            raise SimulationFailedError("the recording could not be written")
        made, duration = await asyncio.to_thread(finalise, media / stream.id)
        return wire.ScriptOver(stream_id=stream.id, pictures=made, duration=duration)

    async def _play(self, stream: Stream, script: Script, moment: Moment) -> None:
        for entry in script[1:]:
            while stream.pictures * PICTURE_MILLISECONDS < entry.timestamp_ms:
                moment.now = stream.pictures * PICTURE_MILLISECONDS / 1000
                await stream.step()
            moment.now = entry.timestamp_ms / 1000
            if entry.interact is not None:
                await stream.steer(entry.interact.prompt)


async def serve(control: Control) -> None:
    """Run what the control plane sends."""
    os.nice(LOWEST_PRIORITY)
    commands: asyncio.Queue[wire.RunScript] = asyncio.Queue()

    async def work() -> None:
        while True:
            await Run(await commands.get(), control).to_end()

    control.report(Ready())
    async with background(work()):
        async for command in control.messages():  # they end when nobody wants the work any more
            commands.put_nowait(command)


if __name__ == "__main__":
    run(serve, wire.from_simulator, wire.from_control)
