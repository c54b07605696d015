"""Who may reserve a streamer or start a stream, and whose sessions must end.

What an account may is asked of the database each time, so that a change holds at once, whichever
process made it.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from odyssey_nb.service import refusals
from odyssey_nb.service.refusals import RefusedError
from odyssey_nb.service.sessions import KEYS_REVOKED, SUSPENDED
from odyssey_nb.service.usage import SECONDS_PER_HOUR
from odyssey_nb.wire.streamer import EndStream, StartDecision

if TYPE_CHECKING:
    from odyssey_nb.service.accounts import Account, Accounts
    from odyssey_nb.service.sessions import Ending, Session, SessionTable
    from odyssey_nb.service.signaling import Switchboard
    from odyssey_nb.service.usage import Ledger
    from odyssey_nb.wire.streamer import AskStart

log = logging.getLogger(__name__)

# What a start is refused for (protocol section 5.2), by what a request is refused for (2.11).
STREAM_REASONS = {
    "ACCOUNT_SUSPENDED": "account_suspended",
    "MONTHLY_LIMIT_REACHED": "quota_exceeded",
    "CONCURRENT_LIMIT_REACHED": "concurrent_limit_exceeded",
}
LEAST_SECONDS = 1.0  # what a month must have left for a stream: clocks differ by milliseconds
QUOTA_MESSAGE = "Stream ended: the hours of this month are used up"
LIMIT_MESSAGE = "Stream ended: time limit"


class Gate:
    """Holds requests and starts against what an account may and has used."""

    def __init__(self, accounts: Accounts, ledger: Ledger) -> None:
        self._accounts = accounts
        self._ledger = ledger

    async def admit(self, account: Account) -> None:
        """Return if the account may ask for anything that costs hours.

        Raises:
            RefusedError: It is suspended, or its month is used up.
        """
        await asyncio.to_thread(self._seconds_left, account, least=LEAST_SECONDS)

    async def decide(self, session: Session, table: SessionTable, ask: AskStart) -> StartDecision:
        """Return whether a stream may start in `session`, and for how long it may run."""
        try:
            account, left = await asyncio.to_thread(self._admit, session.account)
            # The oldest may go on where a limit was lowered while more were held.
            limit = account.allowance.concurrent_streams
            held = table.of(account.id)
            if session in held[limit:]:
                raise refusals.too_many_sessions(len(held), limit)
        except RefusedError as error:
            problem = error.problem
            return StartDecision(
                number=ask.number, refused=STREAM_REASONS[problem.error], message=problem.message
            )
        except SQLAlchemyError:
            log.exception("a start could not be decided")
            message = "the service cannot look up the account"
            return StartDecision(number=ask.number, refused="service_failed", message=message)
        if ask.bypass_expansion and not account.may_bypass:
            message = "the account may not bypass the expansion of prompts"
            return StartDecision(number=ask.number, refused="bypass_not_allowed", message=message)
        longest = account.allowance.stream_seconds
        by_quota = left is not None and left < longest
        session.stream_limit = seconds = left if left is not None and by_quota else longest
        return StartDecision(
            number=ask.number,
            seconds=seconds,
            ends_for="quota_exceeded" if by_quota else "session_timeout",
            message=QUOTA_MESSAGE if by_quota else LIMIT_MESSAGE,
        )

    async def inspect(self, table: SessionTable, switchboard: Switchboard) -> None:
        """Note which streams run, and end what its account may not have any more."""
        streams = [each.stream_id for each in table.all() if each.stream_id is not None]
        if streams:
            await asyncio.to_thread(self._ledger.beat, streams)
        for account_id in {each.account for each in table.all()}:
            verdict = await asyncio.to_thread(self._verdict, account_id)
            for session in table.of(account_id):
                if isinstance(verdict, EndStream):
                    switchboard.command(session, verdict)
                elif verdict is not None:
                    table.end(session.id, verdict)

    def _verdict(self, account_id: str) -> Ending | EndStream | None:
        """Return how the account's sessions, or only their streams, are to end, if they are."""
        account = self._accounts.get(account_id)
        if account is None or not account.keys:
            return KEYS_REVOKED
        try:
            self._seconds_left(account, least=0)
        except RefusedError as error:
            if error.problem.error == "ACCOUNT_SUSPENDED":
                return SUSPENDED
            return EndStream(reason="quota_exceeded", message=QUOTA_MESSAGE)
        return None

    def _admit(self, account_id: str) -> tuple[Account, float | None]:
        """Return the account, and how many seconds it has left of the month; None is no limit."""
        account = self._accounts.get(account_id)
        assert account is not None, "accounts stay"
        return account, self._seconds_left(account, least=LEAST_SECONDS)

    def _seconds_left(self, account: Account, *, least: float) -> float | None:
        if account.suspended is not None:
            raise refusals.suspended(account.suspended)
        if account.allowance.monthly_hours is None:
            return None
        used = self._ledger.used(account.id)
        limit = account.allowance.monthly_hours * SECONDS_PER_HOUR
        left = limit - used.seconds
        if left <= 0 or left < least:
            raise refusals.month_used(used.seconds, limit, used.period)
        return left


async def keep_inspecting(
    gate: Gate, table: SessionTable, switchboard: Switchboard, *, every: float
) -> None:
    """Inspect every so many seconds, for as long as the service runs."""
    while True:
        await asyncio.sleep(every)
        try:
            await gate.inspect(table, switchboard)
        except SQLAlchemyError:  # a full disk, say; sessions go on
            log.exception("accounts could not be looked at")
