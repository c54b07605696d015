"""Simulations by the JavaScript SDK, as npm has it, in a real Chromium."""

from __future__ import annotations

import base64
import io
import urllib.request
from typing import Any

import av
import pytest
from PIL import Image

from odyssey_nb.service.worlds.test_pattern import prompt_hash, read
from tests.conftest import Service, wait_until
from tests.sdk.conftest import Application, OpenApplication, Rejected

pytestmark = pytest.mark.browser

SCRIPT = [
    {"timestamp_ms": 0, "start": {"prompt": "a red house"}},
    {"timestamp_ms": 500, "interact": {"prompt": "at night"}},
    {"timestamp_ms": 1000, "end": {}},
]
LONG = [SCRIPT[0], {"timestamp_ms": 20_000, "end": {}}]


@pytest.fixture
def application(service: Service, open_application: OpenApplication) -> Application:
    """An application that never connects: simulations need no connection."""
    return open_application(service.url)


def finish(application: Application, job: str) -> dict[str, Any]:
    """Poll as the documentation tells, until the job is completed."""

    def completed() -> dict[str, Any] | None:
        seen: dict[str, Any] = application.call("getSimulateStatus", job)
        assert seen["status"] in {"pending", "dispatched", "processing", "completed"}
        return seen if seen["status"] == "completed" else None

    return dict(wait_until(completed, seconds=60, what="the simulation"))


def pictures(stream: dict[str, Any]) -> list[Any]:
    """The decoded pictures of a result."""
    with (
        urllib.request.urlopen(stream["video_url"], timeout=10) as response,
        av.open(io.BytesIO(response.read())) as file,
    ):
        return [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]


def test_single_and_batch(application: Application) -> None:
    """Submitted, followed, listed; every picture of the results is the script's."""
    single = application.call("simulate", {"script": SCRIPT, "portrait": False})
    assert single["status"] == "pending"
    batch = application.call("simulate", {"scripts": [SCRIPT, SCRIPT[:1] + SCRIPT[2:]]})
    (stream,) = finish(application, single["job_id"])["streams"]
    prompts = [prompt_hash("a red house")] * 10 + [prompt_hash("at night")] * 10
    assert [read(each) for each in pictures(stream)] == list(enumerate(prompts))
    first, second = finish(application, batch["job_id"])["streams"]
    assert (first["script_index"], second["script_index"]) == (0, 1)
    assert pictures(first)[0].shape == (1280, 704, 3)
    assert {read(each)[1] for each in pictures(second)} == {prompt_hash("a red house")}

    listed = application.call("listSimulations", {"status": "completed", "limit": 2})
    assert [each["job_id"] for each in listed["jobs"]] == [batch["job_id"], single["job_id"]]
    assert application.call("listSimulations", {"active": True})["jobs"] == []


def test_image(application: Application) -> None:
    """A file is sent in the script, and the video begins with it."""
    buffer = io.BytesIO()
    Image.new("RGB", (1280, 704), (200, 30, 30)).save(buffer, "PNG")
    url = "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
    job = application.call("simulateFromFile", url, "a red room", 200)
    (stream,) = finish(application, job["job_id"])["streams"]
    found = pictures(stream)
    assert len(found) == 4
    assert abs(found[0][500, 900].astype(int) - (200, 30, 30)).max() < 12


def test_cancel(application: Application) -> None:
    """What waits is cancelled; what is under way, or unknown, is refused in words."""
    under_way = application.call("simulate", {"script": LONG})["job_id"]
    waiting = application.call("simulate", {"script": SCRIPT})["job_id"]
    assert application.call("cancelSimulation", waiting)["status"] == "cancelled"
    wait_until(
        lambda: application.call("getSimulateStatus", under_way)["status"] == "processing",
        what="the first picture",
    )
    for job in (under_way, waiting, "nothing"):
        with pytest.raises(Rejected):
            application.call("cancelSimulation", job)
    finish(application, under_way)


def test_refusals(application: Application) -> None:
    """The SDK passes on what the service says of a script, and of a privilege."""
    with pytest.raises(Rejected, match=r"script\[1\]: the last entry is an end"):
        application.call("simulate", {"script": SCRIPT[:2]})
    with pytest.raises(Rejected, match="may not bypass"):
        application.call("simulate", {"script": SCRIPT, "bypassPromptExpansion": True})
