"""The service's limits, by the names that ``--limit NAME=VALUE`` takes."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

from odyssey_nb.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Counts, and times in seconds; the defaults are the documented ones (protocol section 8)."""

    concurrent_streams: int = 5
    stream_seconds: float = 150
    connection_seconds: float = 3600
    idle_seconds: float = 900
    heartbeat_seconds: float = 40
    lost_socket_seconds: float = 40
    negotiation_seconds: float = 30
    reservation_seconds: float = 600
    recording_url_seconds: float = 3600
    recording_days: float = 30  # after which a recording goes
    recording_gigabytes: float = 20  # of all recordings together; beyond them the oldest goes
    reclaim_seconds: float = 40  # an unopened reservation that old gives way to a new request

    @property
    def shortest_clock(self) -> float:
        """How soon a session could be overdue, by whichever clock."""
        return min(
            self.connection_seconds,
            self.idle_seconds,
            self.heartbeat_seconds,
            self.lost_socket_seconds,
            self.negotiation_seconds,
            self.reservation_seconds,
        )

    @classmethod
    def parse(cls, given: Iterable[str]) -> Limits:
        """Read ``NAME=VALUE`` texts.

        Raises:
            SettingError: An unknown name, or a value that is no positive number.
        """
        limits = cls()
        kinds = {each.name: each.type for each in fields(cls)}
        for text in given:
            name, _, value = text.partition("=")
            if name not in kinds:
                raise SettingError(
                    f"there is no limit called {name!r}", hint=f"Known: {', '.join(kinds)}."
                )
            try:
                number = int(value) if kinds[name] == "int" else float(value)
            except ValueError:
                number = 0
            if not number > 0:  # nan is no number either
                raise SettingError(
                    f"limit {name} needs a positive number, not {value!r}",
                    hint=f"Write --limit {name}=60, for example.",
                )
            # The table of kinds above holds the type that the field has.
            limits = replace(limits, **{name: number})  # type: ignore[arg-type]
        return limits
