"""The peers that watch a stream: each answers an offer, and is sent what the owner is sent."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from aiortc import RTCSessionDescription

from odyssey_nb.media.ice import prepare_ice
from odyssey_nb.service.peer import PictureTrack, sending
from odyssey_nb.wire.streamer import NotAdmitted, SpectatorAnswer, SpectatorGone

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiortc import RTCPeerConnection

    from odyssey_nb.service.stream import Hub
    from odyssey_nb.wire.streamer import FromStreamer, Negotiate, SpectatorOffer

log = logging.getLogger(__name__)

CLOSE_SECONDS = 2.0  # what all of them together get to close


class NotUnderstoodError(Exception):
    """An offer that we have no answer to."""


class Spectators:
    """Everybody who watches one stream, each served by a task of its own until `close`."""

    def __init__(
        self, hub: Hub, negotiate: Negotiate, report: Callable[[FromStreamer], None]
    ) -> None:
        self._hub = hub
        self._most = negotiate.spectators
        self._patience = negotiate.join_seconds
        self._ice_servers = negotiate.ice_servers
        self._report = report
        self._watching: dict[str, asyncio.Task[None]] = {}

    def admit(self, offer: SpectatorOffer) -> None:
        """Answer `offer`, and send pictures until the spectator goes or is lost."""
        if len(self._watching) >= self._most:
            self._report(SpectatorAnswer(id=offer.id, refused=NotAdmitted.FULL))
            return
        task = asyncio.get_running_loop().create_task(self._serve(offer))
        self._watching[offer.id] = task
        task.add_done_callback(lambda _: self._gone(offer))

    def _gone(self, offer: SpectatorOffer) -> None:
        del self._watching[offer.id]
        self._report(SpectatorGone(id=offer.id, stream_id=offer.stream_id))

    def dismiss(self, spectator: str) -> None:
        """Send a spectator away."""
        if spectator in self._watching:
            self._watching[spectator].cancel()

    async def close(self) -> None:
        """Send everybody away."""
        tasks = list(self._watching.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=CLOSE_SECONDS)

    async def _serve(self, offer: SpectatorOffer) -> None:
        states: asyncio.Queue[str] = asyncio.Queue()
        request_keyframe = self._hub.request_keyframe
        track = PictureTrack(request_keyframe=request_keyframe)
        try:
            async with sending(
                track,
                ice_servers=self._ice_servers,
                request_keyframe=request_keyframe,
                on_state=states.put_nowait,
            ) as connection:
                sdp = await _answer(connection, offer.sdp)
                self._report(SpectatorAnswer(id=offer.id, sdp=sdp))
                async with asyncio.timeout(self._patience):
                    state = await _next(states, "connected", "failed", "closed")
                if state == "connected":
                    await self._send(track, states)
        except NotUnderstoodError as error:
            log.info("refused a spectator: %s", error)
            refusal = SpectatorAnswer(id=offer.id, refused=NotAdmitted.NOT_UNDERSTOOD)
            self._report(refusal)
        except TimeoutError:
            log.info("a spectator did not connect")
        except Exception:
            log.exception("a spectator could not be served")

    async def _send(self, track: PictureTrack, states: asyncio.Queue[str]) -> None:
        self._hub.add(track.put)
        try:
            await _next(states, "failed", "closed")
        finally:
            self._hub.remove(track.put)


async def _answer(connection: RTCPeerConnection, offer: str) -> str:
    """Return the answer to `offer`, with all candidates inside.

    Raises:
        NotUnderstoodError: It makes no sense, or does not want our video.
    """
    try:
        await connection.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        prepare_ice(connection)
        await connection.setLocalDescription(await connection.createAnswer())
    except Exception as error:  # a stranger's text can break a parser in many ways
        raise NotUnderstoodError(f"{type(error).__name__}") from error
    sdp = connection.localDescription.sdp
    if "a=sendonly" not in sdp:
        raise NotUnderstoodError("it does not want video")
    return sdp


async def _next(states: asyncio.Queue[str], *wanted: str) -> str:
    while (state := await states.get()) not in wanted:
        pass
    return state
