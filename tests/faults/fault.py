"""What a fault is, what one run of it found, and the tables that the tests are made of."""

from __future__ import annotations

import itertools
import os
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.faults.scene import Scene

RUNS = 5  # of each fault in the whole suite
KERNEL_SAYS_SO = 1.0  # seconds until the streamer is free: rule 1 of the architecture
KERNEL_DIED = 2.0
SIDECAR_DIED = 2.0


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One row of the report.

    Attributes:
        name: What the report calls it.
        do: Does it to a scene, for real; marks the instant from which the bound counts.
        bound: Longest time until the streamer is free, in seconds.
        told: What the user must be told, each somewhere in what the scene heard; in lower case.
        group: The heading in the report.
        limits: The service's, where its defaults do not serve.
        runs: How often the whole suite does it.
        quick: How often the quick half does it, which is part of the default tests.
        timeout: Longest time that one run may take, in seconds.
    """

    name: str
    do: Callable[[Scene], None]
    bound: float
    told: tuple[str, ...] = ()
    group: str = ""
    limits: tuple[str, ...] = ()
    runs: int = RUNS
    quick: int = 0
    timeout: float = 120


@dataclass(kw_only=True)
class Outcome:
    """What one run of a fault left behind and told. Times in seconds."""

    fault: str
    group: str
    seed: int
    bound: float
    free: float | None = None  # None: it never was
    told: str = ""
    left: list[str] = field(default_factory=list)  # what should not be there any more
    missing: list[str] = field(default_factory=list)  # what the user should have been told
    quick: bool = False
    broken: str = ""  # why the run came to no end; what it left behind is not known

    @classmethod
    def of(cls, fault: Fault, seed: int, *, quick: bool) -> Outcome:
        """Return the outcome of a run of `fault` that has just begun."""
        return cls(fault=fault.name, group=fault.group, seed=seed, bound=fault.bound, quick=quick)

    @property
    def late(self) -> bool:
        """Whether the streamer was freed, but after the bound."""
        return self.free is not None and self.free > self.bound


class Table:
    """The faults of one test module."""

    def __init__(self, group: str) -> None:
        self.group = group
        self.faults: list[Fault] = []

    def add(self, do: Callable[[Scene], None], **more: object) -> None:
        """Add a row."""
        self.faults.append(Fault(do=do, group=self.group, **more))  # type: ignore[arg-type]

    def row(
        self, name: str, **more: object
    ) -> Callable[[Callable[[Scene], None]], Callable[[Scene], None]]:
        """Make the decorated function a row."""

        def decorate(do: Callable[[Scene], None]) -> Callable[[Scene], None]:
            self.add(do, name=name, **more)
            return do

        return decorate

    @property
    def each_run(self) -> pytest.MarkDecorator:
        """Parametrize a test with every run of every row; those beyond the quick half are marked.

        Each run's seed is of the suite's (``FAULTS_SEED``), the row and the run, so that a run can
        be repeated alone.
        """
        suite = int(os.environ.get("FAULTS_SEED", "0"))
        runs = []
        most = max(fault.quick + fault.runs for fault in self.faults)
        # Every row once, then again: a suite that is broken off has done each about as often.
        for number, fault in itertools.product(range(most), self.faults):
            if number >= fault.quick + fault.runs:
                continue
            quick = number < fault.quick
            label = f"quick{number + 1}" if quick else f"{number - fault.quick + 1}"
            slug = re.sub(r"[^\w.]+", "-", fault.name).strip("-")
            seed = zlib.crc32(f"{suite}/{fault.name}/{label}".encode())
            marks = [pytest.mark.timeout(fault.timeout)]
            if not quick:
                marks.append(pytest.mark.faults)
            runs.append(pytest.param(fault, seed, id=f"{slug}-{label}", marks=marks))
        return pytest.mark.parametrize(("fault", "seed"), runs)
