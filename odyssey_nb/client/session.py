"""A session, from its reservation to its goodbye: its socket, its peer, and when they break."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from odyssey_nb import errors
from odyssey_nb.client.asleep import ticks
from odyssey_nb.client.control import Control
from odyssey_nb.client.peer import Peer
from odyssey_nb.client.reservation import holding
from odyssey_nb.client.retry import RESUMES, Patience, delay, is_loopback
from odyssey_nb.client.socket import SocketLostError
from odyssey_nb.concurrency import background
from odyssey_nb.wire import stream as wire
from odyssey_nb.wire.signaling import ENDED_BY_OWNER, LIMITS, CloseCode

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from odyssey_nb.client.reservation import Hold
    from odyssey_nb.client.signaling import Signaling
    from odyssey_nb.media.rtp import OnPicture
    from odyssey_nb.wire.control import SessionGrant

log = logging.getLogger(__name__)

CHANNEL_BYTES = 16_384  # what any data channel takes; a larger start goes over the WebSocket
START_SECONDS = 30.0  # what an image may take to be sent
REOPEN_SECONDS = 5.0  # what one attempt to open the socket again may take
LOOK_SECONDS = 0.5  # how often it is looked whether pictures still come
WORD_SECONDS = 0.5  # what a service that ends a session may take to say so
_NO_VIDEO = "the video connection did not come up"


class Part(StrEnum):
    """What of a session may break and be whole again."""

    SOCKET = "socket"
    PICTURES = "pictures"


class SessionLostError(Exception):
    """The session cannot go on, for `error`. It is `final` where no other is to be asked for.

    `limit` is the one that it has reached, in words; empty for none.
    """

    def __init__(
        self, error: errors.OdysseyNBError, *, final: bool = False, limit: str = ""
    ) -> None:
        super().__init__(error, final, limit)
        self.error, self.final, self.limit = error, final, limit


def worst(losses: BaseExceptionGroup[SessionLostError]) -> SessionLostError:
    """Return one of `losses`, which came in the same moment: a final one, if there is one."""
    found = [
        worst(each) if isinstance(each, BaseExceptionGroup) else each for each in losses.exceptions
    ]
    return max(found, key=lambda lost: lost.final)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """What a session calls, on the event loop; none of it may wait."""

    say: Callable[[str], None]  # how far it has come
    picture: OnPicture
    message: Callable[[wire.FromStreamer], None]
    streaming: Callable[[], bool]  # whether pictures should come
    want_keyframe: Callable[[], None]
    broken: Callable[[Part, str], None]  # and is being repaired; called again while it lasts
    whole: Callable[[Part], None]  # called again while it lasts
    goes_on: Callable[[], bool]  # whether a limit that is reached is no end
    over: Callable[[SessionLostError], None]  # the last call; it is given back only then
    ended_by: Callable[[], str]  # who released it from outside; empty if nobody did


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """What a session is made of; stands for itself everywhere but in simulations."""

    control: type[Control] = Control
    peer: type[Peer] = Peer
    clock: Callable[[], float] = ticks  # that goes on while the machine sleeps


def ended_outside(who: str) -> str:
    """Say that `who`, if that is known, ended a session from outside."""
    return f"ended from outside{who and f' by {who}'}"


class Session:
    """A session that is up. When its socket breaks, it is opened again and the peer goes on.

    An instance exists only while it is held; what cannot be repaired ends it with a
    `SessionLostError`.
    """

    def __init__(
        self,
        control: Control,
        grant: SessionGrant,
        hooks: Hooks,
        peer: Peer,
        patience: Patience,
    ) -> None:
        self.grant = grant
        self._control = control
        self._hooks, self._peer, self._patience = hooks, peer, patience
        self._signaling: Signaling | None = None  # the newest, as long as it is open
        self._up = False
        self._answered = False
        self._pictured = 0.0  # when the newest picture came

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        network: Network,
        control: Control,
        grant: SessionGrant,
        hooks: Hooks,
        *,
        patience: Patience,
    ) -> AsyncIterator[Session]:
        """Open the socket of a session that was granted and bring its peer up; then keep both.

        It is given back on the way out.

        Raises:
            NegotiationError: Socket or peer did not come up.
            SessionLostError: It was up, and cannot go on.
        """
        hooks.say("opening the session")
        async with holding(control, grant) as hold:
            try:
                token = await control.session_token(grant.session_id)
            except errors.NotFoundError:
                raise errors.NegotiationError("the service forgot the session") from None
            servers = await control.ice_servers(grant.signalling_url)
            if is_loopback(grant.signalling_url):
                servers = [each for each in servers if each.relays]  # we know who we are there

            def take_picture(data: bytes, timestamp: int, *, lost: bool) -> None:
                session._pictured = asyncio.get_running_loop().time()
                hooks.picture(data, timestamp, lost=lost)

            async with network.peer.open(
                servers, on_picture=take_picture, on_message=hooks.message
            ) as peer:
                session = cls(control, grant, hooks, peer, patience)
                # The goodbye goes out before the peer closes, which may take its time.
                async with background(
                    session._keep_socket(hold, token), session._watch_peer(), session._look()
                ):
                    await session._come_up()
                    session._up = True
                    yield session

    async def _come_up(self) -> None:
        """Wait for the video, but not for ever: ICE that finds no way is in no hurry to say so."""
        try:
            async with asyncio.timeout(self._patience.negotiate):
                await self._peer.ready()
        except TimeoutError:
            raise errors.NegotiationError(_NO_VIDEO) from None

    async def send(self, message: wire.FromClient) -> None:
        """Send `message` to the streamer, by the way that takes it (protocol section 5.3).

        Raises:
            ConnectionLostError: That way is broken.
        """
        if message.type == "interactive_stream_start" and (
            message.input_image_base64
            or not self._peer.is_open
            or len(wire.from_client.to_json(message).encode()) > CHANNEL_BYTES
        ):
            # Its answer comes over the data channel all the same.
            try:
                if self._signaling is None:
                    raise SocketLostError(None)
                await self._signaling.send(message, within=START_SECONDS)
            except SocketLostError:
                raise errors.ConnectionLostError("the connection to the service broke") from None
            return
        self._peer.send(message)

    async def traffic(self) -> tuple[int, int]:
        """Return how many packets of the pictures came, and how many did not."""
        return await self._peer.traffic()

    def want_keyframe(self) -> None:
        """Ask the streamer for a keyframe."""
        self._peer.want_keyframe()

    async def _keep_socket(self, hold: Hold, token: str) -> None:
        """Listen to the service; when the socket breaks, open it again with a fresh token."""
        clock = asyncio.get_running_loop().time
        broke, attempt = 0.0, 0
        while True:
            try:
                if attempt:
                    async with asyncio.timeout(REOPEN_SECONDS):
                        token = await self._control.session_token(self.grant.session_id)
                async with self._control.signaling(
                    self.grant.signalling_url, self.grant.session_id, token
                ) as signaling:
                    hold.signaling = self._signaling = signaling
                    attempt = 0
                    self._hooks.whole(Part.SOCKET)
                    await self._listen(signaling)
            except SocketLostError as error:
                if not self._up:
                    raise errors.NegotiationError("signaling closed too early") from None
                if error.code == CloseCode.DURATION:
                    raise self._at_limit("duration_limit_reached", str(error)) from None
                if error.meant:
                    raise self._over(
                        str(error), final=True, outside=error.code == CloseCode.REPLACED
                    ) from None
            except (errors.ConnectError, TimeoutError):
                if not self._up:
                    raise
            except errors.OdysseyNBError as error:
                if not self._up:
                    raise
                # It is over, or our key is: then so will the next attempt say.
                raise self._over("the service has ended the session") from error
            finally:
                self._signaling = None
            if not attempt:
                broke = clock()
            attempt += 1
            wait = delay(attempt)
            if clock() + wait - broke > self._patience.resume or attempt > RESUMES:
                raise self._over("the service is out of reach")
            self._hooks.broken(Part.SOCKET, "the connection to the service broke")
            await asyncio.sleep(wait)

    async def _listen(self, signaling: Signaling) -> None:
        while True:
            message = await signaling.receive()
            match message.type:
                case "offer" if self._answered:
                    # The peer that we have is of no use to it any more.
                    raise self._over("the service began the session anew")
                case "offer":
                    self._answered = True
                    self._hooks.say("negotiating video")
                    await signaling.send(await self._peer.answer(message))
                case "ice_candidate":
                    await self._peer.add_candidate(message)
                case "error":
                    text = f"the service says {message.reason}"
                    if not self._up:
                        raise errors.NegotiationError(text)
                    if message.reason in LIMITS:
                        raise self._at_limit(message.reason, text)
                    outside = message.reason == ENDED_BY_OWNER
                    raise self._over(text, final=True, outside=outside)

    async def _watch_peer(self) -> None:
        await self._peer.lost.wait()
        if not self._up:
            raise errors.NegotiationError(_NO_VIDEO)
        await asyncio.sleep(WORD_SECONDS)
        raise self._over("the video connection broke")

    async def _look(self) -> None:
        """Notice when pictures stop coming."""
        clock = asyncio.get_running_loop().time
        while True:
            if not (self._up and self._hooks.streaming()):
                self._pictured = clock()
            silent = clock() - self._pictured
            if silent >= self._patience.stalled:
                raise self._over(f"no picture came for {silent:.0f} s")
            if silent >= self._patience.stall:
                self._hooks.broken(Part.PICTURES, f"no picture for {silent:.0f} s")
                self._hooks.want_keyframe()
            elif self._up:
                self._hooks.whole(Part.PICTURES)
            await asyncio.sleep(LOOK_SECONDS)

    def _at_limit(self, reason: str, text: str) -> SessionLostError:
        """The service ended the session for that; `text` says so where it is the end."""
        goes_on = self._hooks.goes_on()
        if goes_on:
            text = f"{LIMITS[reason]} was reached; going on with another connection"
        return self._over(text, final=not goes_on, limit=LIMITS[reason])

    def _over(
        self, text: str, *, final: bool = False, outside: bool = False, limit: str = ""
    ) -> SessionLostError:
        """Tell that the session is lost, and return what to raise."""
        who = self._hooks.ended_by()
        if who or outside:
            lost = SessionLostError(errors.EndedOutsideError(ended_outside(who)), final=True)
        else:
            lost = SessionLostError(errors.ConnectionLostError(text), final=final, limit=limit)
        self._hooks.over(lost)
        return lost
