"""What an account may, held against it by a real service while another process changes it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sqlalchemy import text

from odyssey_nb import errors
from odyssey_nb.client.client import AsyncClient
from odyssey_nb.client.control import Control
from odyssey_nb.service.accounts import Accounts
from odyssey_nb.service.database import Database, sqlite_url
from odyssey_nb.service.gate import Gate
from odyssey_nb.service.limits import Limits
from odyssey_nb.service.sessions import SessionTable
from odyssey_nb.service.usage import Ledger
from odyssey_nb.wire.streamer import AskStart
from tests.conftest import API_KEY, Serve, Service
from tests.service.raw_client import RawClient, ask, until
from tests.service.running import OTHER_KEY, running

REFUSED = "interactive_stream_error"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that looks at accounts twice a second, since its shortest clock is two seconds."""
    directory = tmp_path_factory.mktemp("gate")
    with running(directory, "--limit", "reservation_seconds=2") as service:
        yield service


@pytest.fixture(scope="module")
def accounts(shared: Service) -> Iterator[Accounts]:
    """The service's accounts, from outside of it."""
    with Database.open(sqlite_url(shared.data_dir)) as database:
        yield Accounts(database, Limits())


@dataclass
class Asker:
    """Asks the API with a key of its own."""

    http: aiohttp.ClientSession
    service: Service
    key: str
    account: str
    token: str = ""

    async def ask(self, path: str, body: object) -> tuple[int, Any]:
        """POST with a token that was fetched once."""
        if not self.token:
            _, answer = await ask(
                self.http, f"{self.service.url}/auth/token", {"api_key": self.key}
            )
            self.token = answer["access_token"]
        return await ask(self.http, self.service.url + path, body, self.token)


@pytest.fixture
async def asker(shared: Service, accounts: Accounts) -> AsyncIterator[Asker]:
    """Somebody new; in the end the service has no session."""
    key, name = accounts.create()
    async with aiohttp.ClientSession() as http:
        yield Asker(http, shared, key, name)
    shared.wait_free(seconds=5)


async def test_a_suspended_account(asker: Asker, accounts: Accounts) -> None:
    """Its sessions end with the reason, and no other is granted until it may go on."""
    async with RawClient.connected(asker.service.url, asker.key) as client:
        await client.start("a forest")
        accounts.change(asker.account, {"suspended": "unpaid bills"})
        problem = await client.hear()
        assert (problem["type"], problem["reason"]) == (REFUSED, "account_suspended")
        assert (await client.told("error"))["reason"] == "account_suspended"
        assert await client.closed() == 4029
    status, answer = await asker.ask("/sessions/request", {})
    assert status == 429
    problem = answer["detail"]
    assert problem["error"] == "ACCOUNT_SUSPENDED"
    assert problem["details"] == {"reason": "unpaid bills"}
    assert problem["action"]
    accounts.change(asker.account, {"suspended": None})
    async with AsyncClient.open(asker.service.url, asker.key):
        pass


async def test_a_suspended_account_starts_nothing(tmp_path: Path) -> None:
    """A start is refused at once, before anybody has looked at the sessions."""
    with Database.open(sqlite_url(tmp_path)) as database:
        accounts = Accounts(database, Limits())
        _, name = accounts.create(values={"suspended": "unpaid bills"})
        table = SessionTable(Limits(), streamers=1, clock=float, on_end=lambda *_: None)
        gate, session = Gate(accounts, Ledger(database)), table.request(name)
        decision = await gate.decide(session, table, AskStart(number=7))
    assert (decision.number, decision.refused) == (7, "account_suspended")
    assert "unpaid bills" in decision.message


async def test_a_database_that_fails(tmp_path: Path) -> None:
    """A start that cannot be decided is refused, and the client is told so."""
    with Database.open(sqlite_url(tmp_path)) as database:
        accounts = Accounts(database, Limits())
        _, name = accounts.create()
        with database.begin() as connection:
            connection.execute(text("DROP TABLE keys"))
        table = SessionTable(Limits(), streamers=1, clock=float, on_end=lambda *_: None)
        gate, session = Gate(accounts, Ledger(database)), table.request(name)
        decision = await gate.decide(session, table, AskStart(number=7))
    assert (decision.number, decision.refused) == (7, "service_failed")


async def test_a_revoked_key(asker: Asker, accounts: Accounts) -> None:
    """Tokens made from it open nothing any more, and what they opened ends."""
    async with RawClient.connected(asker.service.url, asker.key) as client:
        body = {"session_id": client.reservation.session_id}
        assert (await asker.ask("/sessions/token", body))[0] == 200
        accounts.revoke(asker.key)
        status, answer = await asker.ask("/sessions/token", body)
        assert (status, answer) == (401, {"detail": "Invalid or expired access token"})
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await client.http.ws_connect(client.reservation.socket_url)
        assert (await client.told("error"))["reason"] == "keys_revoked"
        assert await client.closed() == 4001


async def test_another_key_keeps_the_sessions(asker: Asker, accounts: Accounts) -> None:
    """A session goes on while its account has a good key: it is the account's."""
    accounts.create(asker.account)
    async with RawClient.connected(asker.service.url, asker.key) as client:
        accounts.revoke(asker.key)
        assert (await client.start("a forest"))["type"] == "stream_started"
        assert (await client.end())["type"] == "stream_ended"


async def test_the_month_is_used_up(asker: Asker, accounts: Accounts) -> None:
    """The stream ends when the last second is used; then neither starts nor sessions are had."""
    hours = 1.5 / 3600
    accounts.change(asker.account, {"monthly_hours": hours})
    async with RawClient.connected(asker.service.url, asker.key) as client:
        assert (await client.start("a forest"))["type"] == "stream_started"
        over = await client.hear()
        assert (over["type"], over["reason"]) == (REFUSED, "quota_exceeded")
        assert (await client.hear())["type"] == "stream_ended"
        async with Control.open(asker.service.url, asker.key) as control:

            async def used() -> float:
                return (await control.usage()).stream_hours

            async with asyncio.timeout(10):
                while await used() < 1 / 3600:  # the row gets its end with its recording
                    pass
        again = await client.start("a forest")
        assert (again["type"], again["reason"]) == (REFUSED, "quota_exceeded")
    status, answer = await asker.ask("/sessions/request", {})
    assert status == 429
    problem = answer["detail"]
    assert problem["error"] == "MONTHLY_LIMIT_REACHED"
    details = problem["details"]
    assert details["limit_hours"] == hours
    assert details["used_hours"] == pytest.approx(hours, abs=0.01)
    assert date.fromisoformat(details["reset_date"]).day == 1
    with pytest.raises(errors.MonthlyLimitError, match="used up"):
        async with AsyncClient.open(asker.service.url, asker.key):
            pass


async def test_a_limit_that_falls_ends_what_runs(asker: Asker, accounts: Accounts) -> None:
    """A month that becomes too short ends the stream that runs, and the connection stays."""
    async with AsyncClient.open(asker.service.url, asker.key) as client:
        await client.start("a forest")
        accounts.change(asker.account, {"monthly_hours": 1e-6})
        await until(lambda: client.stream_state == "none")
        with pytest.raises(errors.MonthlyLimitError):
            await client.start("a sea")
        assert not client.lost.done()


async def test_streams_of_its_own_length(asker: Asker, accounts: Accounts) -> None:
    """The length that an account may stream is told with the session and kept."""
    accounts.change(asker.account, {"stream_seconds": 0.3})
    async with RawClient.connected(asker.service.url, asker.key) as client:
        assert client.reservation.grant["stream_seconds"] == 0.3
        await client.start("a forest")
        assert (await client.hear())["reason"] == "session_timeout"
        assert (await client.hear())["type"] == "stream_ended"


async def test_the_privilege_to_bypass(asker: Asker, accounts: Accounts) -> None:
    """Expansion of the prompt is bypassed by those who may, and refused to others."""
    start = {"type": "interactive_stream_start", "prompt": "a", "bypass_vlm_expansion": True}
    async with RawClient.connected(asker.service.url, asker.key) as client:
        client.send(start)
        refused = await client.hear()
        assert (refused["type"], refused["reason"]) == (REFUSED, "bypass_not_allowed")
        client.send(start | {"bypass_vlm_expansion": False})
        assert (await client.hear())["type"] == "stream_started"
        await client.end()
        accounts.change(asker.account, {"may_bypass": True})
        client.send(start)
        assert (await client.hear())["type"] == "stream_started"


async def test_fewer_at_once_than_before(asker: Asker, accounts: Accounts) -> None:
    """When less is allowed than is held, the oldest go on and the others start nothing."""
    url = asker.service.url
    async with AsyncClient.open(url, asker.key) as first, AsyncClient.open(url, asker.key) as last:
        accounts.change(asker.account, {"concurrent_streams": 1})
        with pytest.raises(errors.ConcurrentLimitError, match=r"\(1\) reached"):
            await last.start("a sea")
        await first.start("a forest")
        status, answer = await asker.ask("/sessions/request", {})
        assert status == 429
        assert answer["detail"]["details"] == {"active_count": 2, "limit": 1}


async def test_usage(asker: Asker, accounts: Accounts) -> None:
    """Usage tells sessions now, hours of the month by day, and what the account may."""
    accounts.change(asker.account, {"monthly_hours": 3, "simulation_queue": 2})
    async with (
        Control.open(asker.service.url, asker.key) as control,
        AsyncClient.open(asker.service.url, asker.key) as client,
    ):
        await client.start("a forest")
        usage = await control.usage()
        assert (usage.concurrent_streams, usage.concurrent_limit) == (1, 5)
        assert (usage.monthly_hours, usage.simulation_queue) == (3, 2)
        async with asyncio.timeout(10):
            while usage.stream_hours == 0:  # while it runs it grows with every beat
                usage = await control.usage()
        assert usage.stream_hours == usage.days[-1].stream_hours
        assert usage.period_start < usage.days[-1].date < usage.period_end
        assert (usage.simulation_hours, usage.suspended) == (0, None)
    async with Control.open(asker.service.url, OTHER_KEY) as control:
        assert (await control.usage()).stream_hours == 0


async def test_too_many_requests(serve: Serve) -> None:
    """Beyond the rate 429 says when to come back; others are served, and keys not guessed at."""
    service = serve("--limit", "requests_per_second=0.2", "--api-key", OTHER_KEY)
    async with aiohttp.ClientSession() as http:
        exchanges = [
            await ask(http, f"{service.url}/auth/token", {"api_key": key})
            for key in (API_KEY, OTHER_KEY, API_KEY)
        ]
        assert [status for status, _ in exchanges] == [200, 200, 429]
        mine, theirs = (answer["access_token"] for _, answer in exchanges[:2])
        url, body = f"{service.url}/sessions/token", {"session_id": "x"}
        answers = [await ask(http, url, body, mine) for _ in range(3)]
        assert [status for status, _ in answers] == [404, 404, 429]
        problem = answers[-1][1]["detail"]
        assert problem["error"] == "RATE_LIMITED"
        assert 1 <= problem["details"]["retry_after_seconds"] <= 5
        headers = {"Authorization": f"Bearer {mine}", "Origin": "https://a.example"}
        async with http.get(f"{service.url}/sessions", headers=headers) as response:
            assert response.status == 429
            assert 1 <= int(response.headers["Retry-After"]) <= 5
            assert "Access-Control-Allow-Origin" in response.headers
        assert (await ask(http, url, body, theirs))[0] == 404
