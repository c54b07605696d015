"""Every way a kernel can end frees its streamer; counted at the service."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Service, wait_until
from tests.kernel.conftest import Kernel, sidecars

STREAMING = 'stream = ody.start("a forest"); stream.frame().shape'

Find = Callable[[], Service]


def stream(kernel: Kernel, find: Find) -> Service:
    """Let the kernel stream, and return the service that counts it."""
    assert "(704, 1280, 3)" in kernel.run(STREAMING)
    service = find()
    assert service.held == 1
    return service


def prompts(service: Service) -> list[str]:
    """The prompts of the streams that run; the service hears of them a moment later than we."""
    return [each["prompt"] for each in service.sessions()]


@pytest.mark.parametrize(
    "end", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGSEGV, signal.SIGABRT]
)
def test_a_killed_kernel_frees_its_streamer(
    kernel: Kernel, local_service: Find, end: signal.Signals
) -> None:
    """Two seconds after any deadly signal the service counts no session."""
    service = stream(kernel, local_service)
    kernel.process.send_signal(end)
    service.wait_free(seconds=2)


@pytest.mark.parametrize("now", [False, True])
def test_a_restart_frees_the_streamer(kernel: Kernel, local_service: Find, now: bool) -> None:
    """A restart, polite or not, frees it, and the new kernel can stream at once."""
    service = stream(kernel, local_service)
    kernel.manager.restart_kernel(now=now)
    service.wait_free(seconds=2)
    kernel.client.wait_for_ready(timeout=30)
    kernel.run("%load_ext odyssey_nb\nimport odyssey_nb as ody")
    assert stream(kernel, local_service).pid == service.pid, "the service should survive"


def test_a_restart_of_a_computing_kernel_frees_the_streamer(
    kernel: Kernel, local_service: Find
) -> None:
    """The hook runs on the control thread, so a cell that computes does not delay it."""
    service = stream(kernel, local_service)
    kernel.begin(
        "while True:\n    try:\n        sum(range(1000))\n    except KeyboardInterrupt: pass"
    )
    kernel.manager.shutdown_kernel(now=False)
    service.wait_free(seconds=1)


@pytest.mark.parametrize("code", ["exit()", "import os; os._exit(1)"])
def test_leaving_from_a_cell_frees_the_streamer(
    kernel: Kernel, local_service: Find, code: str
) -> None:
    """A kernel that ends itself frees what it held."""
    service = stream(kernel, local_service)
    kernel.begin(code)
    service.wait_free(seconds=3)


def test_a_second_client_gets_the_freed_streamer(
    kernel: Kernel, service: Service, serve: Callable[..., Service]
) -> None:
    """Free means: with one streamer, another client connects and starts a stream."""
    single = serve("--streamers", "1")
    connect = f'ody.connect(url="{single.url}", api_key="{single.api_key}")'
    kernel.run(f'{connect}.start("first")')
    kernel.process.kill()
    single.wait_free(seconds=2)
    kernel.manager.restart_kernel(now=True)
    kernel.client.wait_for_ready(timeout=30)
    shown = kernel.run(f'import odyssey_nb as ody\ns = {connect}.start("second")\ns.frame().shape')
    assert "(704, 1280, 3)" in shown


def test_an_interrupt_during_connect_leaves_nothing(kernel: Kernel, local_service: Find) -> None:
    """Whenever the interrupt comes, no session stays; afterwards connecting works."""
    kernel.run("ody.connect(); ody.disconnect()")
    service = local_service()
    chance = random.Random(7)
    for _ in range(6):
        kernel.begin("ody.connect()")
        wait_until(lambda: kernel.process.num_threads(), what="a busy kernel")
        deadline = time.monotonic() + chance.uniform(0, 0.4)
        wait_until(lambda at=deadline: time.monotonic() >= at, what="the instant")
        kernel.manager.interrupt_kernel()
        kernel.run("ody.disconnect()")
        service.wait_free(seconds=3)
        assert "no sessions" in kernel.run("ody.sessions()")
    assert "connected" in kernel.run("ody.connect()")
    assert service.held == 1


def test_an_interrupted_start_can_be_run_again(kernel: Kernel, local_service: Find) -> None:
    """The stream that an interrupted cell may have begun does not stand in the way."""
    kernel.run("conn = ody.connect()")
    chance = random.Random(11)
    for _ in range(5):
        kernel.begin('conn.start("a forest")')
        deadline = time.monotonic() + chance.uniform(0, 0.15)
        wait_until(lambda at=deadline: time.monotonic() >= at, what="the instant")
        kernel.manager.interrupt_kernel()
        shown = kernel.run('conn.start("a desert").active')
        assert "True" in shown, shown
    wait_until(lambda: prompts(local_service()) == ["a desert"], what="the one stream")


def test_ten_connects_are_one_session(kernel: Kernel, local_service: Find) -> None:
    """Re-running the connect cell keeps one session, one sidecar and a flat thread count."""
    kernel.run("ody.connect()")
    threads = kernel.run("import threading; threading.active_count()")
    children = len(kernel.process.children(recursive=True))
    for _ in range(10):
        assert "reused" in kernel.run("ody.connect()")
    assert local_service().held == 1
    assert kernel.run("threading.active_count()") == threads
    assert len(kernel.process.children(recursive=True)) == children


def test_ten_starts_are_one_stream(kernel: Kernel, local_service: Find) -> None:
    """Re-running the start cell replaces the stream and says so."""
    kernel.run('conn = ody.connect(); stream = conn.start("a sea")')
    for _ in range(3):
        shown = kernel.run('stream = conn.start("a desert")\nstream.active')
        assert "replaced" in shown
        assert "True" in shown
    wait_until(lambda: prompts(local_service()) == ["a desert"], what="the one stream")


def test_a_lost_sidecar_is_told_and_replaced(
    kernel: Kernel, local_service: Find, machine: Path
) -> None:
    """When the sidecar is killed its session is released from outside; connecting again works."""
    service = stream(kernel, local_service)
    (sidecar,) = sidecars(machine)
    sidecar.kill()
    service.wait_free(seconds=2)
    shown = kernel.run('stream.interact("snow")')
    assert "ody.connect()" in shown
    assert "Traceback" not in shown
    assert "connected" in kernel.run("ody.connect()")
    kernel.run("ody.disconnect()")


def test_a_forked_child_cannot_keep_the_streamer(kernel: Kernel, local_service: Find) -> None:
    """A living child of a killed kernel holds neither the link nor the lease."""
    service = stream(kernel, local_service)
    kernel.run(
        "import os, time, signal\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    signal.alarm(20)\n"
        "    while True: time.sleep(1)\n"
    )
    children = kernel.process.children()
    kernel.process.kill()
    try:
        service.wait_free(seconds=2)
    finally:
        for child in children:
            child.kill()
