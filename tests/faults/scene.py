"""The scene of a fault: a service with one streamer, a notebook's kernel, and a watch."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

import psutil
import pytest
from jupyter_client.manager import KernelManager

from odyssey_nb.client.client import AsyncClient
from odyssey_nb.errors import OdysseyNBError
from tests.conftest import Service, launch, wait_until
from tests.faults import count
from tests.faults.fault import Fault, Outcome
from tests.kernel.conftest import Kernel, sidecars

LOAD = "%load_ext odyssey_nb\nimport odyssey_nb as ody"
STREAM = 'conn = ody.connect(); stream = conn.start("a forest"); stream.frame().shape'
PLAYS = (
    "import time\n"
    "seen = stream.frame(); until = time.monotonic() + 10\n"
    "while (stream.frame() == seen).all() and time.monotonic() < until: time.sleep(0.02)\n"
    "'plays on' if not (stream.frame() == seen).all() else 'stands still'"
)
PYTHONPATH = os.environ.get("PYTHONPATH", "")
POLL_SECONDS = 0.02
STEADY_SECONDS = 0.3  # free for so long is free: a session under way may still arrive
PATIENCE = 10.0  # how long after its bound a streamer may still be freed late, before it is a leak
SETTLE_SECONDS = 8.0  # what processes and descriptors get to go
SECOND_CLIENT_SECONDS = 60.0


class Notebook(Protocol):
    """A kernel that runs cells, whoever started it."""

    @property
    def process(self) -> psutil.Process:
        """The kernel's process."""

    def run(self, code: str, *, seconds: float = 40) -> str:
        """Run a cell and return what it showed."""

    def begin(self, code: str) -> None:
        """Run a cell without waiting for it."""

    def stop(self) -> None:
        """End it."""


class Watch:
    """Looks at the service all the time, and knows when its streamer was freed for good."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._free_since: float | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="watch")
        self._thread.start()

    def _look(self) -> None:
        while not self._over.wait(POLL_SECONDS):
            try:
                held = self._service.held
            except OSError:
                held = 0  # a service that is gone holds nothing
            if held:
                self._free_since = None
            elif self._free_since is None:
                self._free_since = time.monotonic()

    def free_since(self, until: float) -> float | None:
        """Return when the streamer was freed, once that is steady; None if not by `until`."""
        while True:
            since, now = self._free_since, time.monotonic()
            if since is not None and (self._over.is_set() or now - since >= STEADY_SECONDS):
                return since
            if since is None and (self._over.is_set() or now > until):
                return None
            time.sleep(POLL_SECONDS)

    def stop(self) -> None:
        """Look no more."""
        self._over.set()
        self._thread.join()


class Scene:
    """Where a fault happens. Everything that it starts ends with it."""

    def __init__(
        self,
        service: Service,
        runtime: Path,
        seed: int,
        *,
        most: tuple[int, int] = (1000, 1000),
        quick: bool = False,
    ) -> None:
        self.service = service
        self.runtime = runtime
        self.chance = random.Random(seed)
        self.quick = quick
        self.told = ""
        self.before_second_client: Callable[[], object] = lambda: None
        self.second_client_streams = True
        self.stack = ExitStack()
        self._seed = seed
        self._kernel: Notebook | None = None
        self._at: Callable[[], float] | None = None
        self._watch: Watch | None = None
        self._most = most  # threads and descriptors that the service may have at rest

    @property
    def kernel(self) -> Any:
        """The notebook's kernel, with the extension loaded."""
        if self._kernel is None:
            self.use(start_kernel(self.runtime, ODYSSEY_API_URL=self.service.url))
        assert self._kernel is not None
        return self._kernel

    def use(self, kernel: Notebook) -> None:
        """Let `kernel` be the notebook's; it ends with the scene."""
        self._kernel = kernel
        self.stack.callback(kernel.stop)
        kernel.run(LOAD)

    def streams(self) -> None:
        """Let the notebook stream, and see at the service that it holds the streamer."""
        shown = self.kernel.run(STREAM)
        assert "(704, 1280, 3)" in shown, shown
        assert self.service.held == 1

    def tell(self, code: str, *, seconds: float = 40) -> str:
        """Run a cell, and keep what the user is told."""
        shown = self.kernel.run(code, seconds=seconds)
        self.told += shown + "\n"
        return shown

    def serve(
        self, *options: str, port: int = 0, world: str = "test_pattern", path: str = ""
    ) -> Service:
        """Let the scene have a service of its own, whose data stays when it is started again."""
        folder = self.runtime.parent / "own"
        folder.mkdir(exist_ok=True)
        (folder / "ready").unlink(missing_ok=True)
        one = ("--streamers", "1", "--limit", "concurrent_streams=1", "--port", str(port))
        with pytest.MonkeyPatch.context() as patch:
            if path:  # where its world is
                patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, (path, PYTHONPATH))))
            service = launch(folder, *one, *options, runtime=self.runtime, world=world)
        self.service, self._most = service, (1000, 1000)

        def end() -> None:
            if service.process.poll() is None:
                service.stop()

        self.stack.callback(end)
        return service

    def launch(self, *command: str, **more: Any) -> subprocess.Popen[str]:
        """Start a program in the scene's folder; it ends with the scene."""
        folder = self.runtime.parent
        process = subprocess.Popen(
            command,
            cwd=folder,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            **more,
        )

        def end() -> None:
            if process.poll() is None:
                process.kill()
            with suppress(ValueError, BrokenPipeError):  # communicate has closed them
                self.told += process.communicate(timeout=10)[0]

        self.stack.callback(end)
        return process

    def wait_held(self) -> None:
        """Wait until the streamer is held."""
        wait_until(lambda: self.service.held == 1, seconds=60, what="a session")

    @property
    def size(self) -> tuple[int, int]:
        """Threads and descriptors of the kernel."""
        return count.size(self.kernel.process)

    def wait_as_before(self, before: tuple[int, int]) -> None:
        """Wait until the kernel has no more threads and descriptors than before."""
        wait_until(
            lambda: all(now <= then for now, then in zip(self.size, before, strict=True)),
            seconds=5,
            what=f"no more threads and descriptors than {before}",
        )

    @property
    def sidecar(self) -> psutil.Process:
        """The kernel's sidecar."""
        (found,) = sidecars(self.runtime)
        return found

    def pause(self, longest: float, *, least: float = 0.0) -> None:
        """Wait for a random time: the fault comes at an instant that nobody chose."""
        time.sleep(self.chance.uniform(least, longest))

    def strike(self, *, death_of: psutil.Process | None = None) -> None:
        """The fault happens now, or with the death of a process; from then on time is taken."""
        assert self._at is None, "a fault strikes once"
        if death_of is None:
            now = time.monotonic()
            self._at = lambda: now
        else:
            self._at = _when_dead(death_of)
        self._watch = Watch(self.service)
        self.stack.callback(self._watch.stop)

    @contextmanager
    def striking(self) -> Iterator[None]:
        """Watch from before the block; the time is taken from its end."""
        watch = self._watch = Watch(self.service)
        self.stack.callback(watch.stop)
        yield
        now = time.monotonic()
        self._at = lambda: now

    def wait_freed(self, fault_bound: float) -> None:
        """Wait until the streamer is free; what holds it later is another story."""
        assert self._watch is not None
        self._watch.free_since(time.monotonic() + fault_bound + PATIENCE)
        self._watch.stop()

    def disconnect(self) -> None:
        """What was to go on went on; now the user ends it."""
        assert self.service.held == 1, "the session should have been kept"
        self.strike()
        self.tell("ody.disconnect()")

    def finish(self, fault: Fault, *, patience: float = PATIENCE) -> Outcome:
        """Count what the fault has left behind."""
        outcome = Outcome.of(fault, self._seed, quick=self.quick)
        assert self._watch is not None, "the fault did not strike"
        assert self._at is not None, "the fault did not strike"
        at = self._at()
        since = self._watch.free_since(max(at, time.monotonic()) + fault.bound + patience)
        self._watch.stop()
        if since is None:
            outcome.left.append("the streamer is held")
        else:
            outcome.free = round(max(0.0, since - at), 3)
            self.before_second_client()
            refused = second_client(self.service, streams=self.second_client_streams)
            if refused:
                outcome.left.append(f"a second client is refused: {refused}")
        self.stack.close()
        outcome.left += self._leftovers()
        outcome.told = self.told.strip()
        told = outcome.told.lower()
        outcome.missing = [words for words in fault.told if words not in told]
        return outcome

    def _leftovers(self) -> list[str]:
        """What is left after everything had time to go."""
        until = time.monotonic() + SETTLE_SECONDS
        while (left := self._left()) and time.monotonic() < until:
            time.sleep(0.1)
        for process in count.belonging(self.runtime):
            with suppress(psutil.NoSuchProcess):
                process.kill()
        for lease in count.leases(self.runtime):
            lease.unlink(missing_ok=True)
        return left

    def _left(self) -> list[str]:
        left = [count.describe(each) for each in count.belonging(self.runtime)]
        left += [f"lease {each.name}" for each in count.leases(self.runtime)]
        with suppress(psutil.NoSuchProcess, OSError):
            threads, descriptors = count.size(psutil.Process(self.service.pid))
            if threads > self._most[0]:
                left.append(f"{threads - self._most[0]} threads of the service")
            if descriptors > self._most[1]:
                left.append(f"{descriptors - self._most[1]} descriptors of the service")
            if self.service.held:
                left.append("a session that came late")
        return left


def start_kernel(runtime: Path, **more: str) -> Kernel:
    """Start a kernel as a front end does; `more` goes into its environment."""
    manager = KernelManager(kernel_name="python3", transport="ipc", ip=str(runtime / "kernel"))
    manager.start_kernel(env={**os.environ, **more})
    return Kernel(manager)


def second_client(service: Service, *, streams: bool = True) -> str:
    """Free means: another client connects and starts a stream. Return why it could not."""

    async def stream() -> None:
        async with (
            asyncio.timeout(SECOND_CLIENT_SECONDS),
            AsyncClient.open(service.url, service.api_key, queue_timeout=0) as client,
        ):
            if streams:
                await client.start("another world")

    try:
        # On a thread of its own, since Playwright's loop runs on that of a browser's test.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(lambda: asyncio.run(stream())).result()
        wait_until(lambda: service.held == 0, seconds=5, what="the second client's end")
    except (OdysseyNBError, TimeoutError, OSError) as error:
        return f"{type(error).__name__}: {error}"
    return ""


def _when_dead(process: psutil.Process) -> Callable[[], float]:
    """Return what tells when `process` has died, to within a few milliseconds."""
    died: list[float] = []

    def wait() -> None:
        descriptor = os.pidfd_open(process.pid)
        try:
            import select

            if select.select([descriptor], [], [], 110)[0]:
                died.append(time.monotonic())
        finally:
            os.close(descriptor)

    thread = threading.Thread(target=wait, name="when-dead")
    thread.start()

    def at() -> float:
        thread.join()
        assert died, "the process did not die"
        return died[0]

    return at
