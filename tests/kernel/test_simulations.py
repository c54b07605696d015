"""Simulations as a cell sees them, from a real service."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import av
import pytest

import odyssey_nb as ody
from odyssey_nb import errors
from odyssey_nb.kernel.runtime import runtime
from odyssey_nb.kernel.simulations import Simulation
from tests.conftest import Service, wait_until
from tests.kernel.conftest import Kernel
from tests.service.running import OTHER_KEY, running

SCRIPT = "0 start a misty forest\n0.5 interact it is snowing\n1 end"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service for the module."""
    with running(tmp_path_factory.mktemp("simulations")) as service:
        yield service


@pytest.fixture(autouse=True)
def target(shared: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cells go to that service, whichever the tests before have connected to."""
    monkeypatch.setattr(runtime(), "manager", None)
    monkeypatch.setenv("ODYSSEY_API_URL", shared.url)
    monkeypatch.setenv("ODYSSEY_API_KEY", shared.api_key)


def test_a_simulation_comes_home(tmp_path: Path, shared: Service) -> None:
    """A cell waits for it with a bar and has its recording, as of any stream."""
    simulation = ody.simulate(SCRIPT)
    assert simulation.status == "completed"
    assert simulation.progress == (20, 20)
    assert simulation.wait() is simulation
    (recording,) = simulation.recordings
    assert (recording.width, recording.height, recording.duration) == (1280, 704, 1.0)
    assert [each["type"] for each in recording.events()] == ["start", "interact", "end"]
    with av.open(str(recording.save(tmp_path / "forest.mp4"))) as file:
        assert sum(1 for _ in file.decode(video=0)) == 20
    assert repr(simulation) == f"<Simulation {simulation.id[:8]} completed, 20 of 20 pictures>"
    html = simulation._repr_html_()
    assert html.count("data:image/jpeg;base64,") == 1
    assert "20 / 20" in html
    for secret in ("signature", shared.api_key, "http"):
        assert secret not in html


def test_a_batch_without_waiting() -> None:
    """Several scripts are one simulation, whose recordings are in their order."""
    batch = [[(0, "start", "a sea"), (0.5, "end")], SCRIPT]
    simulation = ody.simulate(batch, orientation="portrait", wait=False)
    assert simulation.status in {"pending", "dispatched", "processing"}
    simulation.wait(30)
    assert [each.duration for each in simulation.recordings] == [0.5, 1.0]
    assert {(each.width, each.height) for each in simulation.recordings} == {(704, 1280)}
    newest = ody.simulations(limit=1)
    assert [each.id for each in newest] == [simulation.id]
    assert "completed, 30 of 30 pictures" in repr(newest)
    assert "30 / 30" in newest._repr_html_()


def test_cancelling() -> None:
    """One that waits is called off, again is no error, and whoever waits for it is told."""
    long = ody.simulate([(0, "start", "a"), (20, "end")], wait=False)
    waiting = ody.simulate(SCRIPT, wait=False)
    waiting.cancel()
    waiting.cancel()
    assert waiting.status == "cancelled"
    with pytest.raises(errors.SimulationCancelledError, match="was cancelled"):
        waiting.wait()
    wait_until(lambda: long.status == "processing", what="the first picture")
    with pytest.raises(errors.CannotCancelError, match="processing"):
        long.cancel()
    with pytest.raises(errors.AnswerTimeoutError, match=r"is processing after 0\.1 s"):
        long.wait(0.1)
    assert long.wait(60).status == "completed"


def test_twins() -> None:
    """Under .aio a simulation and its recording can be awaited; a wait may be called off."""

    async def follow() -> None:
        simulation = ody.simulate(SCRIPT, wait=False)
        with pytest.raises(errors.AnswerTimeoutError, match="after 0 s"):
            await simulation.aio.wait(timeout=0)
        waiting = asyncio.ensure_future(simulation.aio.wait())
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert await simulation.aio.wait(60) is simulation
        (recording,) = simulation.recordings
        events = await recording.aio.events()
        assert events[0]["type"] == "start"

    asyncio.run(follow())


def test_mistakes_are_typed(shared: Service) -> None:
    """A script is looked at before it is sent; what the service refuses is told in its words."""
    with pytest.raises(errors.ScriptError, match="line 2: the last entry is an end"):
        ody.simulate("0 start a\n3 interact b")
    with pytest.raises(errors.ScriptError, match=r"script\[1\]: the video would last 151 s"):
        ody.simulate([(0, "start", "a"), (151, "end")])
    with pytest.raises(ValueError, match="orientation"):
        ody.simulate(SCRIPT, orientation="upright")
    with pytest.raises(ValueError, match="1 to 100"):
        ody.simulations(0)
    image = "data:image/png;base64,AAAA"
    start = {"timestamp_ms": 0, "start": {"prompt": "a", "image": image}}
    with pytest.raises(errors.SimulationFailedError, match="image"):
        ody.simulate([start, {"timestamp_ms": 100, "end": {}}])
    with pytest.raises(errors.AuthError):
        ody.simulations(url=shared.url, api_key="ody_wrong")


def test_an_empty_list(shared: Service) -> None:
    """It says what fills it."""
    none = ody.simulations(url=shared.url, api_key=OTHER_KEY)
    assert "ody.simulate(script) runs one" in repr(none)
    assert none._repr_html_() is None


def test_an_interrupted_wait(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C ends the waiting at once; the simulation goes on, and the cell says how to."""
    simulation = ody.simulate([(0, "start", "a"), (5, "end")], wait=False)

    def interrupt(_seconds: float) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("odyssey_nb.kernel.simulations.time.sleep", interrupt)
        with pytest.raises(KeyboardInterrupt):
            simulation.wait()
    assert f"simulation {simulation.id[:8]} goes on" in capsys.readouterr().out
    assert not [each for each in threading.enumerate() if each.name.startswith("odyssey-api")]
    again = next(each for each in ody.simulations() if each.id == simulation.id)
    assert isinstance(again, Simulation)
    assert again.wait(60).status == "completed"


def test_the_magic(kernel: Kernel, shared: Service, tmp_path: Path) -> None:
    """A cell is a script, a line names a file, and mistakes are one line."""
    kernel.run(
        f"import os; os.environ['ODYSSEY_API_URL'] = {shared.url!r}; "
        f"os.environ['ODYSSEY_API_KEY'] = {shared.api_key!r}"
    )
    shown = kernel.run(f"%%odyssey simulate --portrait\n# snow\n{SCRIPT}\n")
    assert "completed, 20 of 20 pictures" in shown
    kernel.run("recording = _.recordings[0]")
    assert "704 × 1280" in kernel.run("recording")
    (tmp_path / "forest.txt").write_text(SCRIPT)
    shown = kernel.run(f'%odyssey simulate "{tmp_path / "forest.txt"}" --no-wait')
    assert "pending" in shown
    kernel.run("_.wait()")
    assert kernel.run("%odyssey simulations --limit 2").count("20 of 20 pictures") == 2
    shown = kernel.run("%%odyssey simulate\n0 start a\nsoon end")
    assert shown.strip().startswith("ScriptError: line 2: it begins with a time")
    assert "Traceback" not in shown
    assert "no script can be read" in kernel.run("%odyssey simulate nowhere.txt")
