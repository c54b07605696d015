"""The HTTP API over a real socket: who may do what, and how refusals look."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import struct
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp
import jwt
import pytest
from sqlalchemy import select

from odyssey_nb.service.database import Database, KeyRow, sqlite_url
from tests.conftest import API_KEY
from tests.service.running import OTHER_KEY, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from tests.conftest import Service

ORIGIN = "https://notebooks.example"


@dataclass
class Answer:
    """What came back; every answer of the API is checked for what all must have."""

    status: int
    body: Any
    headers: dict[str, str]


@dataclass
class Api:
    """Asks the API as a browser does, with an Origin."""

    http: aiohttp.ClientSession
    url: str

    async def ask(
        self, method: str, path: str, body: object = None, *, token: str = "", raw: bytes = b""
    ) -> Answer:
        """Send a request; `raw` goes out as it is."""
        headers = {"Origin": ORIGIN, "Content-Type": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        data = raw or (None if body is None else json.dumps(body).encode())
        async with self.http.request(
            method, self.url + path, data=data, headers=headers
        ) as response:
            text = await response.read()
            found = {name.lower(): value for name, value in response.headers.items()}
            assert found["access-control-allow-origin"] in {"*", ORIGIN}
            is_json = found["content-type"].split(";")[0] == "application/json"
            return Answer(response.status, json.loads(text) if is_json else text, found)

    async def token(self, key: str = API_KEY) -> str:
        """Exchange a key."""
        answer = await self.ask("POST", "/auth/token", {"api_key": key})
        return str(answer.body["access_token"])

    async def session(self, token: str) -> str:
        """Reserve a session."""
        return str(
            (await self.ask("POST", "/sessions/request", {}, token=token)).body["session_id"]
        )

    async def leave(self, session_id: str, token: str) -> None:
        """End a session as any client can: open its socket and say goodbye."""
        answer = await self.ask("POST", "/sessions/token", {"session_id": session_id}, token=token)
        session_token = answer.body["session_token"]
        url = f"{self.url}/client/{session_id}?token={session_token}"
        async with self.http.ws_connect(url) as ws:
            await ws.send_json({"type": "client_disconnecting"})
            while (await ws.receive()).type != aiohttp.WSMsgType.CLOSE:
                pass


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service with three streamers, of which an account may have two."""
    directory = tmp_path_factory.mktemp("control")
    with running(directory, "--streamers", "3", "--limit", "concurrent_streams=2") as service:
        yield service


@pytest.fixture
async def api(shared: Service) -> AsyncIterator[Api]:
    """The API of the shared service."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as http:
        yield Api(http, shared.url)


async def test_right_key(api: Api) -> None:
    """A known key becomes a bearer token that says how long it is good."""
    answer = await api.ask("POST", "/auth/token", {"api_key": API_KEY, "of_tomorrow": 1})
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.body["expires_in"] > 60
    assert answer.body["token_type"] == "bearer"
    assert answer.body["access_token"]


@pytest.mark.parametrize(
    "key", ["ody_wrong", "", API_KEY + "\n", API_KEY[:-1], " " + API_KEY, "\N{SNOWMAN}\0"]
)
async def test_wrong_key(api: Api, key: str) -> None:
    """A key that is not exactly one of ours is refused with 401 and a detail in words."""
    answer = await api.ask("POST", "/auth/token", {"api_key": key})
    assert answer.status == 401
    assert answer.headers["content-type"] == "application/json"
    assert answer.body == {"detail": "Invalid API key"}


@pytest.mark.parametrize(
    "raw",
    [b"{}", b"[]", b"nonsense", b'{"api_key": 7}', b'{"api_key": null}', b"\xff\xfe",
     b'{"api_key": "\\ud800"}', b"[" * 100_000],
    ids=["empty", "list", "nonsense", "number", "null", "bytes", "surrogate", "deep"],
)  # fmt: skip
async def test_malformed_key(api: Api, raw: bytes) -> None:
    """What is not the body of a key exchange is refused with 422."""
    answer = await api.ask("POST", "/auth/token", raw=raw)
    assert answer.status == 422
    assert isinstance(answer.body["detail"], str)


async def test_regions(api: Api) -> None:
    """There is a region whose address answers a plain GET, from any origin, without a token."""
    answer = await api.ask("GET", "/regions", token=await api.token())
    (region,) = answer.body["regions"]
    async with api.http.get(region["ping_url"], headers={"Origin": ORIGIN}) as response:
        assert response.status == 200
        assert "access-control-allow-origin" in response.headers


async def test_session_request(api: Api, shared: Service) -> None:
    """A reservation names the session, where to signal, and what the streamer can do."""
    token = await api.token()
    body = {"region_latencies": {"local": 3, "far": 9999}}
    answer = await api.ask("POST", "/sessions/request", body, token=token)
    assert answer.status == 200
    assert answer.body["signalling_url"] == shared.url.replace("http", "ws", 1)
    assert answer.body["capabilities"] == {"image_to_video": True}
    (mine,) = (await api.ask("GET", "/sessions", token=token)).body["sessions"]
    assert mine["session_id"] == answer.body["session_id"]
    assert mine["state"] == "reserved"
    await api.leave(answer.body["session_id"], token)
    shared.wait_free()


async def test_too_many_sessions(api: Api, shared: Service) -> None:
    """Over the account's limit, the 429 has the body that the official SDKs understand."""
    token = await api.token()
    mine = [await api.session(token), await api.session(token)]
    answer = await api.ask("POST", "/sessions/request", {}, token=token)
    assert answer.status == 429
    problem = answer.body["detail"]
    assert problem["error"] == "CONCURRENT_LIMIT_REACHED"
    assert problem["message"] == "Maximum concurrent sessions (2) reached"
    assert problem["action"]
    assert problem["details"] == {"active_count": 2, "limit": 2}
    for session_id in mine:
        await api.leave(session_id, token)
    shared.wait_free()


async def test_no_streamer_free(api: Api, shared: Service) -> None:
    """When every streamer is held, the next request is told 503, until one is free again."""
    one, two = await api.token(), await api.token(OTHER_KEY)
    held = [(await api.session(token), token) for token in (one, one, two)]
    answer = await api.ask("POST", "/sessions/request", {}, token=two)
    assert answer.status == 503
    assert isinstance(answer.body["detail"], str)
    await api.leave(*held.pop())
    held.append((await api.session(two), two))
    for session_id, token in held:
        await api.leave(session_id, token)
    shared.wait_free()


async def test_accounts_are_apart(api: Api, shared: Service) -> None:
    """Another account neither sees a session nor gets a token for it."""
    mine, theirs = await api.token(), await api.token(OTHER_KEY)
    session_id = await api.session(mine)
    assert (await api.ask("GET", "/sessions", token=theirs)).body == {"sessions": []}
    body = {"session_id": session_id}
    assert (await api.ask("POST", "/sessions/token", body, token=theirs)).status == 404
    assert (await api.ask("POST", "/sessions/token", {"session_id": "x"}, token=mine)).status == 404
    await api.leave(session_id, mine)
    shared.wait_free()


async def test_ending_a_session(api: Api, shared: Service) -> None:
    """Its owner ends a session, and its socket is told why; to anybody else there is none."""
    token, other = await api.token(), await api.token(OTHER_KEY)
    session_id = await api.session(token)
    for whose, path in ((other, session_id), (token, "no_such_session")):
        assert (await api.ask("DELETE", f"/sessions/{path}", token=whose)).status == 404
    listed = (await api.ask("GET", "/sessions", token=token)).body["sessions"]
    assert 590 < listed[0]["clocks"]["reservation_expired"] <= 600
    body = {"session_id": session_id}
    session_token = (await api.ask("POST", "/sessions/token", body, token=token)).body
    url = f"{api.url}/client/{session_id}?token={session_token['session_token']}"
    assert "port" not in listed[0], "nobody holds it yet"
    async with api.http.ws_connect(url) as socket:
        (listed,) = (await api.ask("GET", "/sessions", token=token)).body["sessions"]
        assert (listed["address"], listed["port"]) == socket.get_extra_info("sockname")
        async with api.http.delete(
            f"{api.url}/sessions/{session_id}", headers={"Authorization": f"Bearer {token}"}
        ) as response:
            assert response.status == 204
        said = [message.json() async for message in socket]
    assert said[-1] == {"type": "error", "reason": "ended_by_owner"}
    assert shared.held == 0


async def test_session_token_is_idempotent(api: Api, shared: Service) -> None:
    """Both tokens of a session that asked twice open its socket; each is a JWT with its session."""
    token = await api.token()
    session_id = await api.session(token)
    body = {"session_id": session_id}
    answers = [await api.ask("POST", "/sessions/token", body, token=token) for _ in range(2)]
    for answer in answers:
        assert answer.status == 200
        assert answer.body["expires_in"] == 600
        claims = jwt.decode(answer.body["session_token"], options={"verify_signature": False})
        assert claims["session_id"] == session_id
        assert claims["exp"] - claims["iat"] == 600
    first, second = (
        f"{api.url}/client/{session_id}?token={each.body['session_token']}" for each in answers
    )
    async with api.http.ws_connect(second) as older, api.http.ws_connect(first) as newer:
        while (await older.receive()).type != aiohttp.WSMsgType.CLOSE:
            pass
        await newer.send_json({"type": "client_disconnecting"})
        while (await newer.receive()).type != aiohttp.WSMsgType.CLOSE:
            pass
    shared.wait_free()


async def test_tokens_that_are_not_good(api: Api, shared: Service) -> None:
    """Expired, forged, foreign, malformed and missing tokens are all refused with 401."""
    token = await api.token()
    claims = jwt.decode(token, options={"verify_signature": False})
    secret = (shared.data_dir / "token.secret").read_text()
    now = int(time.time())
    bad = {
        "expired": jwt.encode({**claims, "iat": now - 20, "exp": now - 10}, secret),
        "forged": jwt.encode(claims, "not the secret, but as long as one has to be"),
        "unsigned": jwt.encode(claims, "", algorithm="none"),
        "for sockets": jwt.encode({**claims, "aud": "signaling"}, secret),
        "malformed": "no.token.here",
        "a key": API_KEY,
        "none": "",
    }
    for method, path in [
        ("GET", "/regions"), ("GET", "/sessions"), ("POST", "/sessions/request"),
        ("POST", "/sessions/token"),
    ]:  # fmt: skip
        body = {"session_id": "x"} if method == "POST" else None
        for what, each in bad.items():
            answer = await api.ask(method, path, body, token=each)
            assert answer.status == 401, (what, path)
            assert isinstance(answer.body["detail"], str)
    assert shared.held == 0


async def test_telemetry(api: Api) -> None:
    """Telemetry is accepted without a token, whatever it says."""
    answer = await api.ask("POST", "/telemetry", {"events": [{"event": "session_connecting"}]})
    assert answer.status == 202
    assert (await api.ask("POST", "/telemetry", raw=b"nonsense")).status == 202


async def test_ice_servers_are_ours_and_work(api: Api) -> None:
    """The configuration names one STUN server, our own, and it answers a binding request."""
    (server,) = (await api.ask("GET", "/config")).body["iceServers"]
    scheme, host, port = server["urls"].split(":")
    assert (scheme, host) == ("stun", "127.0.0.1")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.bind(("127.0.0.1", 0))
        asker.settimeout(2)
        asker.sendto(b"nonsense", (host, int(port)))
        transaction = os.urandom(12)
        asker.sendto(struct.pack("!HHI", 1, 0, 0x2112A442) + transaction, (host, int(port)))
        answer = asker.recv(1500)
        mine = asker.getsockname()[1]
    kind, _, cookie = struct.unpack("!HHI", answer[:8])
    assert (kind, cookie, answer[8:20]) == (0x0101, 0x2112A442, transaction)
    attribute, _, _, _, masked = struct.unpack("!HHBBH", answer[20:28])
    assert (attribute, masked ^ 0x2112) == (0x0020, mine)


@pytest.mark.parametrize(
    ("path", "method"),
    [("/auth/token", "POST"), ("/sessions/request", "POST"), ("/sessions/token", "POST"),
     ("/regions", "GET")],
)  # fmt: skip
async def test_preflight(api: Api, path: str, method: str) -> None:
    """A browser's preflight is answered for a while, and allows what the JavaScript SDK sends."""
    headers = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    async with api.http.options(api.url + path, headers=headers) as response:
        assert response.status == 200
        found = response.headers
        assert found["Access-Control-Allow-Origin"] in {"*", ORIGIN}
        allowed = found["Access-Control-Allow-Headers"].lower()
        assert "authorization" in allowed
        assert "content-type" in allowed
        assert method in found["Access-Control-Allow-Methods"]
        assert int(found["Access-Control-Max-Age"]) >= 600


async def test_errors_of_the_framework_are_json_with_cors(api: Api) -> None:
    """An unknown path and a wrong method are refused as readably as everything else."""
    for method, path, status in [("GET", "/nothing", 404), ("GET", "/auth/token", 405)]:
        answer = await api.ask(method, path)
        assert answer.status == status
        assert isinstance(answer.body["detail"], str)


async def test_health(api: Api, shared: Service) -> None:
    """Health says who answers, without a token and without naming anybody."""
    answer = await api.ask("GET", "/healthz")
    assert answer.status == 200
    assert set(answer.body) == {"status", "version", "pid", "sessions", "time"}
    assert answer.body["pid"] == shared.pid
    assert abs(answer.body["time"] - time.time()) < 5


async def test_secrets_stay_secret(tmp_path: Path) -> None:
    """Keys are kept as hashes in private files, and neither keys nor tokens are ever printed."""
    place = tmp_path / "place"
    place.mkdir()
    with running(place) as service:
        async with aiohttp.ClientSession() as http:
            api = Api(http, service.url)
            token = await api.token()
            await api.ask("POST", "/auth/token", {"api_key": "ody_wrong_key"})
            session_id = await api.session(token)
            body = {"session_id": session_id}
            answer = await api.ask("POST", "/sessions/token", body, token=token)
            session_token = answer.body["session_token"]
            for good in ("wrong", session_token):
                url = f"{api.url}/client/{session_id}?token={good}"
                try:
                    async with http.ws_connect(url):
                        pass
                except aiohttp.WSServerHandshakeError as error:
                    assert error.status == 403  # noqa: PT017
            await api.ask("GET", "/nothing?token=" + token, token=token)
        local = (service.data_dir / "local.key").read_text()
    secrets = [API_KEY, OTHER_KEY, token, session_token, "ody_wrong_key"]
    files = [path for path in place.rglob("*") if path.is_file()]
    assert {path.name for path in files} >= {"service.db", "token.secret", "local.key", "said"}
    for path in files:
        text = path.read_bytes().decode(errors="replace")
        assert not [secret for secret in secrets if secret in text], path
        assert path.name == "local.key" or local not in text
        assert path.name == "said" or path.stat().st_mode & 0o777 == 0o600, path
    assert service.data_dir.stat().st_mode & 0o777 == 0o700
    with Database.open(sqlite_url(service.data_dir)) as database, database.begin() as session:
        hashes = set(session.scalars(select(KeyRow.hash)))
    assert hashes == {
        hashlib.sha256(key.encode()).hexdigest() for key in (API_KEY, OTHER_KEY, local)
    }
