"""No account sees another's anything: every route that the service tells of, with foreign ids."""

from __future__ import annotations

import asyncio
import re

import aiohttp
import pytest

from odyssey_nb.client.client import AsyncClient
from odyssey_nb.client.control import Control
from odyssey_nb.service.recordings import WHOLE_SECONDS
from odyssey_nb.wire.script import read_script
from tests.conftest import API_KEY, Service
from tests.service.raw_client import RawClient, Reservation, ask
from tests.service.running import OTHER_KEY


def filled(path: str, session_id: str, thing: str) -> str:
    """Return `path` with its names replaced by ids."""
    known = {"session_id": session_id, "name": "video.mp4"}
    return re.sub(r"\{(\w+)[^}]*\}", lambda found: known.get(found[1], thing), path)


async def test_foreign_ids_are_as_good_as_none(shared: Service) -> None:
    """Whatever is asked about somebody else's thing, the answer is that of a made-up id."""
    async with (
        AsyncClient.open(shared.url, API_KEY) as owner,
        Control.open(shared.url, API_KEY) as control,
        aiohttp.ClientSession(shared.url) as http,
    ):
        first = await owner.start("a forest")
        await owner.end()
        await control.recording(first.id)
        running = await owner.start("a sea")
        (session,) = (await control.sessions()).sessions
        script = [
            {"timestamp_ms": 0, "start": {"prompt": "a lake"}},
            {"timestamp_ms": 200, "end": {}},
        ]
        job = await control.simulate([read_script(script, longest=1)], portrait=False)
        theirs = {session.session_id, first.id, running.id, job.job_id}
        _, exchanged = await ask(http, "/auth/token", {"api_key": OTHER_KEY})
        headers = {"Authorization": f"Bearer {exchanged['access_token']}"}

        async def told(method: str, path: str, session_id: str, thing: str) -> tuple[int, str]:
            body = None if method in {"get", "head"} else {"session_id": session_id}
            where = filled(path, session_id, thing)
            # One's own recording is waited for, somebody else's must not even cost time.
            async with (
                asyncio.timeout(WHOLE_SECONDS),
                http.request(method, where, json=body, headers=headers) as response,
            ):
                text = await response.text(errors="replace")
            return response.status, text.replace(session_id, "ID").replace(thing, "ID")

        async with http.get("/openapi.json") as response:
            paths = (await response.json())["paths"]
        asked = {(method, path) for path, methods in paths.items() for method in methods}
        assert {
            ("delete", "/recordings/{stream_id}"),
            ("delete", "/simulation-jobs/{job_id}"),
        } <= asked
        for method, path in sorted(asked - {("post", "/sessions/request")}):
            for thing in (first.id, running.id, job.job_id):
                status, text = await told(method, path, session.session_id, thing)
                assert not [each for each in theirs if each in text], (method, path)
                if "{" in path or path == "/sessions/token":
                    made_up = await told(method, path, "no-such-session", "no-such-thing")
                    assert (status, text) == made_up, (method, path)
        assert (await control.recording(first.id)).stream_id == first.id
        assert (await control.simulation(job.job_id)).status != "cancelled"
        assert not owner.lost.done()
    shared.wait_free()


async def test_a_token_opens_no_other_socket(shared: Service) -> None:
    """Neither another account's token nor that of another session opens a session's socket."""
    async with (
        RawClient.open(shared.url, API_KEY) as mine,
        RawClient.open(shared.url, API_KEY) as second,
        RawClient.open(shared.url, OTHER_KEY) as theirs,
    ):
        for other in (second, theirs):
            crossed = Reservation(mine.reservation.grant, other.reservation.session_token)
            with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
                await other.http.ws_connect(crossed.socket_url)
            assert caught.value.status == 403
        assert (await mine.told())["type"] == "offer"
    shared.wait_free()
