"""One timeline, played live and as a simulation, recorded and played again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

import odyssey_nb as ody
from odyssey_nb import errors
from odyssey_nb.kernel.connection import Connection
from odyssey_nb.kernel.runtime import get_manager, runtime
from odyssey_nb.media.clip import Clip
from odyssey_nb.service.worlds.test_pattern import prompt_hash, read
from tests.conftest import Service, wait_until

pytestmark = pytest.mark.newest

TEXT = "0 start a forest\n0.6 interact it is snowing\n0.8 mark odd!\n2 end\n"


@pytest.fixture
def conn(service: Service, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    """This process's default connection."""
    monkeypatch.setattr(runtime(), "manager", None)
    monkeypatch.setenv("ODYSSEY_API_URL", service.url)
    monkeypatch.setenv("ODYSSEY_API_KEY", service.api_key)
    yield ody.connect()
    get_manager().release_all("the test is over", budget=5)


def test_one_script_two_ways(conn: Connection, service: Service, tmp_path: Path) -> None:
    """Live and as a simulation it gives a clip with the same prompts, marks and length."""
    script = ody.script(TEXT)
    live, simulated = script.play(), script.simulate()
    for clip in (live, simulated):
        assert isinstance(clip, Clip)
        assert clip.prompts == ("a forest", "it is snowing")
        assert [each["text"] for each in clip.events if each["type"] == "mark"] == ["odd!"]
        assert clip.times[0] == 0
        assert 0.6 < clip.duration < 2
        assert read(clip["snowing"].frames[-1])[1] == prompt_hash("it is snowing")
    assert simulated.duration == pytest.approx(1.95)
    assert conn.stream is None, "it ends with its script"
    assert ody.script(simulated) == script
    assert [verb for _, verb, _ in ody.script(live)] == ["start", "interact", "mark", "end"]
    assert len(ody.simulate([script, TEXT]).clips) == 2
    grid = ody.grid({"live": live, "simulated": simulated}, width=640)
    with av.open(str(grid.save(tmp_path / "both.mp4"))) as file:
        assert next(file.decode(video=0)).width == 640


def test_a_live_stream_is_a_script(conn: Connection) -> None:
    """What was said by hand plays again, and what is recorded meanwhile is a clip."""
    stream = conn.start("a sea")
    stream.record(0.6)
    assert stream.interact("a storm rises") == "a storm rises"
    stream.mark("here")
    clip = stream.record(0.5)
    assert 0 < clip.duration < 0.51
    script = stream.script
    assert [(verb, words) for _, verb, words in script] == [
        ("start", "a sea"), ("interact", "a storm rises"), ("mark", "here"), ("end", ""),
    ]  # fmt: skip
    assert script.play(conn).prompts == ("a sea", "a storm rises")
    assert not stream.active, "it was replaced"
    with pytest.raises(errors.NoStreamError):
        _ = stream.script
    with pytest.raises(errors.UsageError, match="recorded for up to 145 s"):
        conn.start("a sea").record(1000)
    conn.stream.end()


def test_a_recording_is_a_clip(conn: Connection) -> None:
    """A stream's recording has its pictures, prompts and marks, and its script with them."""
    stream = conn.start("a lake")
    stream.record(0.3)
    stream.interact("mist")
    stream.mark("odd!")
    last = stream.record(0.3)
    stream.end()
    clip = wait_until(
        lambda: [each for each in ody.recordings() if each.stream_id == stream.id],
        what="the recording",
    )[0].clip()
    assert clip.prompts == ("a lake", "mist")
    assert [each["type"] for each in clip.events] == ["start", "interact", "mark", "end"]
    assert np.array_equal(clip.at(last.times[0]), last.frames[0])
    assert [verb for _, verb, _ in ody.script(clip["mist"])] == ["start", "mark", "end"]


def test_it_may_start_from_an_image(conn: Connection) -> None:
    """The same image begins the world in both ways."""
    orange = np.full((704, 1280, 3), (230, 120, 20), np.uint8)
    script = ody.script("0 start a wall\n0.2 end", image=orange)
    for clip in (script.play(conn), script.simulate()):
        assert np.abs(clip.at(clip.times[0])[300, -60].astype(int) - orange[0, 0]).max() < 20


def test_what_cannot_be_played(conn: Connection) -> None:
    """A script that is too long for a stream is refused, and no stream is left behind."""
    with pytest.raises(errors.ScriptError, match=r"script\[1\]: it lasts 151 s"):
        ody.script([(0, "start", "a"), (151, "end")]).play(conn)
    assert conn.stream is None


def test_forms(tmp_path: Path) -> None:
    """Lines, tuples, the API's JSON and files come to the same; the API is told no marks."""
    script = ody.script(TEXT)
    tuples = list(script)
    assert tuples[1] == (0.6, "interact", "it is snowing")
    assert ody.script(tuples) == ody.script(script) == script
    assert repr(script) == TEXT.strip()
    assert script.duration == 2
    assert script.api == [
        {"timestamp_ms": 0, "start": {"prompt": "a forest"}},
        {"timestamp_ms": 600, "interact": {"prompt": "it is snowing"}},
        {"timestamp_ms": 2000, "end": {}},
    ]
    assert len(ody.script(script.api)) == 3
    pictured = ody.script(TEXT, image=np.zeros((704, 1280, 3), np.uint8))
    for name, each in (("walk.txt", script), ("walk.json", script), ("image.json", pictured)):
        assert ody.script(str(each.save(tmp_path / name))) == each
    with pytest.raises(errors.UsageError, match=r"\.txt or \.json"):
        script.save(tmp_path / "walk.yaml")
    with pytest.raises(errors.UsageError, match="no script can be read from"):
        ody.script(tmp_path / "none.txt")
    (tmp_path / "bad.json").write_text('[{"timestamp_ms": 0, "start": {"prompt": "a"}}, {}]')
    with pytest.raises(errors.ScriptError, match=r"bad.json\[1\]: .*timestamp_ms"):
        ody.script(tmp_path / "bad.json")
    with pytest.raises(errors.ScriptError, match="nobody knows"):
        ody.script(Clip([]))
