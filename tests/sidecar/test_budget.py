"""What a connection may spend, and what all of them have spent today."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from datetime import date
from typing import TYPE_CHECKING

import pytest

from odyssey_nb.errors import BudgetError, SettingError
from odyssey_nb.sidecar.budget import Budget, Ledger

if TYPE_CHECKING:
    from pathlib import Path

# Locks the ledger until its input ends.
HOLD = """import fcntl, os, sys
fcntl.lockf(os.open(sys.argv[1], os.O_RDWR), fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()"""


class Calendar:
    """The day that it is."""

    def __init__(self) -> None:
        self.day = date(2026, 3, 1)

    def __call__(self) -> date:
        return self.day


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the ledger is."""
    return tmp_path / "data" / "budget.json"


async def test_a_day_adds_up_over_kernels_and_ends(path: Path) -> None:
    """Everybody who spends sees what all have spent; the next day begins with nothing."""
    today = Calendar()
    one, other = Ledger(path, today=today), Ledger(path, today=today)
    assert await one.spend(0) == 0
    assert await one.spend(90) == 90
    assert await other.spend(60) == 150
    assert await one.spend(0) == 150
    assert path.stat().st_mode & 0o077 == 0
    today.day = date(2026, 3, 2)
    assert await one.spend(5) == 5
    assert json.loads(path.read_text()) == {"day": "2026-03-02", "seconds": 5}


async def test_a_ledger_that_is_spoilt_begins_anew(path: Path) -> None:
    """What no program of ours has written counts as nothing spent."""
    path.parent.mkdir()
    path.write_text("spoilt" * 100)
    assert await Ledger(path).spend(7) == 7
    assert await Ledger(path).spend(0) == 7


async def test_a_ledger_that_another_process_writes_is_waited_for(path: Path) -> None:
    """Two programs never overwrite what the other has spent."""
    ledger = Ledger(path)
    await ledger.spend(1)
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    try:
        assert await asyncio.to_thread(holder.stdout.readline) == b"held\n"
        spending = asyncio.ensure_future(ledger.spend(2))
        await asyncio.sleep(0)
        assert not spending.done()
    finally:
        holder.stdin.close()
        holder.wait(10)
        holder.stdout.close()
    assert await spending == 3


async def test_a_ledger_that_cannot_be_written_says_so(path: Path) -> None:
    """In one line, with what to set."""
    path.parent.write_text("no directory")
    with pytest.raises(SettingError, match="cannot be counted"):
        await Ledger(path).spend(1)


async def test_the_nearer_budget_ends_it(path: Path) -> None:
    """A connection's own, or the day's; either says which, and what to type."""
    told: list[float] = []
    own = await Budget(0.1, 60, Ledger(path)).spend(told.append)
    assert str(own) == "the connection's budget of 0.00166667 minutes is used up"
    assert "ody.connect(budget=" in own.hint
    assert len(told) == 1
    spent = await Ledger(path).spend(0)
    assert 0.1 <= spent < 30
    daily = await Budget(600, spent + 0.1, Ledger(path)).spend(told.append)
    assert str(daily).startswith("today's budget of ")
    with pytest.raises(BudgetError, match="today's budget"):
        await Budget(600, spent + 0.1, Ledger(path)).check()


async def test_a_budget_can_be_changed(path: Path) -> None:
    """One that had none ends as soon as it has one that is used up."""
    told: list[float] = []
    budget = Budget(0, 0, Ledger(path))
    spending = asyncio.ensure_future(budget.spend(told.append))
    while not told:
        await asyncio.sleep(0)
    assert told == [0]
    budget.allow(0.001)
    assert isinstance(await asyncio.wait_for(spending, 10), BudgetError)
    assert not path.exists(), "nothing is written without a day's budget"
