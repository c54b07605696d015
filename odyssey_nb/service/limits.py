"""The service's limits, by the names that ``--limit NAME=VALUE`` takes."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from odyssey_nb.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

DEFAULT = "default"  # the value that gives an account the service's limit back


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Counts, and times in seconds; the defaults are the documented ones (protocol section 8)."""

    concurrent_streams: int = 5
    simulation_queue: int = 10  # waiting and running
    monthly_hours: float | None = None  # of streams and simulations together; None: no limit
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
    simulation_lease_seconds: float = 30  # after which one whose worker is silent is lost
    reclaim_seconds: float = 40  # an unopened reservation that old gives way to a new request
    spectators: int = 100  # of one stream
    request_seconds: float = 120  # in which a request arrives: 40 MiB at 3 Mbit/s
    requests_per_second: float = 100  # of an account, and of key exchanges from one address

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
        # `_parse` gives each field the type that it has.
        return replace(cls(), **dict(_parse(text, cls) for text in given))  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What one account may: what the service's limits say, save where it has limits of its own."""

    concurrent_streams: int
    simulation_queue: int
    monthly_hours: float | None
    stream_seconds: float

    @classmethod
    def resolve(cls, limits: Limits, own: Mapping[str, float]) -> Allowance:
        """Return what an account with these limits of its `own` may."""
        values: dict[str, Any] = asdict(limits) | dict(own)
        return cls(**{each.name: values[each.name] for each in fields(cls)})

    @classmethod
    def parse(cls, given: Iterable[str]) -> dict[str, float | None]:
        """Read the ``NAME=VALUE`` texts of an account; the value ``default`` becomes None.

        Raises:
            SettingError: An unknown name, or a value that is no positive number.
        """
        own: dict[str, float | None] = {}
        for text in given:
            name, _, value = text.partition("=")
            number = f"{name}=1" if value == DEFAULT else text  # so that the name is looked at
            own |= dict([_parse(number, cls)])
            if value == DEFAULT:
                own[name] = None
        return own


def _parse(text: str, kind: type[Limits | Allowance]) -> tuple[str, float]:
    """Read one ``NAME=VALUE`` by the fields of `kind`."""
    types = {each.name: each.type for each in fields(kind)}
    name, _, value = text.partition("=")
    if name not in types:
        raise SettingError(f"there is no limit called {name!r}", hint=f"Known: {', '.join(types)}.")
    try:
        number = int(value) if types[name] == "int" else float(value)
    except ValueError:
        number = 0
    if not number > 0:  # nan is no number either
        raise SettingError(
            f"limit {name} needs a positive number, not {value!r}",
            hint=f"Write --limit {name}=60, for example.",
        )
    return name, number
