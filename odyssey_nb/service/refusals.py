"""What an account's limits refuse: the 429s of protocol section 2.11."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from odyssey_nb.service.usage import SECONDS_PER_HOUR
from odyssey_nb.wire.control import UsageProblem

if TYPE_CHECKING:
    from odyssey_nb.service.usage import Period


class RefusedError(Exception):
    """A limit refuses the request; the application answers it with 429."""

    def __init__(self, problem: UsageProblem, retry_after: int | None = None) -> None:
        super().__init__(problem, retry_after)
        self.problem = problem
        self.retry_after = retry_after  # seconds


def suspended(reason: str) -> RefusedError:
    """The account is suspended."""
    return RefusedError(
        UsageProblem(
            error="ACCOUNT_SUSPENDED",
            message=f"The account is suspended: {reason}",
            action="Contact the operator of the service.",
            details={"reason": reason},
        )
    )


def month_used(used: float, limit: float, period: Period) -> RefusedError:
    """The month is used up; `used` and `limit` in seconds."""
    hours = limit / SECONDS_PER_HOUR
    reset = period.end.date().isoformat()
    return RefusedError(
        UsageProblem(
            error="MONTHLY_LIMIT_REACHED",
            message=f"The {hours:g} hours of this month are used up, until {reset}",
            action=f"Wait until {reset}, or have the limit raised.",
            details={
                "used_hours": round(used / SECONDS_PER_HOUR, 2),
                "limit_hours": hours,
                "reset_date": reset,
            },
        )
    )


def too_many_sessions(active: int, limit: int) -> RefusedError:
    """The account holds as many sessions as it may."""
    return RefusedError(
        UsageProblem(
            error="CONCURRENT_LIMIT_REACHED",
            message=f"Maximum concurrent sessions ({limit}) reached",
            action="End another session, then try again.",
            details={"active_count": active, "limit": limit},
        )
    )


def too_many_simulations(active: int, limit: int) -> RefusedError:
    """As many of the account's simulations wait or run as may."""
    return RefusedError(
        UsageProblem(
            error="SIMULATION_QUEUE_FULL",
            message=f"Maximum simulations waiting and running ({limit}) reached",
            action="Wait for one to end, or cancel one.",
            details={"active_count": active, "limit": limit},
        )
    )


def too_fast(wait: float) -> RefusedError:
    """Requests come faster than they may; the next one may come after `wait` seconds."""
    seconds = max(1, math.ceil(wait))
    return RefusedError(
        UsageProblem(
            error="RATE_LIMITED",
            message=f"Too many requests; the next may come in {seconds} s",
            action=f"Wait {seconds} s, then try again.",
            details={"retry_after_seconds": seconds},
        ),
        retry_after=seconds,
    )
