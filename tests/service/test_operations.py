"""What those who run the service see: whether it is ready, its numbers, its end, its log."""

from __future__ import annotations

import asyncio
import re
import signal
import time
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.request import urlopen

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import select

from odyssey_nb.media.h264 import BITRATE
from odyssey_nb.service import metrics, readiness
from odyssey_nb.service.database import Database, sqlite_url
from odyssey_nb.service.limits import Limits
from odyssey_nb.service.pool import StreamerPool
from odyssey_nb.service.readiness import Probe
from odyssey_nb.service.sessions import SHUTDOWN, SessionTable
from odyssey_nb.service.storage import Storage
from tests.conftest import API_KEY, wait_until
from tests.service.raw_client import RawClient, reserve, until
from tests.service.running import OTHER_KEY, is_ready, running, streamers

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Service


BUSY = 3.0  # seconds by which a busy machine may be late


def scrape(service: Service) -> dict[str, float]:
    """Return the samples of a service, as ``name{label=value}``."""
    with urlopen(service.url + "/metrics", timeout=5) as response:
        assert response.headers["Content-Type"].startswith("text/plain")
        text = response.read().decode()
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f"{key}={value}" for key, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


def test_ready_while_a_streamer_is_warm(shared: Service) -> None:
    """A service whose warm streamer was killed is not ready until another one is warm."""
    wait_until(lambda: is_ready(shared), what="ready")
    (warm,) = streamers(shared.pid)
    warm.kill()
    wait_until(lambda: not is_ready(shared), what="not ready")
    wait_until(lambda: is_ready(shared), what="ready again")
    assert [each.pid for each in streamers(shared.pid)] != [warm.pid]


async def test_which_part_is_not_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each part that fails is named with its reason, and comes back when its cause is gone."""
    table = SessionTable(Limits(), streamers=1, clock=time.monotonic, on_end=lambda *_: None)
    storage = Storage(tmp_path / "media", "secret")
    monkeypatch.setattr(readiness, "ANSWER_SECONDS", 0.3)
    with Database.open(sqlite_url(tmp_path)) as database:
        async with StreamerPool.open() as pool:
            probe = Probe(table, pool, database, storage)
            parts = (await probe.ask()).parts
            assert parts["streamer"] == "none is warm"
            await pool.warm()
            all_well = await probe.ask()
            assert all_well.status == "ready"
            assert set(all_well.parts.values()) == {"ok"}

            async def lacking() -> dict[str, str]:
                found = await probe.ask()
                assert found.status == "not ready"
                return {part: said for part, said in found.parts.items() if said != "ok"}

            with Database.open(sqlite_url(tmp_path)) as other, other.begin() as writing:
                writing.execute(select(1))
                assert await lacking() == {"database": "does not answer"}
            monkeypatch.setattr(readiness, "FREE_BYTES", 10**18)
            assert list(await lacking()) == ["media"]
            monkeypatch.undo()
            storage.root.rmdir()
            assert await lacking() == {"media": "No such file or directory"}
            storage.root.mkdir()
            assert (await probe.ask()).status == "ready"
            table.close(SHUTDOWN)
            assert await lacking() == {"service": "stopping"}
            # As at the service's end: whoever still waits for the database ends before it closes.
            await asyncio.get_running_loop().shutdown_default_executor()


async def test_metrics_after_a_stream(shared: Service) -> None:
    """The numbers follow a session from its request to its end, and name nobody."""
    before = await asyncio.to_thread(scrape, shared)
    async with RawClient.connected(shared.url, API_KEY) as client:
        await client.start("a prompt that no label shows")
        during = await asyncio.to_thread(scrape, shared)
        assert during["odyssey_sessions{state=connected}"] == 1
        assert during["odyssey_streams"] == 1
        assert during["odyssey_stream_bitrate"] == BITRATE
        assert during["odyssey_stream_pictures_per_second"] == 20
        for _ in range(3):
            await client.picture()
        await client.end()
        session_id = client.reservation.session_id
    await until(lambda: shared.held == 0)

    def grew(name: str) -> float:
        return after.get(name, 0) - before.get(name, 0)

    after = await asyncio.to_thread(scrape, shared)
    assert after["odyssey_sessions{state=connected}"] == after["odyssey_streams"] == 0
    assert after["odyssey_stream_bitrate"] == after["odyssey_stream_pictures_per_second"] == 0
    assert grew("odyssey_sessions_ended_total{reason=client_disconnecting}") == 1
    assert grew("odyssey_streams_ended_total{reason=client}") == 1
    assert grew("odyssey_pictures_total") == grew("odyssey_encodes_total") >= 3
    asked = "odyssey_request_seconds_count{method=POST,route=/sessions/request,status=200}"
    assert grew(asked) == 1
    assert after["process_resident_memory_bytes"] > 10e6
    said = str(after)
    for secret in (session_id, API_KEY, "account", "no label"):
        assert secret not in said


def test_unknown_paths_are_one_label(shared: Service) -> None:
    """Whoever asks for what is not there cannot make the metrics grow."""
    for path in ("/one", "/two"):
        with pytest.raises(HTTPError):
            shared.ask("PURGE", path)
    found = [name for name in scrape(shared) if "status=404" in name and "_count" in name]
    assert found == ["odyssey_request_seconds_count{method=none,route=none,status=404}"]


def test_every_metric_is_documented(shared: Service) -> None:
    """What is scraped stands in the table that explains it, and the other way round."""
    assert metrics.__doc__ is not None
    explained = set(re.findall(r"``(odyssey_\w+)", metrics.__doc__))
    with urlopen(shared.url + "/metrics", timeout=5) as response:
        families = list(text_string_to_metric_families(response.read().decode()))
    names = {each.name + "_total" * (each.type == "counter") for each in families}
    ours = {name for name in names if name.startswith("odyssey_")}
    # When a labelled histogram began to count is a family of the library's own.
    assert ours - {"odyssey_request_seconds_created"} == explained


async def test_sigterm(tmp_path: Path) -> None:
    """The client hears of its stream's end, then why, then 4503; nothing is left after 5 s."""
    with running(tmp_path) as service:
        async with RawClient.connected(service.url, API_KEY) as client:
            started = await client.start("until the end")
            for _ in range(5):
                await client.picture()
            processes = streamers(service.pid)
            began = time.monotonic()
            service.process.send_signal(signal.SIGTERM)
            assert await client.told() == {"type": "error", "reason": "streamer_disconnected"}
            assert await client.closed() == 4503
            problem = await client.hear()
            assert problem["type"] == "interactive_stream_error"
            assert problem["reason"] == "service_shutdown"
            assert await client.hear() == {"type": "stream_ended"}
        assert await asyncio.to_thread(service.process.wait, 10) == 0
        took = time.monotonic() - began
        assert not any(each.is_running() for each in processes)
    assert took < 5
    folder = service.data_dir / "media" / started["stream_id"]
    assert sorted(each.name for each in folder.iterdir()) == [
        "events.jsonl", "preview.mp4", "thumbnail.jpg", "video.mp4",
    ]  # fmt: skip
    assert not re.search("WARNING|ERROR|Traceback", (tmp_path / "said").read_text())


async def test_sigterm_while_streamers_hang(tmp_path: Path) -> None:
    """The client hears why all the same, and no process outlives five seconds."""
    with running(tmp_path) as service:
        async with RawClient.connected(service.url, API_KEY) as client:
            await client.start("until it hangs")
            processes = streamers(service.pid)
            for each in processes:
                each.suspend()
            began = time.monotonic()
            service.process.send_signal(signal.SIGTERM)
            assert await client.told() == {"type": "error", "reason": "streamer_disconnected"}
            assert await client.closed() == 4503
            assert await asyncio.to_thread(service.process.wait, 10) == 0
            assert time.monotonic() - began < 5 + BUSY
            assert not any(each.is_running() for each in processes)


async def test_nothing_secret_is_logged(tmp_path: Path) -> None:
    """At its most talkative, the service writes down no key, token, signature or prompt."""
    prompt = "a prompt that nobody else may read"
    with running(tmp_path, "--log-level", "debug") as service:
        async with aiohttp.ClientSession() as http:
            secrets = [API_KEY, OTHER_KEY, (service.data_dir / "local.key").read_text().strip()]
            secrets.append((service.data_dir / "token.secret").read_text().strip())
            async with RawClient.connected(service.url, API_KEY) as client:
                started = await client.start(prompt)
                await client.post({"type": "nonsense", "token": client.reservation.session_token})
                client.send({"type": "update", "prompt": 1, "more": prompt})
                client.lose_socket()
                async with client.http.ws_connect(client.reservation.socket_url) as back:
                    await client.end()
                    await back.send_json({"type": "client_disconnecting"})
                    await back.receive()
                secrets.append(client.reservation.session_token)
            access = await asyncio.to_thread(service.token)
            secrets.append(access)
            headers = {"Authorization": f"Bearer {access}"}
            url = f"{service.url}/recordings/{started['stream_id']}"

            async def media() -> str:
                async with http.get(url, headers=headers) as response:
                    return str((await response.json()).get("video_url", ""))

            link = await media()
            async with http.get(link) as response:
                assert response.status == 200
            async with http.get(link[:-1]) as response:
                assert response.status == 403
            secrets.append(link.rpartition("signature=")[2])
            with pytest.raises(aiohttp.WSServerHandshakeError):
                await http.ws_connect(f"{service.url}/client/x?token={secrets[-2]}")
            refused = await reserve(http, service.url, OTHER_KEY)
            secrets.append(refused.session_token)
    said = (tmp_path / "said").read_text()
    assert "stream" in said, "it does talk"
    for secret in [*secrets, prompt]:
        assert len(secret) > 10
        assert secret not in said
