"""Lets others watch a stream: its spectators, its playlist, and the token that opens both.

They get the very pictures that the owner gets; nothing is encoded for them.
"""

from __future__ import annotations

import asyncio
import secrets
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from odyssey_nb.service.playlist import PLAYLIST, Playlist
from odyssey_nb.service.spectators import Spectators
from odyssey_nb.wire.stream import BroadcastReady
from odyssey_nb.wire.streamer import BroadcastBegan, NotAdmitted, SpectatorAnswer

if TYPE_CHECKING:
    from collections.abc import Callable

    from odyssey_nb.service.stream import Hub
    from odyssey_nb.wire import stream as wire
    from odyssey_nb.wire.streamer import FromStreamer, Negotiate, SpectatorOffer


@dataclass(frozen=True, slots=True)
class _Broadcast:
    stream_id: str
    playlist: Playlist
    spectators: Spectators


class Broadcaster:
    """Broadcasts a session's streams, one after another.

    `tell` sends to the client, `report` to the control plane.
    """

    def __init__(
        self,
        hub: Hub,
        negotiate: Negotiate,
        *,
        tell: Callable[[wire.FromStreamer], None],
        report: Callable[[FromStreamer], None],
    ) -> None:
        self._hub = hub
        self._negotiate = negotiate
        self._tell = tell
        self._report = report
        self._now: _Broadcast | None = None

    def begin(self, stream_id: str, first: bytes) -> None:
        """Broadcast a stream from its `first` picture on, and tell its owner when it plays."""
        loop = asyncio.get_running_loop()
        token = secrets.token_urlsafe(24)
        origin = self._negotiate.origin
        url, page = f"{origin}/live/{stream_id}", f"{origin}/watch/{stream_id}?token={token}"

        def ready(listed: bool) -> None:  # noqa: FBT001 - what a playlist calls
            if self._now is not None and self._now.stream_id == stream_id:
                playlist = f"{url}/{PLAYLIST}?token={token}" if listed else None
                self._tell(
                    BroadcastReady(
                        webrtc_url=url,
                        spectator_token=token,
                        broadcast_url=playlist,
                        watch_url=page,
                    )
                )

        def written(listed: bool) -> None:  # noqa: FBT001
            with suppress(RuntimeError):  # the loop closed before the thread was done
                loop.call_soon_threadsafe(ready, listed)

        playlist = Playlist(Path(self._negotiate.broadcasts) / stream_id, on_written=written)
        playlist.picture(first, self._hub.timestamp(), True)  # noqa: FBT003 - an outlet's form
        self._hub.add(playlist.picture, keyframe=False)
        spectators = Spectators(self._hub, self._negotiate, self._report)
        self._now = _Broadcast(stream_id, playlist, spectators)
        self._report(BroadcastBegan(stream_id=stream_id, token=token))

    async def end(self) -> None:
        """End the broadcast, if there is one: its spectators are sent away, its list has an end."""
        now, self._now = self._now, None
        if now is None:
            return
        self._hub.remove(now.playlist.picture)
        await asyncio.gather(now.spectators.close(), asyncio.to_thread(now.playlist.close))

    def admit(self, offer: SpectatorOffer) -> None:
        """Let somebody watch; the answer is reported."""
        if self._now is None or self._now.stream_id != offer.stream_id:
            self._report(SpectatorAnswer(id=offer.id, refused=NotAdmitted.UNKNOWN))
            return
        self._now.spectators.admit(offer)

    def dismiss(self, spectator: str) -> None:
        """Send a spectator away."""
        if self._now is not None:
            self._now.spectators.dismiss(spectator)
