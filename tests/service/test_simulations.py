"""Simulations over HTTP, to recordings that libraries decode that are not ours."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import av
import numpy as np
import psutil
import pytest
from PIL import Image

from odyssey_nb.service.worlds.test_pattern import prompt_hash, read
from tests.conftest import Service, wait_until
from tests.service.running import OTHER_KEY, running, simulators

LEASE = ("--limit", "simulation_lease_seconds=4")
DONE = {"completed", "failed", "cancelled"}


def script(seconds: float = 1, prompt: str = "a red house", **more: Any) -> list[dict[str, Any]]:
    """A script without an interaction."""
    start = {"prompt": prompt, **more}
    return [{"timestamp_ms": 0, "start": start}, {"timestamp_ms": round(seconds * 1000), "end": {}}]


def steered(seconds: float = 3, at: float = 1.5) -> list[dict[str, Any]]:
    """A script with an interaction."""
    start, end = script(seconds)
    return [start, {"timestamp_ms": round(at * 1000), "interact": {"prompt": "at night"}}, end]


class Jobs:
    """The simulations of one account."""

    def __init__(self, service: Service, api_key: str | None = None) -> None:
        self.service = service
        self.token = service.token(api_key)

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Ask with the account's token."""
        return self.service.ask(method, path, body, self.token)

    def submit(self, **body: Any) -> str:
        """Submit as the SDKs do, and return the job's id."""
        answer = self.ask("POST", "/simulation-jobs", {"output_video": True} | body)
        assert answer["status"] == "pending"
        return str(answer["job_id"])

    def see(self, job: str) -> dict[str, Any]:
        """How far a job is."""
        return dict(self.ask("GET", f"/simulation-jobs/{job}"))

    def wait(self, job: str, *statuses: str) -> dict[str, Any]:
        """Wait until a job is over, or has one of `statuses`."""

        def reached() -> dict[str, Any] | None:
            seen = self.see(job)
            return seen if seen["status"] in (set(statuses) or DONE) else None

        return dict(wait_until(reached, seconds=60, what=f"{statuses or DONE}"))

    def refusal(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Status and detail of an answer that is a refusal."""
        request = urllib.request.Request(
            self.service.url + path,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.token}"},
            method=method,
        )
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(request, timeout=10).close()
        with caught.value as refusal:
            return refusal.code, json.loads(refusal.read())["detail"]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service for the module."""
    directory = tmp_path_factory.mktemp("simulations")
    with running(directory, "--allow-private-script-urls") as service:
        yield service


@pytest.fixture
def jobs(shared: Service) -> Jobs:
    """The simulations of the tests' own account."""
    return Jobs(shared)


def fetch(url: str) -> bytes:
    """Return what is at a signed URL."""
    with urllib.request.urlopen(url, timeout=10) as response:
        return bytes(response.read())


def decoded(video: bytes) -> list[tuple[int, int]]:
    """Picture number and prompt of every picture of a video of the test pattern."""
    with av.open(io.BytesIO(video)) as file:
        return [read(frame.to_ndarray(format="rgb24")) for frame in file.decode(video=0)]


def packets(video: bytes) -> list[tuple[float, str]]:
    """Time, in seconds, and content of every packet of a video."""
    with av.open(io.BytesIO(video)) as file:
        return [
            (float(packet.pts * packet.time_base), hashlib.sha256(bytes(packet)).hexdigest())
            for packet in file.demux(video=0)
            if packet.size
        ]


def test_a_simulation(jobs: Jobs) -> None:
    """From its script to a recording whose every picture is the one that the script asks for."""
    job = jobs.submit(portrait=False, script=steered(3, at=1.5))
    assert jobs.service.held == 0, "it takes nobody's slot"
    seen = jobs.wait(job)
    assert seen["status"] == "completed"
    assert seen["priority"] == "normal"
    assert seen["assigned_region"] == "local"
    assert seen["created_at"] <= seen["dispatched_at"] <= seen["started_at"] < seen["completed_at"]
    assert (seen["frames_done"], seen["frames_total"], seen["retry_count"]) == (60, 60, 0)
    assert "error_message" not in seen

    (stream,) = seen["streams"]
    assert stream["script_index"] == 0
    assert (stream["frame_count"], stream["duration_seconds"]) == (60, 3.0)
    pictures = decoded(fetch(stream["video_url"]))
    assert [number for number, _ in pictures] == list(range(60))
    shown = [prompt for _, prompt in pictures]
    assert shown == [prompt_hash("a red house")] * 30 + [prompt_hash("at night")] * 30
    times = [time for time, _ in packets(fetch(stream["video_url"]))]
    assert times == pytest.approx([number / 20 for number in range(60)])
    with av.open(io.BytesIO(fetch(stream["preview_url"]))) as preview:
        assert sum(1 for _ in preview.decode(video=0)) == 3
    with Image.open(io.BytesIO(fetch(stream["thumbnail_url"]))) as thumbnail:
        assert thumbnail.size == (320, 176)
    events = [json.loads(line) for line in fetch(stream["events_url"]).splitlines()]
    assert [(each["time"], each["type"]) for each in events] == [
        (0, "start"), (1.5, "interact"), (3, "end")
    ]  # fmt: skip

    recording = jobs.ask("GET", f"/recordings/{stream['stream_id']}")
    assert fetch(recording["video_url"]) == fetch(stream["video_url"])
    listed = jobs.ask("GET", "/stream-recordings")["recordings"]
    assert stream["stream_id"] in [each["stream_id"] for each in listed]
    usage = jobs.ask("GET", "/usage")
    assert usage["simulation_hours"] >= 3 / 3600
    assert usage["stream_hours"] == 0


def test_a_batch(jobs: Jobs) -> None:
    """Results come by the index of their script; the same script gives the same packets."""
    batch = [steered(1.25, at=0.5), script(1, "a blue house"), steered(1.25, at=0.5)]
    seen = jobs.wait(jobs.submit(scripts=batch))
    assert seen["status"] == "completed"
    assert (seen["frames_done"], seen["frames_total"]) == (70, 70)
    assert [each["script_index"] for each in seen["streams"]] == [0, 1, 2]
    videos = [fetch(each["video_url"]) for each in seen["streams"]]
    assert [len(decoded(each)) for each in videos] == [25, 20, 25]
    assert decoded(videos[1])[0] == (0, prompt_hash("a blue house"))
    assert packets(videos[0]) == packets(videos[2]) != packets(videos[1])
    with av.open(io.BytesIO(videos[0])) as file:
        assert (file.streams.video[0].width, file.streams.video[0].height) == (704, 1280)


def test_an_image(jobs: Jobs) -> None:
    """A script may start from one; what is none fails with words that say so."""
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), (200, 30, 30)).save(buffer, "PNG")
    url = "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
    good = jobs.submit(portrait=False, script=script(0.5, image=url))
    bad = jobs.submit(script=script(0.5, image="data:image/png;base64,AAAA"))
    (stream,) = jobs.wait(good)["streams"]
    with av.open(io.BytesIO(fetch(stream["video_url"]))) as file:
        frame = next(file.decode(video=0)).to_ndarray(format="rgb24")
    assert np.abs(frame[500, 900].astype(int) - (200, 30, 30)).max() < 12
    seen = jobs.wait(bad)
    assert seen["status"] == "failed"
    assert "image" in seen["error_message"]
    assert seen["streams"] == []


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({}, "exactly one of script, scripts and script_url"),
        ({"script": [], "scripts": []}, "exactly one of script, scripts and script_url"),
        ({"script": script(150.001)}, "script[1]: the video would last 150.001 s"),
        ({"scripts": [script(), steered(1, at=2)]}, "scripts[1][2]: 1000 ms comes before 2000 ms"),
        ({"script": script(prompt=" ")}, "script[0]: the prompt has no words"),
        ({"script_url": "ftp://example"}, "script_url: only http and https"),
        ({"script": "a forest"}, "script: a script is a list of entries"),
    ],
)
def test_a_script_that_is_refused(jobs: Jobs, body: dict[str, Any], says: str) -> None:
    """The answer names the entry; nothing waits."""
    status, detail = jobs.refusal("POST", "/simulation-jobs", body)
    assert status == 422
    assert detail.startswith(says)


def test_what_an_account_may_not(jobs: Jobs, service: Service) -> None:
    """Bypassing the expansion, and making the service ask around in its own network."""
    body = {"script": script(), "bypass_vlm_expansion": True}
    assert jobs.refusal("POST", "/simulation-jobs", body)[0] == 403
    body = {"script_url": f"{service.url}/healthz"}
    status, detail = Jobs(service).refusal("POST", "/simulation-jobs", body)
    assert (status, detail) == (422, "script_url: its address is not public")


def test_a_script_by_url(jobs: Jobs) -> None:
    """It is a script or a list of scripts."""
    content = {"/one": script(0.5), "/two": [script(0.5), script(0.5)]}

    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(content[self.path]).encode())

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as site:
        thread = Thread(target=site.serve_forever, args=(0.05,))
        thread.start()
        url = f"http://127.0.0.1:{site.server_port}"
        made = [jobs.submit(script_url=url + path) for path in content]
        site.shutdown()
        thread.join()
    assert [len(jobs.wait(job)["streams"]) for job in made] == [1, 2]


@pytest.mark.newest
def test_cancelling(jobs: Jobs) -> None:
    """Who waits can be cancelled, by its owner and once; who is under way cannot."""
    running_, waiting = jobs.submit(script=script(20)), jobs.submit(script=script())
    path = f"/simulation-jobs/{waiting}"
    assert Jobs(jobs.service, OTHER_KEY).refusal("DELETE", path)[0] == 404
    assert Jobs(jobs.service, OTHER_KEY).refusal("GET", path)[0] == 404
    answer = jobs.ask("DELETE", path)
    assert (answer["job_id"], answer["status"]) == (waiting, "cancelled")
    assert jobs.refusal("DELETE", path) == (400, "A job that is cancelled cannot be cancelled")
    assert jobs.refusal("DELETE", "/simulation-jobs/nothing")[0] == 404
    assert jobs.see(waiting)["streams"] == []
    jobs.wait(running_, "processing")
    status, detail = jobs.refusal("DELETE", f"/simulation-jobs/{running_}")
    assert (status, detail) == (400, "A job that is processing cannot be cancelled")
    assert jobs.wait(running_)["status"] == "completed"


def test_the_list(jobs: Jobs) -> None:
    """Newest first, by status and by page, and only one's own."""
    theirs = Jobs(jobs.service, OTHER_KEY)
    mine = [theirs.submit(script=script(0.5)) for _ in range(3)]
    theirs.ask("DELETE", f"/simulation-jobs/{mine[2]}")
    theirs.wait(mine[1])
    whole = theirs.ask("GET", "/simulation-jobs")
    assert [each["job_id"] for each in whole["jobs"]] == mine[::-1]
    assert (whole["total"], whole["limit"], whole["offset"]) == (3, 20, 0)
    page = theirs.ask("GET", "/simulation-jobs?limit=1&offset=2")
    assert [each["job_id"] for each in page["jobs"]] == mine[:1]
    for query, found in (
        ("status=cancelled", mine[2:]), ("status=failed", []), ("active=true", []),
        ("status=completed&active=false", mine[1::-1]),
    ):  # fmt: skip
        listed = theirs.ask("GET", f"/simulation-jobs?{query}")["jobs"]
        assert [each["job_id"] for each in listed] == found
    for query in ("limit=0", "limit=101", "offset=-1", "status=running"):
        assert theirs.refusal("GET", f"/simulation-jobs?{query}")[0] == 422


@pytest.mark.newest
def test_a_full_queue(jobs: Jobs) -> None:
    """The eleventh that waits or runs is refused, in the form of every limit; others may still."""
    made = [jobs.submit(script=script(0.1)) for _ in range(9)]
    made.append(jobs.submit(script=script(10)))
    status, detail = jobs.refusal("POST", "/simulation-jobs", {"script": script(0.1)})
    assert status == 429
    assert detail["error"] == "SIMULATION_QUEUE_FULL"
    assert detail["details"] == {"active_count": 10, "limit": 10}
    assert jobs.ask("GET", "/usage")["waiting_simulations"] == 10
    other = Jobs(jobs.service, OTHER_KEY)
    theirs = other.submit(script=script(0.1))
    for job in made[:-1]:
        jobs.wait(job)
    assert other.wait(theirs)["dispatched_at"] < jobs.wait(made[2])["dispatched_at"], (
        "they alternate"
    )
    jobs.wait(made[-1])


def test_a_worker_is_modest(jobs: Jobs) -> None:
    """It has the lowest priority, comes with the work, and goes with it."""
    job = jobs.submit(script=script(5))
    jobs.wait(job, "processing")
    (worker,) = simulators(jobs.service.pid)
    assert worker.nice() == 19
    jobs.wait(job)
    wait_until(lambda: not simulators(jobs.service.pid), what="the end of an idle worker")


@pytest.mark.newest
def test_killed_workers(jobs: Jobs) -> None:
    """A simulation whose worker dies is run once more, then fails; nothing half-made is left."""
    job = jobs.submit(script=script(100))
    for retries in (0, 1):
        jobs.wait(job, "processing")
        (worker,) = wait_until(lambda: simulators(jobs.service.pid), what="a worker")
        assert jobs.see(job)["retry_count"] == retries
        worker.kill()
        wait_until(lambda: jobs.see(job)["status"] != "processing", what="the loss being seen")
    seen = jobs.wait(job)
    assert (seen["status"], seen["retry_count"], seen["streams"]) == ("failed", 1, [])
    assert "lost twice" in seen["error_message"]
    recorded = {each["stream_id"] for each in jobs.ask("GET", "/stream-recordings")["recordings"]}
    theirs = Jobs(jobs.service, OTHER_KEY).ask("GET", "/stream-recordings")["recordings"]
    recorded |= {each["stream_id"] for each in theirs}
    media = jobs.service.data_dir / "media"
    wait_until(lambda: {each.name for each in media.iterdir()} == recorded, what="tidy media")


@pytest.mark.newest
def test_a_killed_service(tmp_path: Path) -> None:
    """Its successor goes on with what was unfinished, and keeps what was finished."""
    with running(tmp_path, *LEASE) as service:
        jobs = Jobs(service)
        job = jobs.submit(scripts=[script(0.5), script(20)])
        (kept,) = wait_until(
            lambda: (seen := jobs.see(job))["frames_done"] > 10 and seen["streams"],
            what="the second script",
        )
        (worker,) = simulators(service.pid)
        service.process.kill()
        service.process.wait()
        psutil.wait_procs([worker], timeout=5)
        assert not worker.is_running()
    with running(tmp_path, *LEASE) as service:
        jobs = Jobs(service)
        seen = jobs.wait(job)
        assert (seen["status"], seen["retry_count"]) == ("completed", 1)
        assert [each["frame_count"] for each in seen["streams"]] == [10, 400]
        assert seen["streams"][0]["stream_id"] == kept["stream_id"]
        assert decoded(fetch(seen["streams"][1]["video_url"]))[-1][0] == 399
        media = service.data_dir / "media"
        assert {each.name for each in media.iterdir()} == {
            each["stream_id"] for each in seen["streams"]
        }


@pytest.mark.newest
def test_a_service_that_stops_loses_nothing(tmp_path: Path) -> None:
    """What it was at waits for the next one, at no cost."""
    with running(tmp_path) as service:
        job = Jobs(service).submit(script=script(8))
        Jobs(service).wait(job, "processing")
        assert service.stop() == 0
    with running(tmp_path) as service:
        seen = Jobs(service).wait(job)
    assert (seen["status"], seen["retry_count"]) == ("completed", 0)
