"""Faults of the network between a notebook and its service."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from tests.faults.fault import KERNEL_DIED, KERNEL_SAYS_SO, Fault, Table
from tests.faults.scene import PLAYS, Scene, start_kernel
from tests.network import Network
from tests.relay import Threaded
from tests.turn import SECRET, Turn

TABLE = Table("Network")
SERVICE_GIVES_UP = 50.0  # its clock of 40 s and its sweep of 10 s
REPAIRED = (
    "import time; until = time.monotonic() + 40\n"
    "while conn.status != 'connected' and time.monotonic() < until: time.sleep(0.1)\n"
    "conn.history, conn.session_id"
)
NOTICED = (
    "import time; until = time.monotonic() + 40\n"
    "while conn.status == 'connected' and time.monotonic() < until: time.sleep(0.1)\n"
    "conn.history, conn.stage"
)
CLIENT_GIVES_UP = REPAIRED.replace("!= 'connected'", "== 'reconnecting'").replace("40", "120")


def _behind(scene: Scene, *, udp: bool = True) -> Threaded[Network]:
    """Put the notebook behind a network that can be made bad."""
    url = scene.service.url
    network = scene.stack.enter_context(Threaded(lambda: Network.to(url, udp=udp)))
    scene.use(start_kernel(scene.runtime, ODYSSEY_API_URL=network.it.url))
    return network


def _streams_behind(scene: Scene) -> Threaded[Network]:
    network = _behind(scene)
    scene.streams()
    return network


def _without_udp(scene: Scene, secret: str = SECRET) -> Turn:
    """Leave the notebook no way but a TURN server, whose credentials are made of `secret`."""
    folder = scene.runtime.parent / "turn"
    folder.mkdir()
    turn = scene.stack.enter_context(Turn.running(folder))
    scene.serve(*turn.options(secret))
    _behind(scene, udp=False)
    return turn


def _away(scene: Scene, seconds: float, *, breaks: bool) -> None:
    network = _streams_behind(scene)
    session = scene.kernel.run("conn.session_id")
    scene.pause(0.5)
    network.do(lambda: network.it.cut(breaks=breaks))
    time.sleep(seconds)
    network.do(network.it.mend)
    said = scene.tell(REPAIRED)
    assert session.strip() in said, "another session"
    assert "plays on" in scene.tell(PLAYS)
    assert "at night" in scene.tell("stream.interact('at night')")
    scene.disconnect()


for _name, _seconds, _breaks in [
    ("away for 3 s, packets vanish", 3, False),
    ("away for 3 s, sockets break", 3, True),
    ("away for 20 s, packets vanish", 20, False),
    ("away for 20 s, sockets break", 20, True),
]:
    TABLE.add(
        lambda scene, seconds=_seconds, breaks=_breaks: _away(scene, seconds, breaks=breaks),
        name=_name,
        bound=KERNEL_SAYS_SO,
        told=("plays on",) + (("reconnecting",) if _breaks or _seconds > 5 else ()),
        timeout=240,
    )


@TABLE.row("away for good", bound=SERVICE_GIVES_UP, told=("failed",), timeout=300)
def _for_good(scene: Scene) -> None:
    network = _streams_behind(scene)
    scene.pause(0.5)
    scene.strike()
    network.do(lambda: network.it.cut(breaks=True))
    scene.tell(NOTICED, seconds=60)
    scene.tell(CLIENT_GIVES_UP, seconds=130)
    scene.tell("print(conn.problem)")
    scene.wait_freed(SERVICE_GIVES_UP)


def _bad(scene: Scene, **conditions: Any) -> None:
    network = _streams_behind(scene)
    network.do(lambda: vars(network.it.datagrams).update(conditions))
    scene.pause(5, least=4)
    assert "at night" in scene.tell("stream.interact('at night', timeout=30)")
    assert "plays on" in scene.tell(PLAYS)
    scene.disconnect()


for _name, _conditions in [
    ("5 % lost", {"loss": 0.05}),
    ("20 % lost", {"loss": 0.2}),
    ("200 ms there and back", {"delay": 0.1}),
    ("reordered", {"jitter": 0.03}),
    ("1 Mbit/s", {"rate": 1e6}),
]:
    TABLE.add(
        lambda scene, conditions=_conditions: _bad(scene, **conditions),
        name=_name,
        bound=KERNEL_SAYS_SO,
        told=("plays on",),
    )


@TABLE.row("TURN only, SIGKILL of the kernel", bound=KERNEL_DIED)
def _killed_by_turn(scene: Scene) -> None:
    _without_udp(scene)
    scene.streams()
    scene.pause(0.5)
    scene.strike(death_of=scene.kernel.process)
    scene.kernel.process.kill()


@TABLE.row("TURN only, and it refuses the credentials", bound=KERNEL_SAYS_SO, told=("negotiation",))
def _refused_by_turn(scene: Scene) -> None:
    _without_udp(scene, secret="another")
    with scene.striking():
        scene.tell("ody.connect(timeout=6)")


@TABLE.row(
    "TURN only, it is killed and starts again",
    bound=KERNEL_SAYS_SO,
    told=("reconnecting", "plays on"),
    timeout=240,
)
def _turn_starts_again(scene: Scene) -> None:
    turn = _without_udp(scene)
    scene.streams()
    scene.pause(0.5)
    turn.kill()
    scene.pause(3, least=1)
    turn.start()
    scene.tell(NOTICED, seconds=60)
    scene.tell(REPAIRED, seconds=60)
    assert "plays on" in scene.tell(f"stream = conn.stream\n{PLAYS}")
    scene.disconnect()


@TABLE.row(
    "TURN only, it is killed for good", bound=SERVICE_GIVES_UP, told=("failed",), timeout=300
)
def _turn_dies(scene: Scene) -> None:
    turn = _without_udp(scene)
    scene.streams()
    scene.pause(0.5)
    scene.strike()
    turn.kill()
    scene.tell(NOTICED, seconds=60)
    scene.tell(CLIENT_GIVES_UP, seconds=130)
    scene.tell("print(conn.problem)")
    scene.wait_freed(SERVICE_GIVES_UP)


@TABLE.each_run
def test_network(scene: Scene, fault: Fault, conclude: Callable[[], None]) -> None:
    """What the network can bear goes on, what it cannot is given up, and the streamer is free."""
    fault.do(scene)
    conclude()
