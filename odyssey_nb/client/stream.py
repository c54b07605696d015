"""Commands to the streamer: one of a kind in flight, each with a deadline, none left waiting."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar

from odyssey_nb import errors
from odyssey_nb.wire import stream as wire

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Send = Callable[[wire.FromClient], Awaitable[None]]

T = TypeVar("T")

_REASONS: dict[str, type[errors.OdysseyNBError]] = {
    "account_suspended": errors.SuspendedError,
    "quota_exceeded": errors.MonthlyLimitError,
    "concurrent_limit_exceeded": errors.ConcurrentLimitError,
    "session_timeout": errors.StreamLimitError,
    "stream_already_active": errors.StreamActiveError,
    "no_active_stream": errors.NoStreamError,
    "bypass_not_allowed": errors.PrivilegeError,
    "empty_prompt": errors.EmptyPromptError,
    "invalid_image": errors.ImageError,
    "image_not_supported": errors.ImageError,
}


def stream_error(problem: wire.InteractiveStreamError) -> errors.OdysseyNBError:
    """Return the typed error for a stream error (protocol section 5.2)."""
    kind = _REASONS.get(problem.reason, errors.StreamError)
    return kind(problem.message or problem.reason)


class Exchange(Generic[T]):
    """One kind of command and its answers, which come in order and carry no id (section 5).

    A command that was given up leaves a debt: its late answer must not be taken for the next one's.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._turn = asyncio.Lock()
        self._waiter: asyncio.Future[T] | None = None
        self._owed = 0
        self._payer: asyncio.Future[T] | None = None  # who saw his answer taken for a debt
        self._lost: errors.OdysseyNBError | None = None

    async def ask(self, send: Send, message: wire.FromClient, *, timeout: float) -> T:  # noqa: ASYNC109
        """Send `message` when it is its turn, and return the answer to it.

        Raises:
            AnswerTimeoutError: No answer within `timeout` seconds, waiting for the turn included.
            ConnectionLostError: The connection was lost meanwhile.
        """
        waiter: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(timeout), self._turn:
                if self._lost is not None:
                    raise self._lost
                return await self._send_and_wait(send, message, waiter)
        except TimeoutError:
            if self._payer is waiter and waiter.cancelled():
                # What came was his after all: a command before it is never answered, and must not
                # cost every later one its answer too.
                self._owed -= 1
            text = f"no answer to {self._name} within {timeout:g} s"
            raise errors.AnswerTimeoutError(text) from None

    async def _send_and_wait(
        self, send: Send, message: wire.FromClient, waiter: asyncio.Future[T]
    ) -> T:
        self._waiter = waiter
        try:
            await send(message)
            return await waiter
        except asyncio.CancelledError:
            if waiter.cancelled():  # it was sent, so its answer will still come
                self._owed += 1
            raise
        finally:
            self._waiter = None
            if waiter.done() and not waiter.cancelled():
                waiter.exception()  # looked at, also where we were cancelled meanwhile

    def answer(self, value: T) -> bool:
        """Give `value` to the command that waits; return whether one did."""
        if self._pays_a_debt():
            return False
        if self._waiter is None or self._waiter.done():
            return False
        self._waiter.set_result(value)
        return True

    def refuse(self, error: errors.OdysseyNBError) -> bool:
        """Fail the command that waits; return whether one did."""
        if self._pays_a_debt():
            return False
        if self._waiter is None or self._waiter.done():
            return False
        self._waiter.set_exception(error)
        return True

    def _pays_a_debt(self) -> bool:
        if not self._owed:
            return False
        self._owed -= 1
        self._payer = self._waiter
        return True

    def settle(self) -> None:
        """Expect no late answers any more: something came that comes after them."""
        self._owed, self._payer = 0, None

    def give_up(self, error: errors.OdysseyNBError) -> None:
        """Fail the command that waits, although no answer to it came."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(error)

    def lose(self, error: errors.OdysseyNBError) -> None:
        """The connection is lost: fail what waits now and whatever will be asked."""
        self._lost = error
        self.give_up(error)
