"""Work on clips, wherever it runs, and once."""

from __future__ import annotations

import functools
import gc
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest

from odyssey_nb import errors
from odyssey_nb.media.clip import Clip
from odyssey_nb.research import metrics
from odyssey_nb.research.sweep.store import Store
from odyssey_nb.research.sweep.work import compute, fingerprint
from tests.conftest import wait_until
from tests.media.colours import coloured

KEYS = ["one", "two", "three"]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Three clips in the folder of a sweep."""
    store = Store(tmp_path)
    for number, key in enumerate(KEYS, 2):
        store.keep_clip(key, Clip(coloured()[:number]))
    return store


def where(clip: Clip) -> tuple[int, int]:
    """Return how long a clip is, and in which process that was found out."""
    return len(clip), os.getpid()


def picky(clip: Clip) -> int:
    """Take no clip of three pictures."""
    if len(clip) == 3:
        raise ValueError("not this one")
    return len(clip)


def work(store: Store, function: Callable[[Clip], Any], executor: object = None) -> list[Any]:
    """Return what a function gives for each clip."""
    (found,) = compute([function], KEYS, store, executor, "test")
    return [found[key] for key in KEYS]


def test_processes_beside_the_kernel(store: Store) -> None:
    """Clips are worked on elsewhere; what was found is kept, and not computed again."""
    scale = 2
    found = work(store, lambda clip: (len(clip) * scale, os.getpid()))
    assert [length for length, _ in found] == [4, 6, 8]
    assert os.getpid() not in {pid for _, pid in found}
    assert work(store, lambda clip: (len(clip) * scale, os.getpid())) == found
    first = work(store, where)
    assert work(store, where) == first
    series = work(store, metrics.sharpness)
    assert [len(each) for each in series] == [2, 3, 4]


BUSY = """
import sys, time
from pathlib import Path
from odyssey_nb.research.sweep.store import Store
from odyssey_nb.research.sweep.work import compute
compute([lambda clip: time.sleep(600)], sys.argv[2:], Store(Path(sys.argv[1])), None, "busy")
"""


@pytest.mark.slow
def test_a_killed_process_leaves_none_behind(store: Store) -> None:
    """Processes that work for it end with it, in the middle of their work."""
    code = [sys.executable, "-c", BUSY, str(store.folder), *KEYS]
    with subprocess.Popen(code, stderr=subprocess.DEVNULL) as busy:
        process = psutil.Process(busy.pid)

        def workers() -> list[psutil.Process]:
            found = process.children(recursive=True)
            return [each for each in found if any("LokyProcess" in word for word in each.cmdline())]

        beside = wait_until(workers, seconds=60, what="a process that works")
        busy.kill()
    wait_until(lambda: not any(each.is_running() for each in beside), seconds=30, what="their end")


def test_an_executor_of_ones_own(store: Store) -> None:
    """Anything with `submit` will do; what does not submit is refused."""
    with ThreadPoolExecutor(2) as threads:
        assert work(store, where, threads) == [(n, os.getpid()) for n in (2, 3, 4)]
    with pytest.raises(TypeError, match="takes no work"):
        work(store, len, executor=3)


def test_a_failure_costs_only_itself(store: Store) -> None:
    """What a function raises is raised, and what it gave before is kept."""

    class Prompt:
        """Does the work before it returns, so that all of it is done in the same moment."""

        def submit(self, fn: Callable[..., Any], *args: Any) -> Future[Any]:
            future: Future[Any] = Future()
            try:
                future.set_result(fn(*args))
            except ValueError as error:
                future.set_exception(error)
            return future

    with pytest.raises(ValueError, match="not this one"):
        work(store, picky, Prompt())
    name = fingerprint(picky)
    assert name is not None
    assert store.results(name, KEYS) == {"one": 2, "three": 4}


def test_fingerprints() -> None:
    """They change with what a function does, and with nothing else."""

    def make(constant: int, body: str = "len(clip) + n") -> Callable[[Clip], Any]:
        space: dict[str, Any] = {"__name__": "cell"}
        exec(f"n = {constant}\ndef helper(): return n\ndef f(clip): helper(); return {body}", space)
        made: Callable[[Clip], Any] = space["f"]
        return made

    assert fingerprint(make(1)) == fingerprint(make(1))
    assert fingerprint(make(1)) != fingerprint(make(2)), "a global that is used"
    assert fingerprint(make(1)) != fingerprint(make(1, "len(clip)"))
    assert fingerprint(functools.partial(make(1), n=1)) != fingerprint(make(1))
    assert fingerprint(metrics.sharpness) != fingerprint(metrics.colour)
    assert fingerprint(len) is not None
    assert fingerprint(functools.partial(len, (each for each in ()))) is None, "it cannot be told"


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_ray(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Ray cluster does the work, and gives the same."""
    ray = pytest.importorskip("ray")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    try:
        for last in (False, False, False, True):
            try:
                ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
                break
            except Exception:
                # It gives its own processes 15 s to start, which a busy machine may exceed
                # (ray-project/ray#65983).
                ray.shutdown()
                if last:
                    raise
        found = work(store, where, "ray")
        assert [length for length, _ in found] == [2, 3, 4]
        assert os.getpid() not in {pid for _, pid in found}
        assert work(store, lambda clip: len(clip), ray) == [2, 3, 4]
    finally:
        ray.shutdown()
        gc.collect()  # Ray leaves open files and processes that have ended to the collector


@pytest.mark.slow
def test_dask(store: Store) -> None:
    """A Dask cluster does the work, and gives the same."""
    distributed = pytest.importorskip("distributed")
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, host="127.0.0.1"
    )
    with cluster, distributed.Client(cluster) as client:
        found = work(store, where, client)
        assert [length for length, _ in found] == [2, 3, 4]
        assert os.getpid() not in {pid for _, pid in found}
        assert work(store, lambda clip: len(clip), client) == [2, 3, 4]


def test_no_ray(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it the error says how to get it."""
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(errors.UsageError, match="needs ray") as caught:
        work(store, where, "ray")
    assert "odyssey-nb[ray]" in caught.value.hint
