"""Getting a session and giving it back, so that none is left reserved by accident."""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from odyssey_nb.client.retry import delay, is_gone
from odyssey_nb.concurrency import insist
from odyssey_nb.errors import (
    ConnectError,
    NegotiationError,
    NoStreamerError,
    NotFoundError,
    OdysseyNBError,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from odyssey_nb.client.control import Control
    from odyssey_nb.client.signaling import Signaling
    from odyssey_nb.wire.control import SessionGrant

log = logging.getLogger(__name__)

QUEUE_POLL_SECONDS = 1.0  # both official SDKs ask once a second (protocol section 1)
RELEASE_SECONDS = 3.0
ATTEMPT_SECONDS = 1.5  # of those; a new connection may get through where the old one is silent


async def reserve(control: Control, *, queue_timeout: float) -> SessionGrant:
    """Reserve a streamer, asking again while none is free.

    Raises:
        NoStreamerError: None became free within `queue_timeout` seconds.
        LimitError: The account's limits refuse it.
    """
    began = time.monotonic()
    while True:
        try:
            return await _reserve_once(control)
        except NoStreamerError:
            waited = time.monotonic() - began
            if waited + QUEUE_POLL_SECONDS > queue_timeout:
                raise NoStreamerError(f"no streamer was free within {waited:.0f} s") from None
        await asyncio.sleep(QUEUE_POLL_SECONDS)


async def _reserve_once(control: Control) -> SessionGrant:
    """Ask once. A request under way is not abandoned: its answer may be a session to give back."""
    asking = asyncio.ensure_future(control.request_session())
    try:
        return await asyncio.shield(asking)
    except asyncio.CancelledError:
        await insist(_give_back(control, asking))
        raise


async def _give_back(control: Control, asking: asyncio.Future[SessionGrant]) -> None:
    with suppress(OdysseyNBError, TimeoutError):
        async with asyncio.timeout(RELEASE_SECONDS):
            grant = await asking
        await release(control, grant.session_id, grant.signalling_url)


class Hold:
    """A session that we hold; `signaling` is its newest socket, once there is one."""

    def __init__(self, grant: SessionGrant) -> None:
        self.grant = grant
        self.signaling: Signaling | None = None


@asynccontextmanager
async def holding(control: Control, grant: SessionGrant) -> AsyncIterator[Hold]:
    """Hold the session of `grant`, and see to it that it is given back on the way out.

    That is its socket's goodbye; where that did not get through, the session is released from
    outside, or the service would keep it for a while in the hope that we come back.
    """
    hold = Hold(grant)
    try:
        yield hold
    finally:
        if hold.signaling is None or not hold.signaling.left:
            await insist(release(control, grant.session_id, grant.signalling_url))


async def release(control: Control, session_id: str, signaling_url: str) -> bool:
    """Free a session that nobody holds, as `free` does; return whether the service heard it.

    What the network swallows is said again, for `RELEASE_SECONDS` in all.
    """
    with suppress(OdysseyNBError, TimeoutError):
        async with asyncio.timeout(RELEASE_SECONDS):
            for attempt in itertools.count(1):
                try:
                    async with asyncio.timeout(ATTEMPT_SECONDS):
                        await free(control, session_id, signaling_url)
                    return True
                except (ConnectError, NegotiationError, TimeoutError) as error:
                    if is_gone(control.url, error):
                        break
                await asyncio.sleep(delay(attempt))
    log.info("a session could not be released; its clocks will end it")
    return False


async def free(control: Control, session_id: str, signaling_url: str) -> None:
    """Say goodbye for a session, whoever holds it.

    A fresh token opens its socket (the newest wins), and closing that is the goodbye.

    Raises:
        NotFoundError: The service does not know the session any more; it holds nothing.
        ConnectError: The service does not answer, or refuses the socket.
        AuthError: The key was refused.
    """
    try:
        async with asyncio.timeout(RELEASE_SECONDS):
            token = await control.session_token(session_id)
            async with control.signaling(signaling_url, session_id, token) as signaling:
                pass
            if signaling.left:
                return
            # A service that hangs up without an answer may have heard it all the same.
            with suppress(NotFoundError):
                await control.session_token(session_id)
                raise NegotiationError("the goodbye did not get through")
    except TimeoutError:
        raise ConnectError(f"the service did not answer within {RELEASE_SECONDS:g} s") from None
