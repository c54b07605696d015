"""What the client makes of the API's answers, given by a tiny server of the test's own."""

from __future__ import annotations

import socket
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from odyssey_nb import errors
from odyssey_nb.client import control as control_module
from odyssey_nb.client.control import Control
from odyssey_nb.client.reservation import reserve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

TOKEN = {"access_token": "token-1", "expires_in": 3600}
GRANT = {"session_id": "s", "signalling_url": "ws://127.0.0.1:1"}


@dataclass
class Api:
    """A server that answers by path, from lists that the test fills; the last answer repeats."""

    answers: dict[str, list[tuple[int, object]]] = field(default_factory=dict)
    asked: list[tuple[str, str, object]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)  # of every answer
    url: str = ""

    async def answer(self, request: web.Request) -> web.Response:
        """Answer, and note what was asked."""
        text = await request.text()
        body = await request.json() if text else None
        self.asked.append((request.path, request.headers.get("Authorization", ""), body))
        given = self.answers.get(request.path, [(200, TOKEN)])
        status, content = given.pop(0) if len(given) > 1 else given[0]
        if isinstance(content, str):
            return web.Response(status=status, text=content, headers=self.headers)
        return web.json_response(content, status=status, headers=self.headers)

    @classmethod
    @asynccontextmanager
    async def open(cls) -> AsyncIterator[Api]:
        """Serve on a free port."""
        api = cls()
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", api.answer)
        runner = web.AppRunner(app)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            host, port = runner.addresses[0][:2]
            api.url = f"http://{host}:{port}"
            yield api
        finally:
            await runner.cleanup()


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    """The server."""
    async with Api.open() as api:
        yield api


@pytest.fixture
async def control(api: Api) -> AsyncIterator[Control]:
    """The client's view of it."""
    async with Control.open(api.url, "ody_key") as control:
        yield control


def limit(code: str, **more: object) -> dict[str, object]:
    """Return the body of a 429 (protocol section 2.11)."""
    return {"detail": {"error": code, "message": f"{code} was reached", "action": "wait", **more}}


@pytest.mark.parametrize(
    ("status", "body", "kind", "text"),
    [
        (401, {"detail": "Invalid API key"}, errors.AuthError, "invalid api key"),
        (403, {"detail": "API key access denied."}, errors.AuthError, "api key access denied"),
        (403, "no JSON at all", errors.AuthError, "the api key was refused"),
        (404, {"detail": "Session not found"}, errors.ConnectError, "Session not found"),
        (422, {"detail": "malformed"}, errors.ConnectError, "422: malformed"),
        (429, limit("CONCURRENT_LIMIT_REACHED"), errors.ConcurrentLimitError, "was reached"),
        (429, limit("MONTHLY_LIMIT_REACHED"), errors.MonthlyLimitError, "was reached"),
        (429, limit("STREAM_DURATION_EXCEEDED"), errors.StreamLimitError, "was reached"),
        (429, limit("ACCOUNT_SUSPENDED"), errors.SuspendedError, "was reached"),
        (429, limit("RATE_LIMITED"), errors.RateLimitError, "was reached"),
        (429, limit("OF_TOMORROW"), errors.LimitError, "was reached"),
        (429, limit("RATE_LIMITED")["detail"], errors.RateLimitError, "was reached"),
        (429, {"detail": {"code": "RATE_LIMITED"}}, errors.RateLimitError, "limit is reached"),
        (429, {"detail": "Maximum concurrent sessions (5) reached"}, errors.LimitError, "(5)"),
        (429, [], errors.LimitError, "limit is reached"),
        (500, "Internal Server Error", errors.ConnectError, "answered 500"),
        (502, {"detail": "bad 401 gateway"}, errors.ConnectError, "bad 401 gateway"),
        (503, {"detail": "No streamer is free"}, errors.NoStreamerError, "no streamer is free"),
        (200, "no JSON at all", errors.ConnectError, "does not speak the protocol"),
        (200, {}, errors.ConnectError, "does not speak the protocol"),
        (200, {"session_id": 3, "signalling_url": "x"}, errors.ConnectError, "does not speak"),
    ],
)
async def test_refusals(
    api: Api,
    control: Control,
    status: int,
    body: object,
    kind: type[errors.OdysseyNBError],
    text: str,
) -> None:
    """Each status and code is one type, decided by numbers and codes and never by words."""
    api.answers["/sessions/request"] = [(status, body)]
    with pytest.raises(errors.OdysseyNBError) as caught:
        await control.request_session()
    assert type(caught.value) is kind
    assert text in str(caught.value)
    assert "ody_key" not in repr(caught.value)
    assert "token-1" not in repr(caught.value)


@pytest.mark.parametrize(
    ("details", "header", "seconds"),
    [({"retry_after_seconds": 1.5}, "9", 1.5), ({}, "9", 9), (None, "soon", None)],
)
async def test_a_refusal_says_when_to_come_again(
    api: Api, control: Control, details: object, header: str, seconds: float | None
) -> None:
    """In its body, or in the header that HTTP has for it, or not at all."""
    api.answers["/sessions"] = [(429, limit("RATE_LIMITED", details=details))]
    api.headers["Retry-After"] = header
    with pytest.raises(errors.RateLimitError) as caught:
        await control.sessions()
    assert caught.value.retry_after == seconds


async def test_token_is_kept_and_renewed(api: Api, control: Control) -> None:
    """One exchange serves many requests; after a 401, the next request exchanges the key again."""
    api.answers["/sessions"] = [(200, {"sessions": []}), (401, {"detail": "expired"}), (200, {})]
    api.answers["/auth/token"] = [(200, TOKEN), (200, {"access_token": "token-2"})]
    await control.sessions()
    with pytest.raises(errors.AuthError):
        await control.sessions()
    await control.sessions()
    assert [(path, auth) for path, auth, _ in api.asked] == [
        ("/auth/token", ""),
        ("/sessions", "Bearer token-1"),
        ("/sessions", "Bearer token-1"),
        ("/auth/token", ""),
        ("/sessions", "Bearer token-2"),
    ]
    assert api.asked[0][2] == {"api_key": "ody_key"}


async def test_short_lived_token_is_exchanged_each_time(api: Api, control: Control) -> None:
    """A token within a minute of its end counts as expired."""
    api.answers["/auth/token"] = [(200, {**TOKEN, "expires_in": 30})]
    api.answers["/sessions"] = [(200, {"sessions": []})]
    await control.sessions()
    await control.sessions()
    assert [path for path, _, _ in api.asked].count("/auth/token") == 2


async def test_answers_may_have_more_fields(api: Api, control: Control) -> None:
    """Unknown fields and missing optional ones are no obstacle."""
    api.answers["/sessions/request"] = [(200, {**GRANT, "of_tomorrow": {"deep": [1]}})]
    grant = await control.request_session()
    assert (grant.session_id, grant.image_to_video) == ("s", False)
    assert grant.longest_stream is None


@pytest.mark.parametrize(
    ("capabilities", "able"), [(None, False), ("all", False), ({"image_to_video": True}, True)]
)
async def test_a_grant_is_read_whatever_comes_with_it(
    api: Api, control: Control, capabilities: object, able: bool
) -> None:
    """A streamer is reserved by then, so an odd field must not make us forget its name."""
    odd = {"capabilities": capabilities, "model": {"a": 1}, "region": 7, "stream_seconds": "long"}
    api.answers["/sessions/request"] = [(200, {**GRANT, **odd})]
    grant = await control.request_session()
    assert grant.session_id == "s"
    assert grant.image_to_video is able
    assert grant.longest_stream is None


async def test_nobody_there() -> None:
    """A port where nobody listens is a connection error that names the address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        async with Control.open(url, "ody_key") as control:
            with pytest.raises(errors.ConnectError, match=url):
                await control.authenticate()


@pytest.mark.parametrize(
    "url", ["", "nonsense", "http://", "http://[", "ftp://example", "http://a b"]
)
async def test_nonsense_addresses(url: str) -> None:
    """An address that cannot be asked is a connection error too, not a failure of ours."""
    async with Control.open(url, "ody_key") as control:
        with pytest.raises(errors.ConnectError):
            await control.authenticate()


async def test_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that accepts and never answers is given up after the deadline."""
    monkeypatch.setattr(control_module, "REQUEST_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        async with Control.open(url, "ody_key") as control:
            with pytest.raises(errors.ConnectError, match="did not answer in time"):
                await control.authenticate()


async def test_queue(api: Api, control: Control) -> None:
    """While no streamer is free, the client asks again until one is."""
    busy = (503, {"detail": "No streamer is free"})
    api.answers["/sessions/request"] = [busy, (200, GRANT)]
    grant = await reserve(control, queue_timeout=5)
    assert grant.session_id == "s"
    assert [path for path, _, _ in api.asked].count("/sessions/request") == 2


async def test_queue_without_patience(api: Api, control: Control) -> None:
    """With no time to wait, the first refusal counts."""
    api.answers["/sessions/request"] = [(503, {"detail": "No streamer is free"})]
    with pytest.raises(errors.NoStreamerError, match="within 0 s"):
        await reserve(control, queue_timeout=0)
    assert [path for path, _, _ in api.asked].count("/sessions/request") == 1


async def test_ice_servers(api: Api, control: Control) -> None:
    """ICE servers come from the signaling server, with credentials; none on any failure."""
    servers = [
        {"urls": "stun:127.0.0.1:3478"},
        {"urls": ["turn:relay.example"], "username": "me", "credential": "secret"},
    ]
    api.answers["/config"] = [(200, {"iceServers": servers}), (200, "nonsense"), (200, {})]
    signaling = api.url.replace("http", "ws")
    stun, turn = await control.ice_servers(signaling + "/")
    assert stun.urls == "stun:127.0.0.1:3478"
    assert (turn.urls, turn.username, turn.credential) == (["turn:relay.example"], "me", "secret")
    assert await control.ice_servers(signaling) == []
    assert await control.ice_servers(signaling) == []
    assert await control.ice_servers("ws://127.0.0.1:1") == []
