"""Usage as a cell and a terminal see it."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from dataclasses import replace
from datetime import date
from xml.etree import ElementTree

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

import odyssey_nb as ody
from odyssey_nb import errors
from odyssey_nb.kernel.usage import COLOURS, UsageReport
from odyssey_nb.service.accounts import Accounts
from odyssey_nb.service.database import Database, sqlite_url
from odyssey_nb.service.limits import Limits
from odyssey_nb.wire.usage import DayOfUse
from tests.conftest import Service

REPORT = UsageReport(
    concurrent_streams=1,
    concurrent_limit=5,
    stream_hours=3.75,
    simulation_hours=0.25,
    period_start="2026-02-01T00:00:00+00:00",
    period_end="2026-03-01T00:00:00+00:00",
    monthly_hours=10,
    waiting_simulations=2,
    days=[
        DayOfUse(date="2026-02-01", stream_hours=3, simulation_hours=0),
        DayOfUse(date="2026-02-02", stream_hours=0, simulation_hours=0),
        DayOfUse(date="2026-02-03", stream_hours=0.75, simulation_hours=0.25),
    ],
)


def test_the_table() -> None:
    """The figures with their limits, and a line of the days."""
    assert repr(REPORT).splitlines() == [
        "streams now           1 of 5",
        "total hours           4 h of 10 h",
        "simulation hours      15 min",
        "simulations in queue  2 of 10",
        "begins anew           1 March",
        "by day                █▁▃  1 to 3 February",
    ]
    assert REPORT.resets == date(2026, 3, 1)
    assert REPORT.total_hours == 4
    unlimited = replace(REPORT, monthly_hours=None, suspended="unpaid", stream_hours=0.01)
    assert "total hours           15 min\n" in repr(replace(unlimited, stream_hours=0.001))
    assert repr(unlimited).splitlines()[-2].split() == ["suspended", "unpaid"]


def test_the_chart() -> None:
    """A bar for each day, simulations upon streams; colours follow the page's theme."""
    page = REPORT._repr_html_()
    (svg,) = re.findall("<svg.*</svg>", page)
    chart = ElementTree.fromstring(svg)
    bars = [
        [(rect.get("fill"), float(rect.get("y", "")), float(rect.get("height", "")))
         for rect in day.iter("rect")]
        for day in chart.iter("g")
    ]  # fmt: skip
    streams, simulations = COLOURS.values()
    assert bars == [
        [(streams, 0, 72), (simulations, 0, 0)],
        [(streams, 72, 0), (simulations, 72, 0)],
        [(streams, 54, 18), (simulations, 48, 6)],
    ]
    titles = [title.text for title in chart.iter("title")]
    assert titles[1:] == ["2026-02-02: nothing", "2026-02-03: streams 45 min, simulations 15 min"]
    assert "currentColor" in page
    assert "10 h" in page
    reason = replace(REPORT, suspended="<b>unpaid</b>", days=[])._repr_html_()
    assert "&lt;b&gt;unpaid" in reason
    assert "<svg" not in reason, "without a day there is no chart"


def test_usage_of_a_service(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked where the connection goes; a terminal shows the same table."""
    found = ody.usage(url=service.url, api_key=service.api_key)
    assert found.concurrent_limit == 5
    assert found.days[-1].date <= found.period_end
    monkeypatch.setenv("ODYSSEY_API_URL", service.url)
    monkeypatch.setenv("ODYSSEY_API_KEY", service.api_key)
    said = subprocess.run(
        [sys.executable, "-m", "odyssey_nb.cli", "usage"],
        capture_output=True, text=True, timeout=30, check=True,
    )  # fmt: skip
    assert said.stdout.startswith("streams now           0 of 5\n")
    with pytest.raises(errors.AuthError):
        ody.usage(url=service.url, api_key="ody_wrong")


def test_a_used_up_month_is_a_typed_error(service: Service) -> None:
    """Whether a stream or a session is refused, the cell sees one line that says until when."""
    with Database.open(sqlite_url(service.data_dir)) as database:
        accounts = Accounts(database, Limits())
        key, name = accounts.create()
        connection = ody.connect("limited", url=service.url, api_key=key)
        accounts.change(name, {"monthly_hours": 1e-6})
        with pytest.raises(errors.MonthlyLimitError, match="used up, until 20"):
            connection.start("a forest")
        connection.disconnect()
        with pytest.raises(errors.MonthlyLimitError, match="used up, until 20"):
            ody.connect("limited", url=service.url, api_key=key)


async def test_a_service_that_does_not_tell() -> None:
    """The cloud has no such route; the line says where to look instead."""

    async def token(_request: web.Request) -> web.Response:
        return web.json_response({"access_token": "t", "expires_in": 3600})

    app = web.Application()
    app.router.add_post("/auth/token", token)
    async with TestServer(app) as server:
        url = str(server.make_url("")).rstrip("/")
        with pytest.raises(errors.NotFoundError, match="does not tell usage"):
            await asyncio.to_thread(ody.usage, url=url, api_key="ody_k")
