"""The client: a connection that is kept up, with a deadline on everything."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import TYPE_CHECKING

from odyssey_nb import errors
from odyssey_nb.client.address import address
from odyssey_nb.client.asleep import Awake
from odyssey_nb.client.lasting import LastingStreams
from odyssey_nb.client.reservation import free, reserve
from odyssey_nb.client.retry import ATTEMPTS, RENEWALS, Patience, delay
from odyssey_nb.client.session import (
    Hooks,
    Network,
    Part,
    Session,
    SessionLostError,
    ended_outside,
    worst,
)
from odyssey_nb.client.streams import ClientStream
from odyssey_nb.concurrency import background, insist
from odyssey_nb.wire.link import SessionGranted, StatusChanged
from odyssey_nb.wire.status import Status, StreamState, advance

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from odyssey_nb.client.control import Control
    from odyssey_nb.wire import stream as wire
    from odyssey_nb.wire.control import SessionGrant
    from odyssey_nb.wire.link import Event, Picture

__all__ = ["AsyncClient", "ClientStream"]

log = logging.getLogger(__name__)

CONNECT_SECONDS = 45.0
QUEUE_SECONDS = 30.0
AFTER_QUEUE_SECONDS = 2.0  # of the time to connect, kept for what follows the wait for a streamer
# Protocol section 8; for a service that does not say.
DOCUMENTED_STREAM_SECONDS, DOCUMENTED_CONNECTION_SECONDS, DOCUMENTED_IDLE_SECONDS = 150, 3600, 900
AWAKE_SECONDS = 1.0  # how often it is looked whether anything runs here
FAREWELL_SECONDS = 0.5  # what a running stream's end may take on the way out


class AsyncClient(LastingStreams):
    """A connection to a service. An instance exists only while it is connected.

    When something breaks it is repaired: the same session goes on where that is possible, else it
    is given back and another one takes its place, with a stream of the prompt that was applied
    last. The status is "reconnecting" meanwhile; only what cannot be repaired sets `lost`.

    Events reach `on_event` and pictures `on_picture` on the event loop; both must return at once.
    `history` lists every status that the connection had; `takes_images` says whether its streams
    may start from one.
    """

    def __init__(
        self,
        name: str,
        *,
        on_event: Callable[[Event], None] = lambda _: None,
        on_picture: Callable[[Picture], None] = lambda _: None,
        recall: Callable[[], list[Picture]] = list,
        ended_by: Callable[[], str] = str,
        network: Network,
        patience: Patience,
    ) -> None:
        super().__init__(name, on_event, on_picture, recall)
        self.status = Status.DISCONNECTED
        self.history: list[str] = []
        self.session_id = ""
        self._ended_by = ended_by
        self._network, self._patience = network, patience
        self._awake = Awake(patience.asleep, network.clock)
        self._session: Session | None = None  # the one that is up
        self._grant: SessionGrant | None = None  # of the one that was up last
        self._left: SessionGrant | None = None  # of one that was lost, and may not be free yet
        self._up: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._broken: set[Part] = set()
        self._broke = 0.0  # when
        self._said = ""
        self._keyframe_asked = -1.0

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        url: str | None = None,
        api_key: str | None = None,
        *,
        name: str = "default",
        timeout: float = CONNECT_SECONDS,  # noqa: ASYNC109
        queue_timeout: float = QUEUE_SECONDS,
        on_event: Callable[[Event], None] = lambda _: None,
        on_picture: Callable[[Picture], None] = lambda _: None,
        recall: Callable[[], list[Picture]] = list,
        ended_by: Callable[[], str] = str,
        network: Network | None = None,
        patience: Patience | None = None,
    ) -> AsyncIterator[AsyncClient]:
        """Connect, and disconnect on the way out, whatever happens in between.

        Args:
            url: The API's base URL; None takes ODYSSEY_API_URL, or the local service if it runs.
            api_key: None takes ODYSSEY_API_KEY, or the local service's key.
            name: What the connection is called in events.
            timeout: Longest time to connect, in seconds.
            queue_timeout: Longest wait for a free streamer within it, in seconds.
            on_event: Takes status, session and stream events.
            on_picture: Takes every encoded picture that can be decoded.
            recall: Returns the newest pictures from their keyframe on; a stream that has to be
                started once more starts from the last of them, where the service can do that.
            ended_by: Says who released the session from outside; empty if nobody did.
            network: What sessions are made of, for simulations.
            patience: How long what breaks is waited for.

        Raises:
            AuthError: The key was refused.
            LimitError: The account's limits refuse another connection.
            NoStreamerError: No streamer became free in time.
            ConnectError: Service, signaling or WebRTC did not come up.
        """
        url, api_key = address(url, api_key)
        client = cls(
            name,
            on_event=on_event,
            on_picture=on_picture,
            recall=recall,
            ended_by=ended_by,
            network=network or Network(),
            patience=patience or Patience(),
        )
        try:
            async with background(
                client._live(url, api_key, timeout, queue_timeout), client._stay_awake()
            ):
                await client._up
                try:
                    yield client
                finally:
                    await client._farewell()
        except errors.OdysseyNBError as error:
            if client.status in {Status.AUTHENTICATING, Status.CONNECTING}:
                client._advance(Status.FAILED, str(error), error.hint, error.code)
            raise
        finally:
            client._settle(errors.ConnectionLostError("the connection was closed"))
            if client.status != Status.DISCONNECTED:
                client._advance(Status.DISCONNECTED)

    async def _live(self, url: str, api_key: str, timeout: float, queue_timeout: float) -> None:  # noqa: ASYNC109
        """Hold one session after another, until one is lost for good."""
        async with self._network.control.open(url, api_key) as control:
            self._advance(Status.AUTHENTICATING)
            try:
                lost = await self._hold(
                    lambda stack: self._connect(control, timeout, queue_timeout, stack)
                )
                while not (lost.final or self._lost.done()):
                    lost = await self._hold(lambda stack: self._connect_again(control, stack))
            finally:
                with suppress(errors.OdysseyNBError):
                    await insist(self._free_left(control))
            if not self._up.done():
                raise lost.error

    async def _stay_awake(self) -> None:
        """Give the connection up when nothing ran here for long: the service did so too."""
        while True:
            await asyncio.sleep(AWAKE_SECONDS)
            if (gap := self._awake.slept()) and self._up.done():
                self._lose(_slept(gap))

    async def _hold(
        self, connect: Callable[[AsyncExitStack], Awaitable[Session]]
    ) -> SessionLostError:
        """Hold the session that `connect` brings up, until it is lost and given back."""
        try:
            async with AsyncExitStack() as stack:
                self._session = await connect(stack)
                if self._up.done():
                    await self._restart()
                else:
                    self._advance(Status.CONNECTED)
                    self._up.set_result(None)
                await self._keep_going_on()
        except SessionLostError as error:
            lost = error
        except BaseExceptionGroup as group:  # several parts broke in the same moment
            losses, others = group.split(SessionLostError)
            if losses is None or others is not None:
                raise
            lost = worst(losses)
        finally:
            self._session = None
        self._over(lost)
        return lost

    async def _connect(
        self,
        control: Control,
        timeout: float,  # noqa: ASYNC109
        queue_timeout: float,
        stack: AsyncExitStack,
    ) -> Session:
        """Bring the first session up; one that fails is given back for a fresh one."""
        try:
            async with asyncio.timeout(timeout):
                await control.authenticate()
                self._advance(Status.CONNECTING, "waiting for a streamer")
                # Less than all the time, or a long queue would look like a broken network.
                queue_timeout = min(queue_timeout, timeout - AFTER_QUEUE_SECONDS)
                for attempt in range(1, ATTEMPTS):
                    try:
                        return await self._open_session(control, queue_timeout, stack)
                    except errors.NegotiationError:
                        log.info("attempt %d to connect failed", attempt)
                    await asyncio.sleep(delay(attempt))
                return await self._open_session(control, queue_timeout, stack)
        except TimeoutError:
            raise errors.NegotiationError(f"not connected within {timeout:g} s") from None

    async def _connect_again(self, control: Control, stack: AsyncExitStack) -> Session:
        """Bring another session up, once the old one is given back or the service is asked to."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + self._patience.renew
        problem: errors.OdysseyNBError = errors.ConnectionLostError("no session came up")
        for attempt in range(1, RENEWALS + 1):
            await asyncio.sleep(min(delay(attempt), max(0, deadline - clock())))
            if who := self._ended_by():
                raise SessionLostError(errors.EndedOutsideError(ended_outside(who)), final=True)
            self._say("asking for another session")
            try:
                async with asyncio.timeout_at(deadline):
                    await self._free_left(control)
                    queue_timeout = deadline - clock() - AFTER_QUEUE_SECONDS
                    return await self._open_session(control, queue_timeout, stack)
            except TimeoutError:
                break
            except errors.OdysseyNBError as error:
                problem = error
                if not (error.retryable or isinstance(error, errors.ConcurrentLimitError)):
                    break
        gone = errors.ConnectionLostError(f"the connection could not be repaired: {problem}")
        raise SessionLostError(gone, final=True)

    async def _free_left(self, control: Control) -> None:
        """Free the session that was lost: its own goodbye may have gone nowhere."""
        if self._left is not None:
            with suppress(errors.NotFoundError):
                await free(control, self._left.session_id, self._left.signalling_url)
            self._left = None

    async def _open_session(
        self, control: Control, queue_timeout: float, stack: AsyncExitStack
    ) -> Session:
        grant = await reserve(control, queue_timeout=queue_timeout)
        self._on_event(
            SessionGranted(
                connection=self.name,
                session_id=grant.session_id,
                signaling_url=grant.signalling_url,
                stream_seconds=grant.longest_stream or DOCUMENTED_STREAM_SECONDS,
                connection_seconds=grant.longest_connection or DOCUMENTED_CONNECTION_SECONDS,
                idle_seconds=grant.longest_idle or DOCUMENTED_IDLE_SECONDS,
                image_to_video=grant.image_to_video,
            )
        )
        self.takes_images = grant.image_to_video
        session = await stack.enter_async_context(
            Session.open(
                self._network,
                control,
                grant,
                Hooks(
                    say=self._say,
                    picture=self._take_picture,
                    message=self._take,
                    streaming=lambda: self.stream_state == StreamState.STREAMING,
                    want_keyframe=self.want_keyframe,
                    goes_on=self._goes_on,
                    broken=self._break,
                    whole=self._mend,
                    over=self._over,
                    ended_by=self._ended_by,
                ),
                patience=self._patience,
            )
        )
        self._grant, self.session_id = grant, grant.session_id
        return session

    async def _restart(self) -> None:
        """Let everything be as before, on another session."""
        if self._again:
            await self._begin_again()
        if self._lost.done() or self._session is None:
            return
        seconds = asyncio.get_running_loop().time() - self._broke
        self._advance(Status.CONNECTED, f"a new session after {seconds:.1f} s")

    def _break(self, part: Part, text: str) -> None:
        """A part of the session broke, or is still broken."""
        if self._lost.done():
            return
        self._broken.add(part)
        if self.status == Status.CONNECTED:
            self._broke = asyncio.get_running_loop().time()
            self._advance(Status.RECONNECTING, text)
        elif text != self._said:
            self._say(text)

    def _mend(self, part: Part) -> None:
        """A part of the session is whole."""
        if part not in self._broken:
            return
        self._broken.discard(part)
        if not self._broken and not self._again and self.status == Status.RECONNECTING:
            seconds = asyncio.get_running_loop().time() - self._broke
            self._advance(Status.CONNECTED, f"the same session after {seconds:.1f} s")

    def _over(self, lost: SessionLostError) -> None:
        """The session is lost; whatever waits for it is told before it is given back."""
        self._session = None
        self._broken.clear()
        if gap := self._awake.slept():
            self._lose(_slept(gap))
        elif lost.final:
            self._lose(lost.error)
        if self._lost.done():
            return
        self._left = self._grant
        self._again = self._again or self.stream_state == StreamState.STREAMING
        if self._again and lost.limit:
            self._continues = lost.limit
        self._break_off(lost.error, for_good=False)
        if self.status == Status.CONNECTED:
            self._broke = asyncio.get_running_loop().time()
            self._advance(Status.RECONNECTING, str(lost.error))

    def give_up(self, error: errors.OdysseyNBError) -> None:
        """Let the connection be lost for `error`; it is freed when its block is left."""
        self._lose(error)

    async def traffic(self) -> tuple[int, int]:
        """Return how many packets of the session's pictures came, and how many did not."""
        return (0, 0) if self._session is None else await self._session.traffic()

    def want_keyframe(self) -> None:
        """Ask for a keyframe, at most once in half a second: each costs every watcher."""
        now = asyncio.get_running_loop().time()
        if self._session is not None and now - self._keyframe_asked >= 0.5:
            self._keyframe_asked = now
            self._session.want_keyframe()

    async def _send(self, message: wire.FromClient) -> None:
        if self._session is None:
            raise errors.ConnectionLostError(
                "the connection is being repaired", hint="Try again in a moment."
            )
        await self._session.send(message)

    @property
    def _is_up(self) -> bool:
        return self._session is not None

    def _check(self) -> None:
        if self._lost.done():
            raise errors.ConnectionLostError("the connection is lost")
        if self._session is None or self._again:
            raise errors.ConnectionLostError(
                "the connection is being repaired", hint="Try again in a moment."
            )

    def _lose(self, error: errors.OdysseyNBError) -> None:
        """The connection is lost for good."""
        if self._settle(error) and self.status in {Status.CONNECTED, Status.RECONNECTING}:
            self._advance(Status.FAILED, str(error), error.hint, error.code)

    def _settle(self, error: errors.OdysseyNBError) -> bool:
        """Fail what waits and whatever will be asked; return whether that is news."""
        if self._lost.done():
            return False
        self._lost.set_result(error)
        self._break_off(error, for_good=True)
        return True

    async def _farewell(self) -> None:
        if self.stream_state == StreamState.STREAMING and not self._lost.done():
            with suppress(errors.OdysseyNBError):
                await self.end(timeout=FAREWELL_SECONDS)
        self._settle(errors.ConnectionLostError("the connection was closed"))

    def _advance(self, to: Status, message: str = "", hint: str = "", code: str = "") -> None:
        self.status = advance(self.status, to)
        self.history.append(str(to))
        self._tell_status(message, hint, code)

    def _say(self, message: str) -> None:
        """Tell what the current status is busy with."""
        if not self._lost.done():
            self._tell_status(message)

    def _tell_status(self, message: str, hint: str = "", code: str = "") -> None:
        self._said = message
        self._on_event(
            StatusChanged(
                connection=self.name,
                status=str(self.status),
                message=message,
                hint=hint,
                code=code,
            )
        )


def _slept(gap: float) -> errors.ConnectionLostError:
    text = f"nothing ran here for {gap:.0f} s, as when a machine sleeps; the session was given up"
    return errors.ConnectionLostError(text)
