"""A session that is lost while the service lives: it is given back, and the loss is explained."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from odyssey_nb import errors
from odyssey_nb.client.client import AsyncClient
from odyssey_nb.client.control import Control
from odyssey_nb.client.reservation import free, release
from tests.conftest import API_KEY

if TYPE_CHECKING:
    from tests.conftest import Service


@pytest.mark.parametrize("who", ["", "another notebook"])
async def test_a_session_that_is_released_from_outside_says_so(shared: Service, who: str) -> None:
    """The holder is told that it was done on purpose, and by whom if that is known."""
    async with AsyncClient.open(shared.url, API_KEY, ended_by=lambda: who) as client:
        await client.start("a forest")
        async with Control.open(shared.url, API_KEY) as control:
            assert await release(control, client.session_id, shared.url)
            with pytest.raises(errors.NotFoundError):
                await free(control, client.session_id, shared.url)
        async with asyncio.timeout(5):
            lost = await client.lost
    assert isinstance(lost, errors.EndedOutsideError)
    assert str(lost) == ("ended from outside by another notebook" if who else "ended from outside")
    assert client.history[-2:] == ["failed", "disconnected"]
    assert shared.held == 0


async def test_a_session_that_its_account_ends_says_so(shared: Service) -> None:
    """Ending it on the service's dashboard is on purpose too."""
    async with AsyncClient.open(shared.url, API_KEY) as client:
        await asyncio.to_thread(end_all, shared)
        async with asyncio.timeout(5):
            assert isinstance(await client.lost, errors.EndedOutsideError)


def end_all(service: Service) -> None:
    """End what the account holds, as the dashboard does."""
    for each in service.sessions():
        service.ask("DELETE", f"/sessions/{each['session_id']}", token=service.token())
