"""A kernel that is stopped is not one that computes: the first is waited for only so long."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

import pytest

from tests.conftest import Service, wait_until
from tests.kernel.conftest import Kernel

pytestmark = pytest.mark.newest

Find = Callable[[], Service]


@pytest.fixture
def two_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the session of a stopped kernel for two seconds; comes before the kernel."""
    monkeypatch.setenv("ODYSSEY_NB_SUSPENDED_SECONDS", "2")


def test_a_stopped_kernel_is_kept_for_a_while(
    two_seconds: None, kernel: Kernel, local_service: Find
) -> None:
    """Then its streamer is free; when the kernel goes on it is told, and connecting works."""
    kernel.run('conn = ody.connect(); stream = conn.start("a forest")')
    service = local_service()
    began = time.monotonic()
    kernel.process.send_signal(signal.SIGSTOP)
    try:
        wait_until(lambda: service.held == 0, seconds=15, what="the streamer's end")
        assert time.monotonic() - began >= 2
    finally:
        kernel.process.send_signal(signal.SIGCONT)
    assert "the kernel was stopped for 2 s" in kernel.run("conn.problem")
    assert "'failed', 'disconnected'" in kernel.run("conn.history")
    assert "connected" in kernel.run("ody.connect()")


def test_a_kernel_that_holds_the_gil_is_kept(
    two_seconds: None, kernel: Kernel, local_service: Find
) -> None:
    """However long nothing is heard of it: its stream goes on."""
    kernel.run('conn = ody.connect(); stream = conn.start("a forest")')
    kernel.run("import ctypes; ctypes.PyDLL(None).usleep(6_000_000)")
    assert local_service().held == 1
    assert "True" in kernel.run("stream.active")
