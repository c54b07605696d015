"""How a streamer process asks its control plane."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from odyssey_nb.service import streamer
from odyssey_nb.service.streamer import Control, Starts
from odyssey_nb.wire.stream import InteractiveStreamStart
from odyssey_nb.wire.streamer import AskStart, StartDecision


class Line(Control):
    """A line to a control plane of the test's own."""

    def __init__(self) -> None:
        self.asked: asyncio.Queue[Any] = asyncio.Queue()

    def report(self, message: Any) -> None:
        self.asked.put_nowait(message)


async def test_a_decision_finds_its_question(monkeypatch: pytest.MonkeyPatch) -> None:
    """A control plane that does not answer has starts refused; a late answer decides nothing."""
    monkeypatch.setattr(streamer, "DECISION_SECONDS", 0.01)
    line = Line()
    starts = Starts(line)
    assert (await starts.ask(InteractiveStreamStart())).refused == "service_failed"
    late = line.asked.get_nowait()
    assert late == AskStart(number=1)
    monkeypatch.setattr(streamer, "DECISION_SECONDS", 10)
    start = InteractiveStreamStart(bypass_vlm_expansion=True)
    asking = asyncio.ensure_future(starts.ask(start))
    ask = await line.asked.get()
    assert ask == AskStart(number=2, bypass_expansion=True)
    starts.decided(StartDecision(number=late.number, refused="late"))
    starts.decided(StartDecision(number=ask.number, seconds=7))
    starts.decided(StartDecision(number=ask.number, seconds=8))
    assert (await asking).seconds == 7
