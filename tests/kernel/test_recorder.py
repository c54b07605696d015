"""Recording here: every picture from the newest keyframe on, in a file that always plays."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import pytest

import odyssey_nb as ody
from odyssey_nb.errors import NoStreamError, UsageError
from odyssey_nb.kernel import recorder
from odyssey_nb.kernel.recorder import Recorder
from odyssey_nb.kernel.runtime import get_manager
from odyssey_nb.kernel.stream import Stream
from odyssey_nb.service.worlds.test_pattern import read
from tests.conftest import Service, wait_until


@pytest.fixture
def stream(service: Service) -> Iterator[Stream]:
    """A stream of the test pattern, with its first picture there."""
    yield ody.connect(url=service.url, api_key=service.api_key).start("a red house")
    get_manager().release_all("the test is over", budget=5)


def numbers(path: Path) -> list[int]:
    """Read the numbers of a file's pictures back from their pixels."""
    with av.open(str(path)) as file:
        return [read(frame.to_ndarray(format="rgb24"))[0] for frame in file.decode(video=0)]


def test_every_picture_is_recorded(stream: Stream, tmp_path: Path) -> None:
    """From a keyframe before it began to its last moment, none left out; it lasts as it did."""
    with stream.record_to(tmp_path / "walk.mp4") as recording:
        begun, _ = read(stream.frame())
        wait_until(lambda: recording.pictures > 45, what="pictures of three keyframes")
        wait_until(lambda: numbers(recording.path), what="a file that can be played already")
        ended, _ = read(stream.frame())
    assert not recording.running
    found = numbers(recording.path)
    assert len(found) == recording.pictures
    assert found == list(range(found[0], found[0] + len(found)))
    assert found[0] <= begun
    assert found[-1] >= ended
    with av.open(str(recording.path)) as file:
        length = float(file.duration / av.time_base)
    assert length == pytest.approx(recording.seconds, abs=0.2)
    assert recording.stop() == recording.path, "safe to call again"


def test_a_recording_ends_with_its_stream(
    stream: Stream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last picture is there, whoever waits is told, and the name is one that nothing had."""
    monkeypatch.chdir(tmp_path)
    over: list[Recorder] = []
    recording = stream.record_to(ended=over.append)
    wait_until(lambda: recording.pictures > 5, what="pictures")
    stream.end()
    wait_until(lambda: over, what="its end")
    assert over == [recording]
    assert recording.problem == ""
    assert recording.path.parent == tmp_path
    assert len(numbers(recording.path)) == recording.pictures
    with pytest.raises(NoStreamError):
        stream.record_to()


def test_a_recording_of_a_closed_connection_is_kept(stream: Stream, tmp_path: Path) -> None:
    """What was written until then can be played."""
    recording = stream.record_to(tmp_path / "walk.mp4")
    wait_until(lambda: recording.pictures > 5, what="pictures")
    stream.connection.disconnect()
    wait_until(lambda: not recording.running, what="its end")
    assert len(numbers(recording.stop())) == recording.pictures


def test_what_cannot_be_recorded(
    stream: Stream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another kind of file is refused, and a folder that is not there; no file is replaced."""
    with pytest.raises(UsageError, match=r"\.mp4"):
        stream.record_to(tmp_path / "walk.gif")
    with pytest.raises(UsageError, match="no folder"):
        stream.record_to(tmp_path / "nowhere" / "walk.mp4")
    monkeypatch.chdir(tmp_path)
    first = recorder.new_file("clip")
    first.touch()
    assert recorder.new_file("clip") != first


def test_the_network_is_counted(stream: Stream) -> None:
    """Packets that came are more each time, and on this machine none is lost."""
    from odyssey_nb.wire import link as wire

    def traffic() -> wire.Answer:
        return stream.connection.request(wire.Traffic, timeout=3)

    first = traffic()
    assert first.number > 0
    assert first.lost == 0
    wait_until(lambda: traffic().number > first.number, what="more packets")
