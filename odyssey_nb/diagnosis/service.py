"""The service: whether it answers, takes the key, keeps the same time, and what the account may."""

from __future__ import annotations

import asyncio
import sys
import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import aiohttp
import jwt

from odyssey_nb.client.control import Control
from odyssey_nb.client.retry import is_loopback
from odyssey_nb.config import settings_told
from odyssey_nb.errors import AuthError, NotFoundError, OdysseyNBError, ServiceStartError
from odyssey_nb.kernel.local_service import address_of
from odyssey_nb.kernel.sessions import spell
from odyssey_nb.kernel.tables import clock as clocked

if TYPE_CHECKING:
    from odyssey_nb.diagnosis.patient import Chart, Patient

ANSWER_SECONDS = 8.0
SLOW_SECONDS = 1.0
SKEW_WARNING, SKEW_PROBLEM = 5.0, 60.0  # seconds; tokens are taken with about a minute's leeway
FULL = 0.9  # share of the month's hours
SET_CLOCK = {
    "linux": "`sudo timedatectl set-ntp true`",
    "darwin": "`sudo sntp -sS time.apple.com`",
}


async def service(patient: Patient, chart: Chart) -> None:
    """Reach it, ask it for a token, and compare clocks."""
    if patient.target is None:
        assert patient.unclear is not None
        chart.fail(str(patient.unclear), patient.unclear.hint, of="key")
        return
    try:
        patient.url, patient.api_key = await asyncio.to_thread(address_of, patient.target)
    except ServiceStartError as error:
        chart.fail(str(error), "`odyssey-nb serve` in a terminal says why.")
        return
    named = "the local service" if patient.target.url is None else "the service"
    began = time.time()
    try:
        date = await _reach(patient, chart)
    except aiohttp.InvalidURL:
        chart.fail(f"{patient.url} is no address", "Correct ODYSSEY_API_URL.")
        return
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        _unreachable(patient.url, error, chart)
        return
    took = time.time() - began
    patient.up = True
    text = f"{named} at {patient.url} answers in {took * 1000:.0f} ms"
    if took > SLOW_SECONDS:
        chart.warn(text, "The way there is slow: prompts will be too. A nearer network helps.")
    else:
        chart.ok(text)
    token = await _key(patient, chart)
    _clock(date, began + took / 2, token, chart)


async def _reach(patient: Patient, chart: Chart) -> str:
    """Return what the service says the time is; anything that speaks HTTP is an answer."""
    timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
    async with (
        aiohttp.ClientSession(timeout=timeout) as http,
        http.get(f"{patient.url}/ping", allow_redirects=False) as response,
    ):
        if response.status in {502, 503, 504}:
            chart.warn(
                f"a gateway before it answers {response.status}",
                "The service may be starting or down; try again in a minute.",
            )
        return response.headers.get("Date", "")


def _unreachable(url: str, error: Exception, chart: Chart) -> None:
    host = urlsplit(url).hostname
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        chart.fail(f"there is no host called {host}", "Correct ODYSSEY_API_URL, or go online.")
    elif isinstance(error, (aiohttp.ClientSSLError, aiohttp.ClientConnectorCertificateError)):
        chart.fail(
            f"{host} shows no certificate that is trusted here",
            "A proxy may stand between: let Python trust its certificate (SSL_CERT_FILE).",
        )
    elif isinstance(error, TimeoutError):
        chart.fail(
            f"{url} did not answer within {ANSWER_SECONDS:g} s",
            f"A firewall may drop what goes to {host}; allow https to it.",
        )
    else:
        here = is_loopback(url)
        remedy = "`odyssey-nb serve` starts one." if here else "Correct ODYSSEY_API_URL."
        if not here and any(name.lower() == "https_proxy" for name in settings_told()):
            remedy += " HTTPS_PROXY is set, and not used: a direct way is needed."
        chart.fail(f"nothing answers at {url}", remedy)


async def _key(patient: Patient, chart: Chart) -> str:
    """Exchange the key; return the token."""
    words = f"the key from {patient.key_from}" if patient.key_from else "the key that was given"
    try:
        async with Control.open(patient.url, patient.api_key) as control:
            token = await control.access_token()
    except AuthError:
        chart.fail(
            f"{words} ({len(patient.api_key)} characters) is refused by {patient.url}",
            f"Make another where the service is run, and give it to `{spell('login')}`.",
            of="key",
        )
        return ""
    except OdysseyNBError as error:
        chart.fail(str(error), error.hint, of="key")
        return ""
    patient.admitted = True
    chart.ok(f"{words} is taken", of="key")
    return token


def _clock(date: str, now: float, token: str, chart: Chart) -> None:
    """Compare this machine's time with what the service says, and with its token."""
    ahead: list[tuple[float, str]] = []
    if date:
        ahead.append((now - parsedate_to_datetime(date).timestamp() - 0.5, "service"))
    try:
        claims = jwt.decode(token, options={"verify_signature": False}) if token else {}
    except jwt.InvalidTokenError:
        claims = {}  # it is the service's own affair what a token looks like
    if isinstance(claims.get("iat"), (int, float)):
        ahead.append((now - claims["iat"] - 0.5, "token"))
    if not ahead:
        chart.skip("the service does not say what time it is", of="clock")
        return
    skew, whose = max(ahead, key=lambda each: abs(each[0]))
    side = "ahead of" if skew > 0 else "behind"
    text = f"this machine's clock is {clocked(abs(skew))} {side} the {whose}'s"
    remedy = f"Set it: {SET_CLOCK.get(sys.platform, 'let it follow a time server')}."
    if abs(skew) >= SKEW_PROBLEM:
        chart.fail(f"{text}; tokens count as expired or not yet valid", remedy, of="clock")
    elif abs(skew) >= SKEW_WARNING:
        chart.warn(text, remedy, of="clock")
    else:
        chart.ok(f"as the service's, within {max(1.0, abs(skew)):.0f} s", of="clock")


async def account(patient: Patient, chart: Chart) -> None:
    """What the account may and has used."""
    if patient.in_the_way:
        chart.skip(patient.in_the_way)
        return
    try:
        async with Control.open(patient.url, patient.api_key) as control:
            usage = await control.usage()
    except NotFoundError:
        chart.skip("the service does not tell; the account's page does")
        return
    hours = usage.stream_hours + usage.simulation_hours
    month = f" of {usage.monthly_hours:g}" if usage.monthly_hours is not None else ""
    text = (
        f"{usage.concurrent_streams} of {usage.concurrent_limit} sessions are open; "
        f"{hours:.2f}{month} hours used this month"
    )
    if usage.suspended is not None:
        chart.fail(f"it is suspended: {usage.suspended}", "Contact the operator of the service.")
    elif usage.monthly_hours is not None and hours >= FULL * usage.monthly_hours:
        chart.warn(text, f"The hours begin anew on {usage.period_end[:10]}.")
    elif usage.concurrent_streams >= usage.concurrent_limit:
        chart.warn(text, f"No other can be opened; `{spell('sessions')}` says who holds them.")
    else:
        chart.ok(text)
