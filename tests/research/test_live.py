"""Responsiveness of a real stream, of a world whose delay is known."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import odyssey_nb as ody
from odyssey_nb import errors
from odyssey_nb.kernel.runtime import get_manager, runtime
from odyssey_nb.kernel.stream import Stream
from odyssey_nb.research import metrics
from tests.conftest import Serve

DELAY = 0.4  # seconds until a prompt shows
WORLD = f"""
from odyssey_nb.service.worlds.test_pattern import TestPattern, prompt_hash

class Late(TestPattern):
    said, due = None, 0.0

    def steer(self, prompt):
        self.said, self.due = prompt, None

    def paint(self, planes, *, step, time):
        if self.due is None:
            self.due = time + {DELAY}
        if self.said is not None and time >= self.due:
            self._prompt, self.said = self.said, None
        digest, left = prompt_hash(self._prompt), step * 8 % 1200
        planes.y[:], planes.u[:], planes.v[:] = 80 + digest % 80, digest % 240, digest // 240 % 240
        planes.y[:, left : left + 80] = 235
"""


@pytest.fixture
def stream(tmp_path: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stream]:
    """A stream of a world that takes its time, installed as a package is."""
    info = tmp_path / "worlds" / "late_world-1.dist-info"
    info.mkdir(parents=True)
    (info.parent / "late_world.py").write_text(WORLD)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: late-world\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[odyssey_nb.worlds]\nlate = late_world:Late\n")
    path = os.pathsep.join([str(info.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    monkeypatch.setenv("PYTHONPATH", path)
    service = serve("--limit", "stream_seconds=60", world="late")
    monkeypatch.setattr(runtime(), "manager", None)
    monkeypatch.setenv("ODYSSEY_API_URL", service.url)
    monkeypatch.setenv("ODYSSEY_API_KEY", service.api_key)
    yield ody.start("a quiet sea")
    get_manager().release_all("the test is over", budget=5)


@pytest.mark.slow
def test_a_known_delay_is_found(stream: Stream, tmp_path: Path) -> None:
    """Acknowledged at once and seen a world's delay later; saved, the clip still tells it."""
    found = metrics.respond(stream, ["red", "blue", "green"], window=1.0, rest=0.4)
    assert [words for _, words in found.prompts] == ["red", "blue", "green"]
    assert found.answered == 3
    assert found.null <= 0.1
    # One answer of twenty is chance and comes too soon, so the latest is the one to look at.
    seen = max(each for each in found.delays if each is not None)
    assert seen >= DELAY - 0.05, "not before the world shows it, but for half a picture"
    assert all(each is not None and 0 < each < seen for each in found.acknowledged)
    assert found.delay.n == found.acknowledgement.n == 3
    assert list(found.parts) == ["sent → acknowledged", "acknowledged → seen", "sent → seen"]

    clip = stream.last(30)
    said = [each for each in clip.events if each["type"] == "interact"]
    assert all(each["sent"] < each["acknowledged"] for each in said)
    late = [came - shown for came, shown in zip(clip.arrivals, clip.times, strict=True)]
    assert min(late) == pytest.approx(0, abs=1e-6)
    again = ody.clip(clip.save(tmp_path / "said.mp4"))
    assert [each.get("sent") for each in again.events] == pytest.approx(
        [each.get("sent") for each in clip.events]
    )
    assert metrics.responsiveness(again, window=1.0).answered == 3

    with pytest.raises(errors.UsageError, match="50 prompts take"):
        metrics.respond(stream, ["red"], repeats=50)
    stream.end()
    with pytest.raises(errors.NoStreamError):
        metrics.respond(stream, ["red", "blue"])
