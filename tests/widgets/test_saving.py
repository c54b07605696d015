"""What a Player's tools ask the kernel for: files, what happened, and how the network is."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import pytest

from odyssey_nb.widgets import saving
from tests.conftest import wait_until
from tests.widgets.test_player import Page, start  # noqa: F401 - a fixture


def pictures(data: bytes) -> int:
    """Count the pictures of a video."""
    with av.open(io.BytesIO(data)) as file:
        return sum(1 for _ in file.decode(video=0))


def fetch(page: Page, file: str) -> bytes:
    """Fetch a file, part after part."""
    data = b""
    while True:
        part = page.ask("file", file=file, start=len(data))
        assert part["ok"], part
        data += part["buffers"][0]
        if len(data) == part["size"]:
            return data


def told(page: Page, kind: str) -> list[dict[str, Any]]:
    """What the kernel told the page unasked, of one kind."""
    return [each for each in page.others if each["type"] == kind]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The kernel's working directory, where files are made."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_clip_is_saved_and_fetched(
    start: Callable[[], Any],  # noqa: F811
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The answer names a file beside the notebook; the page gets that one, and no other."""
    monkeypatch.setattr(saving, "PART_BYTES", 4096)
    stream, _, page = start()
    wait_until(lambda: stream.last(60).duration > 1.5, what="a clip's length")
    clip = page.ask("clip", seconds=1)
    assert clip["ok"]
    assert 1 <= clip["seconds"] < 2.5, "from the keyframe before"
    path = here / clip["file"]
    assert path.stat().st_size == clip["size"] > saving.PART_BYTES
    data = fetch(page, clip["file"])
    assert data == path.read_bytes()
    assert pictures(data) >= 20

    (here / "secret.mp4").write_bytes(b"secret")
    for name in ("secret.mp4", str(path), f"../{here.name}/{path.name}"):
        assert not page.ask("file", file=name, start=0)["ok"]
    path.unlink()
    assert "not here any more" in page.ask("file", file=clip["file"], start=0)["error"]
    assert not page.ask("clip", seconds=0)["ok"]
    stream.end()
    assert page.ask("clip", seconds=5)["error"] == "no stream runs"


def test_a_recording_begins_and_stops(start: Callable[[], Any], here: Path) -> None:  # noqa: F811
    """All views know that one runs; whoever ends it, all are told which file it is."""
    stream, player, page = start()
    assert page.ask("record")["ok"]
    assert player.recording_since > 0
    assert "already" in page.ask("record")["error"]
    recorder = player._saving._recorder
    wait_until(lambda: recorder.pictures > 5, what="pictures")
    assert page.ask("stop_recording")["ok"]
    (over,) = wait_until(lambda: told(page, "recorded"), what="the file's name")
    assert player.recording_since == 0
    assert over["error"] == ""
    assert pictures((here / over["file"]).read_bytes()) == recorder.pictures

    assert page.ask("record")["ok"]
    wait_until(lambda: player._saving._recorder.pictures, what="pictures")
    stream.end()
    _, second = wait_until(lambda: len(told(page, "recorded")) > 1 and told(page, "recorded"))
    assert player.recording_since == 0
    assert second["file"] != over["file"]
    assert second["seconds"] > 0


def test_what_happened_is_told_once_and_on_demand(start: Callable[[], Any]) -> None:  # noqa: F811
    """Views hear of prompts and marks as they happen, one that comes later what was before."""
    stream, _, page = start()
    before = page.ask("happenings")["happenings"]
    assert [(each["kind"], each["text"]) for each in before] == [("start", "a forest")]
    page.others.clear()
    stream.interact("snow")
    stream.mark("odd!")
    wait_until(lambda: len(told(page, "happening")) == 2, what="what happened")
    snow, odd = told(page, "happening")
    assert (snow["kind"], snow["text"]) == ("interact", "snow")
    assert (odd["kind"], odd["text"]) == ("mark", "odd!")
    assert before[0]["at"] < snow["at"] < odd["at"]
    assert 0 <= snow["time"] <= odd["time"]
    assert [each["at"] for each in page.ask("happenings")["happenings"]] == [
        before[0]["at"], snow["at"], odd["at"],
    ]  # fmt: skip
    stream.connection.disconnect()
    assert not page.ask("traffic")["ok"]


def test_the_network_is_told(start: Callable[[], Any]) -> None:  # noqa: F811
    """The figures say how many packets came, and how many did not."""
    _, _, page = start()
    traffic = page.ask("traffic")
    assert traffic["ok"]
    assert traffic["number"] > 0
    assert traffic["lost"] == 0
