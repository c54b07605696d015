"""Fixtures of the fault suite."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.error import HTTPError

import psutil
import pytest

from tests.conftest import Service, launch, wait_until
from tests.faults import count
from tests.faults.fault import Fault, Outcome
from tests.faults.scene import Scene, second_client

GRACE = (
    5.0  # by which a busy machine may be late in the quick half; the whole suite's report is exact
)


@dataclass
class Streamer:
    """A service with one streamer, and the threads and descriptors that it may have at rest."""

    service: Service
    most: tuple[int, int]


Find = Callable[[tuple[str, ...]], Streamer]


@pytest.fixture(scope="session")
def streamers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Find]:
    """Services with one streamer, by their limits; each is kept as long as it lives."""
    kept: dict[tuple[str, ...], Streamer] = {}

    def find(limits: tuple[str, ...]) -> Streamer:
        if limits not in kept or kept[limits].service.process.poll() is not None:
            kept[limits] = _serve(tmp_path_factory.mktemp("streamer"), limits)
        return kept[limits]

    with ExitStack() as stack:  # one that does not end must not keep the others
        yield find
        for each in kept.values():
            if each.service.process.poll() is None:
                stack.callback(each.service.stop)


def _serve(folder: Path, limits: tuple[str, ...]) -> Streamer:
    (folder / "runtime").mkdir(mode=0o700)
    options = ["--streamers", "1", "--limit", "concurrent_streams=1"]
    for limit in limits:
        options += ["--limit", limit]
    service = launch(folder, *options, runtime=folder / "runtime")
    assert second_client(service) == ""
    wait_until(lambda: _is_ready(service), seconds=30, what="a service that rests")
    return Streamer(service, count.most(psutil.Process(service.pid)))


def _is_ready(service: Service) -> bool:
    with suppress(HTTPError):
        return bool(service.ask("GET", "/readyz"))
    return False


@pytest.fixture
def scene(
    fault: Fault,
    seed: int,
    streamers: Find,
    machine: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    record_property: Callable[[str, object], None],
) -> Iterator[Scene]:
    """Where the fault happens: a service that nobody uses, and a notebook that goes to it."""
    streamer = streamers(fault.limits)
    service = streamer.service
    service.wait_free(seconds=10)
    monkeypatch.setenv("ODYSSEY_API_URL", service.url)
    monkeypatch.setenv("ODYSSEY_API_KEY", service.api_key)
    quick = request.node.get_closest_marker("faults") is None
    record_property("begun", asdict(Outcome.of(fault, seed, quick=quick)))
    scene = Scene(service, machine, seed, most=streamer.most, quick=quick)
    yield scene
    scene.stack.close()


@pytest.fixture
def conclude(
    scene: Scene, fault: Fault, record_property: Callable[[str, object], None]
) -> Callable[[], None]:
    """Count what the fault left behind, note it for the report, and fail if there is any."""

    def conclude() -> None:
        outcome = scene.finish(fault)
        record_property("fault", asdict(outcome))
        assert not outcome.left, f"{outcome.left} (seed {outcome.seed})"
        assert not outcome.missing, f"the user is not told {outcome.missing}: {outcome.told}"
        assert outcome.free is not None
        longest = fault.bound + (GRACE if scene.quick else 0)
        assert outcome.free <= longest, f"free after {outcome.free} s"

    return conclude
