"""A streamer process: waits warm, serves one session, and ends with it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from odyssey_nb.concurrency import Crew, background
from odyssey_nb.service.broadcast import Broadcaster
from odyssey_nb.service.child import Line, run
from odyssey_nb.service.peer import Peer, PictureTrack
from odyssey_nb.service.stream import Hub, StreamEngine
from odyssey_nb.service.worlds.base import find_world, rate_of
from odyssey_nb.wire.streamer import (
    AskStart,
    FromControl,
    FromStreamer,
    Negotiate,
    PeerConnected,
    PeerLost,
    Ready,
    StartDecision,
    StreamPaced,
    from_control,
    from_streamer,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from odyssey_nb.media.congestion import BitrateController
    from odyssey_nb.wire.stream import InteractiveStreamStart

DECISION_SECONDS = 10.0  # what the control plane gets to decide on a start
PACE_SECONDS = 2.0  # between two looks at the pace

Control: TypeAlias = Line[FromStreamer, FromControl]


class Starts:
    """Asks the control plane whether streams may start, one after another."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._number = 0
        self._answer: asyncio.Future[StartDecision] | None = None

    async def ask(self, start: InteractiveStreamStart) -> StartDecision:
        """Return the decision; without one in time the start is refused."""
        self._number += 1
        self._answer = asyncio.get_running_loop().create_future()
        bypass = bool(start.bypass_vlm_expansion)
        self._control.report(AskStart(number=self._number, bypass_expansion=bypass))
        try:
            async with asyncio.timeout(DECISION_SECONDS):
                return await self._answer
        except TimeoutError:
            message = "the service did not decide in time"
            return StartDecision(refused="service_failed", message=message)

    def decided(self, decision: StartDecision) -> None:
        """Take a decision; one that came too late is of no use any more."""
        if self._answer is not None and not self._answer.done() and decision.number == self._number:
            self._answer.set_result(decision)


async def serve(control: Control) -> None:
    """Serve the one session that the control plane sends."""
    control.report(Ready())
    messages = control.messages()
    async for message in messages:
        if message.type == "negotiate":
            await _session(control, message, messages)
            return


async def _report_pace(control: Control, line: BitrateController, rate: int) -> None:
    """Tell the control plane of every change, until cancelled."""
    told = None
    while True:
        pace = StreamPaced(
            bitrate=line.bitrate, pictures_per_second=rate / 2 if line.is_narrow else rate
        )
        if pace != told:
            told = pace
            control.report(pace)
        await asyncio.sleep(PACE_SECONDS)


async def _session(
    control: Control, negotiate: Negotiate, messages: AsyncIterator[FromControl]
) -> None:
    hub = Hub()
    track = PictureTrack(request_keyframe=hub.request_keyframe)
    hub.add(track.put)
    crew = Crew()
    world = find_world(negotiate.world)
    starts = Starts(control)

    def on_state(state: str) -> None:
        if state == "connected":
            control.report(PeerConnected())
        elif state in {"failed", "closed"}:
            control.report(PeerLost())

    async with Peer.open(
        track,
        ice_servers=negotiate.ice_servers,
        request_keyframe=hub.request_keyframe,
        on_message=lambda message: engine.take(message),
        on_state=on_state,
        line=hub.line,
    ) as (peer, offer):
        broadcaster = Broadcaster(hub, negotiate, tell=peer.tell, report=control.report)
        engine = StreamEngine(
            world,
            hub,
            may_start=starts.ask,
            media=Path(negotiate.media) if negotiate.media else None,
            broadcaster=broadcaster,
            tell=peer.tell,
            report=control.report,
        )
        control.report(offer)
        async with background(engine.run(), _report_pace(control, hub.line, rate_of(world))):
            async for message in messages:
                match message.type:
                    case "answer":
                        await peer.answer(message)
                    case "ice_candidate":
                        # A name that does not resolve may take seconds; others must not wait for
                        # it.
                        crew.start(peer.add_candidate(message))
                    case "start_decision":
                        starts.decided(message)
                    case "spectator_offer":
                        broadcaster.admit(message)
                    case "dismiss_spectator":
                        broadcaster.dismiss(message.id)
                    case "interactive_stream_start" | "end_stream":
                        engine.take(message)
        await crew.close()


if __name__ == "__main__":
    run(serve, from_streamer, from_control)
