"""Sweeps against a real service: full queue, nothing lost, nothing repeated."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.error import HTTPError

import pytest

import odyssey_nb as ody
from odyssey_nb import errors, metrics, verbs
from odyssey_nb.kernel.runtime import get_manager, runtime
from odyssey_nb.research.sweep.live import Stage
from odyssey_nb.research.sweep.store import Note, State, Store
from odyssey_nb.research.sweep.sweep import Sweep
from odyssey_nb.wire.simulations import ACTIVE
from tests.conftest import Service, wait_until
from tests.kernel.conftest import kernel_for
from tests.service.running import running

pytestmark = pytest.mark.newest

QUEUE = 3


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service for the module, with a short queue."""
    folder = tmp_path_factory.mktemp("sweeps")
    with running(folder, "--limit", f"simulation_queue={QUEUE}") as service:
        yield service


@pytest.fixture(autouse=True)
def target(shared: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Cells go to that service, and their notebook is in a directory of its own."""
    monkeypatch.setattr(runtime(), "manager", None)
    monkeypatch.setenv("ODYSSEY_API_URL", shared.url)
    monkeypatch.setenv("ODYSSEY_API_KEY", shared.api_key)
    monkeypatch.chdir(tmp_path)
    yield
    get_manager().release_all("the test is over", budget=5)


def jobs(service: Service) -> list[dict[str, Any]]:
    """The account's simulations, counted at the service."""
    return list(service.ask("GET", "/simulation-jobs?limit=100", token=service.token())["jobs"])


def active(service: Service) -> int:
    """How many of them wait or run."""
    return sum(each["status"] in ACTIVE for each in jobs(service))


@contextmanager
def seen(figure: Callable[[], int]) -> Iterator[set[int]]:
    """Look at a figure again and again during the body, and give all that it was."""
    found, over = set[int](), threading.Event()

    def look() -> None:
        while not over.wait(0.1):
            found.add(figure())

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield found
    finally:
        over.set()
        watcher.join()


@pytest.mark.slow
def test_a_sweep_comes_home(shared: Service, capsys: pytest.CaptureFixture[str]) -> None:
    """Estimated, run with the queue full and no fuller, and read as tables, grid and selections."""
    before = len(jobs(shared))
    sweep = ody.sweep("a {colour} wall", colour=["red", "blue"], repeats=3, seconds=0.2)
    assert repr(sweep.estimate).startswith("runs                6\nseconds of world    1.2\n")
    assert sweep.estimate.at_once == QUEUE
    assert repr(sweep).splitlines()[0] == "sweep a-colour-wall: 6 runs, 6 waiting"

    with seen(lambda: active(shared)) as queue:
        assert sweep.run() is sweep
    assert max(queue) == QUEUE
    assert len(jobs(shared)) == before + 6
    said = capsys.readouterr().out
    assert said.startswith("sweep a-colour-wall: 6 runs, 1.2 seconds of world")

    table = sweep.table(sharpness=metrics.sharpness, pictures=len)
    assert [row["pictures"] for row in table] == [4] * 6
    assert all(row["sharpness"] > 0 and row["status"] == "done" for row in table)
    assert list(table[0]) == ["colour", "repeat", "status", "sharpness", "pictures"]
    assert table.to_pandas().groupby("colour")["sharpness"].count().tolist() == [3, 3]
    assert table._repr_html_().count("<tr") == 7
    (red, blue) = sweep.summary(sharpness=metrics.sharpness)
    assert (red["colour"], red["n"]) == ("red", 3)
    assert blue["sharpness"].low <= blue["sharpness"].mean <= blue["sharpness"].high

    assert [clip.prompts for clip in sweep[:2].clips] == [("a red wall",)] * 2
    grid = sweep.select(repeat=1).grid(width=320)
    assert len(grid) == 4
    assert [each["text"] for each in grid.events] == [
        "red, #1: a red wall",
        "blue, #1: a blue wall",
    ]
    html = sweep._repr_html_()
    assert "6 done" in html
    assert shared.api_key not in html

    assert ody.sweep("a {colour} wall", colour=["red"], repeats=3, seconds=0.2).run().done
    assert "nothing is left to run" in capsys.readouterr().out
    assert len(jobs(shared)) == before + 6


def test_failures_and_retry(shared: Service, capsys: pytest.CaptureFixture[str]) -> None:
    """What the service refuses is listed with its reason, the rest runs, and retry tries again."""
    sweep = ody.sweep("a wall", seconds=[0.1, 151])
    sweep.run()
    (failed,) = sweep.failures
    assert failed["seconds"] == 151
    assert "the video would last 151 s" in failed["reason"]
    assert "1 failed: see .failures" in capsys.readouterr().out
    assert len(sweep.clips) == 1
    with pytest.raises(errors.UsageError, match="this run is failed: script"):
        sweep[1].clip()
    count = len(jobs(shared))
    assert len(sweep.retry().failures) == 1
    assert len(jobs(shared)) == count
    assert repr(sweep[:1].failures) == "no run has failed"


def test_cancel_interrupt_and_go_on(
    shared: Service, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C leaves the queue as it is, cancel calls off what waits, and run goes on."""
    sweep = ody.sweep("a {n} wall", n=range(4), seconds=2)

    def interrupt(_seconds: float) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        # The name there and not the function, which threads that reap processes use as well.
        clock = SimpleNamespace(sleep=interrupt, monotonic=time.monotonic)
        patched.setattr("odyssey_nb.research.sweep.sweep.time", clock)
        with pytest.raises(KeyboardInterrupt):
            sweep.run()
    assert "3 simulations go on at the service" in capsys.readouterr().out
    assert sweep.estimate.left == 4
    sweep.cancel()
    states = [run.status for run in sweep]
    assert states.count("waiting") >= 2
    with pytest.raises(errors.AnswerTimeoutError, match=r"of 4 runs are not over after 0 s"):
        sweep.run(timeout=0)
    assert [run.status for run in sweep.run(timeout=60)] == ["done"] * 4


def test_one_at_a_time(tmp_path: Path) -> None:
    """A sweep that another kernel runs is not run a second time, and the error says who does."""
    sweep = ody.sweep("a wall", seconds=0.1)
    here = pytest.raises(errors.SweepBusyError, match="'a-wall' runs in this kernel")
    with Store(sweep.folder).locked(), here:
        sweep.run()
    code = (
        "import sys, pathlib; from odyssey_nb.research.sweep.store import Store\n"
        "with Store(pathlib.Path(sys.argv[1])).locked(): print('locked', flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(sweep.folder)], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, env={**os.environ, "JPY_SESSION_NAME": "other.ipynb"},
    ) as other:  # fmt: skip
        assert other.stdout is not None
        assert other.stdout.readline() == b"locked\n"
        said = f"in other.ipynb, pid {other.pid}"
        with pytest.raises(errors.SweepBusyError, match=said):
            sweep.run()
        other.kill()
    assert sweep.run().done


def test_what_was_asked_for_and_never_arrived(shared: Service) -> None:
    """A note of a request that is not at the service, nor will be, is no reason to wait."""
    sweep = ody.sweep("a lost wall", seconds=0.1)
    somebody = ody.simulate([(0, "start", "another wall"), (0.1, "end")])
    asked = Note(state=State.ASKED, after=None, since=time.time() - 60)
    Store(sweep.folder).write(sweep[0].key, asked)
    sweep.run(timeout=30)
    assert sweep[0].note.job != somebody.id
    assert sweep.clips[0].prompts == ("a lost wall",)


@pytest.mark.slow
def test_a_service_that_is_asked_too_often(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is told to come later does, and nothing is lost meanwhile."""
    folder = tmp_path / "slow"
    folder.mkdir()
    with running(folder, "--limit", "requests_per_second=2") as service:
        monkeypatch.setenv("ODYSSEY_API_URL", service.url)
        with pytest.raises(HTTPError, match="429"):  # from now on, and for a while
            for _ in range(30):
                service.ask("GET", "/usage", token=service.token())
        sweep = ody.sweep("a {n} wall", n=range(3), seconds=0.1).run(timeout=60)
        assert [run.status for run in sweep] == ["done"] * 3


CELL = """
import odyssey_nb as ody
sweep = ody.sweep("a {colour} wall, {n}", colour=["red", "green", "blue"], n=range(8), seconds=0.2)
sweep.run()
"""
CUT = """
import os, signal
from odyssey_nb.client.control import Control
simulate, count = Control.simulate, 0
async def cut(self, *args, **options):
    global count
    job = await simulate(self, *args, **options)
    count += 1
    if count == 15:
        os.kill(os.getpid(), signal.SIGKILL)  # the service has it, and nobody has noted that
    return job
Control.simulate = cut
"""


@pytest.mark.timeout(300)
def test_a_killed_kernel_loses_nothing_and_repeats_nothing(
    tmp_path: Path, machine: Path, tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Of 24 runs, over a queue of 10, there are 24 simulations, though its kernel was killed."""
    with running(tmp_path_factory.mktemp("killed")) as service:
        monkeypatch.setenv("ODYSSEY_API_URL", service.url)
        notes = tmp_path / "sweeps" / "a-colour-wall-n" / "runs"

        kernel = kernel_for(machine, "first")
        try:
            kernel.run(CUT)
            kernel.begin(CELL)
            wait_until(lambda: not kernel.manager.is_alive(), seconds=120, what="its end")
        finally:
            kernel.stop()
        assert len(jobs(service)) == 15
        asked = [path for path in notes.glob("*.json") if b'"asked"' in path.read_bytes()]
        assert len(asked) == 1
        wait_until(lambda: active(service) < 10, seconds=60, what="room in the queue")
        # Somebody else's simulation, as long, is not taken for the one that nobody has noted.
        other = ody.simulate([(0, "start", "another wall"), (0.2, "end")], wait=False)

        kernel = kernel_for(machine, "second")
        try:
            shown = kernel.run(CELL + "\n[run.status for run in sweep].count('done')", seconds=200)
            assert shown.splitlines()[-1] == "24"
            told = "[clip.prompts[0] for clip in sweep.clips] == [run.prompt for run in sweep]"
            assert kernel.run(told).strip() == "True"
        finally:
            kernel.stop()
        ours = {each["job_id"] for each in jobs(service)} - {other.id}
        assert len(ours) == 24
        assert Store(notes.parent).jobs() == ours


@pytest.mark.slow
def test_live(shared: Service) -> None:
    """The same runs play live, on several connections at once, and free them."""
    sweep = ody.sweep("a {n} wall", n=range(3), seconds=0.5, live=2)
    assert sweep.estimate.live
    with pytest.raises(errors.UsageError, match="needs its kernel"):
        sweep.run(wait=False)
    count = len(jobs(shared))
    with seen(lambda: shared.held) as held:
        sweep.run(timeout=60)
    assert max(held) == 2
    assert [run.status for run in sweep] == ["done"] * 3
    assert [clip.prompts[0] for clip in sweep.clips] == [f"a {n} wall" for n in range(3)]
    shared.wait_free()
    assert len(jobs(shared)) == count
    assert ody.sweep("a wall", seconds=0.1).run()[0].key != sweep[0].key


def test_live_gives_up_in_the_queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An interrupted sweep does not wait on until a streamer is free for it."""
    refusals, connect = list[str](), Stage._connect

    def over(_sweep: Sweep) -> int:
        held = get_manager()._find("queue 1")
        if held is not None and held.status == "connecting":
            raise KeyboardInterrupt
        return 0

    def connected(stage: Stage, name: str) -> object:
        try:
            return connect(stage, name)
        except errors.OdysseyNBError as error:
            refusals.append(str(error))
            raise

    monkeypatch.setattr(Sweep, "_over", over)
    monkeypatch.setattr(Stage, "_connect", connected)
    with running(tmp_path, "--streamers", "1") as service:
        monkeypatch.setenv("ODYSSEY_API_URL", service.url)
        monkeypatch.setenv("ODYSSEY_API_KEY", service.api_key)
        ody.connect("mine")
        sweep = ody.sweep("a wall", seconds=0.5, live=1, name="queue")
        with pytest.raises(KeyboardInterrupt):
            sweep.run()
        assert refusals == ["connecting was called off"]
        assert sweep[0].status == "waiting"
        assert service.held == 1
        ody.disconnect("mine")


def test_the_verb() -> None:
    """A line says the same as a call; numbers are numbers."""
    line = ["sweep", "a {colour} wall, {n:.1f}", "colour=red", "n=1,2", "--seconds", "0.1"]
    assert verbs.run([*line, "--estimate"]).runs == 2
    sweep = verbs.run(line)
    assert [run.prompt for run in sweep.done] == ["a red wall, 1.0", "a red wall, 2.0"]
    with pytest.raises(errors.UsageError, match="gives no values"):
        verbs.run(["sweep", "a {n} wall", "n"])
