"""How much faster than real time a simulation is."""

from __future__ import annotations

from datetime import datetime

import pytest

import odyssey_nb as ody
from odyssey_nb.service.worlds.base import PICTURES_PER_SECOND
from odyssey_nb.wire.stream import LANDSCAPE, PORTRAIT
from tests.benchmarks.encoding import cost_alone
from tests.benchmarks.report import Report
from tests.conftest import Serve

pytestmark = pytest.mark.benchmark

PROMPT = "a misty forest at dawn"
SCRIPT = [
    (0, "start", PROMPT),
    (10, "interact", "heavy snow is falling"),
    (20, "interact", "a storm over the sea at night"),
    (30, "end"),
]


@pytest.mark.parametrize("world", ["test_pattern", "landscape"])
@pytest.mark.parametrize("orientation", ["landscape", "portrait"])
def test_speed(report: Report, serve: Serve, world: str, orientation: str) -> None:
    """Says how long half a minute takes, from its first picture to its recording."""
    service = serve(world=world)
    simulation = ody.simulate(
        SCRIPT, orientation=orientation, url=service.url, api_key=service.api_key
    )
    seen = service.ask("GET", f"/simulation-jobs/{simulation.id}", token=service.token())
    began, ended = (datetime.fromisoformat(seen[key]) for key in ("started_at", "completed_at"))
    took = (ended - began).total_seconds()
    size = LANDSCAPE if orientation == "landscape" else PORTRAIT
    alone = cost_alone(world, PROMPT, size) / 1000 * PICTURES_PER_SECOND  # CPU of a second
    speed = (
        f"30 s in {took:.1f} s, {30 / took:.1f} times real time, "
        f"of at most {1 / alone:.1f} by the encoder alone"
    )
    report.say("Simulations", f"{world}, {orientation}", speed, met=took < 30)
