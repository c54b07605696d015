"""A socket that breaks while the service lives: the session is given back all the same."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from odyssey_nb import errors
from odyssey_nb.client.client import AsyncClient
from tests.conftest import API_KEY
from tests.relay import Relay
from tests.service.raw_client import until

if TYPE_CHECKING:
    from tests.conftest import Service


async def test_a_broken_socket_frees_its_streamer(shared: Service) -> None:
    """The service would keep the session for 40 s; the client releases it from outside."""
    async with Relay.to(shared.url) as relay:
        with pytest.raises(errors.ConnectionLostError):
            async with AsyncClient.open(relay.url, API_KEY) as client:
                await client.start("a forest")
                assert shared.held == 1
                assert relay.cut() >= 1
                async with asyncio.timeout(5):
                    raise await client.lost
        await until(lambda: shared.held == 0, seconds=2)
