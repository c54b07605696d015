"""The default world, whose pictures tell how often it was steered and when they were painted."""

from __future__ import annotations

from time import time as now
from typing import TYPE_CHECKING, Any, Final

from odyssey_nb.service.worlds.landscape import Landscape
from odyssey_nb.service.worlds.test_pattern import write
from tests.benchmarks.view.source import TIMES

if TYPE_CHECKING:
    from odyssey_nb.service.worlds.base import Planes

NAME: Final = "bench_steered"
TURN: Final = 1 << 20  # pictures that are told apart between two prompts


class Steered(Landscape):
    """A landscape with a strip: how often it was steered and which picture it is, and when."""

    def __init__(self, **scene: Any) -> None:
        super().__init__(**scene)
        self._turns = 0

    def steer(self, prompt: str) -> None:
        """Show `prompt` from the next picture on, and count it."""
        super().steer(prompt)
        self._turns += 1

    def paint(self, planes: Planes, *, step: int, time: float) -> None:
        """Paint picture `step` and stamp it."""
        super().paint(planes, step=step, time=time)
        write(planes, self._turns * TURN + step % TURN, int(now() * 1000) % TIMES)
