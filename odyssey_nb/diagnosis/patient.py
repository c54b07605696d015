"""Whom the doctor examines, and what the checks before have learned."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from odyssey_nb.diagnosis.report import Finding, State

if TYPE_CHECKING:
    from collections.abc import Callable

    from odyssey_nb.config import Target
    from odyssey_nb.errors import OdysseyNBError
    from odyssey_nb.widgets.probe import Probe
    from odyssey_nb.wire.control import IceServer


@dataclass(kw_only=True)
class Patient:
    """A program here, the service that it goes to, and what is known of both.

    `up` says that the service answers, `admitted` that it takes the key.
    """

    target: Target | None = None  # none where the settings contradict each other
    unclear: OdysseyNBError | None = None  # why there is none
    key_from: str = ""  # where the key comes from, in words
    session: bool = True  # whether a streamer may be reserved
    probe: Probe | None = None  # asks the page; only in a notebook
    url: str = ""
    api_key: str = field(default="", repr=False)
    up: bool = False
    admitted: bool = False
    ice: list[IceServer] | None = field(default=None, repr=False)

    @property
    def in_the_way(self) -> str:
        """Why nothing can be asked of the service; empty if it can be."""
        if not self.up:
            return "the service does not answer"
        return "" if self.admitted else "the service has to take the key first"


class Chart:
    """Where a check writes down what it finds, under its own name or another."""

    def __init__(self, check: str, write: Callable[[Finding], None]) -> None:
        self._check, self._write = check, write

    def ok(self, found: str, *, of: str = "") -> None:
        """All is well."""
        self._write(Finding(of or self._check, State.OK, found))

    def warn(self, found: str, remedy: str, *, of: str = "") -> None:
        """It could be better."""
        self._write(Finding(of or self._check, State.WARNING, found, remedy))

    def fail(self, found: str, remedy: str, *, of: str = "") -> None:
        """It does not work."""
        self._write(Finding(of or self._check, State.PROBLEM, found, remedy))

    def skip(self, why: str, *, of: str = "") -> None:
        """It could not be looked at, for a reason that is no fault."""
        self._write(Finding(of or self._check, State.SKIPPED, why))
