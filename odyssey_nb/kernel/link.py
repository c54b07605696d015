"""The kernel's end of the link: starts the sidecar, asks it, and hears from it.

Two daemon threads of this process serve it, one reading and one writing; a cell that is interrupted
in the middle of a request can therefore never leave half a message behind.
"""

from __future__ import annotations

import itertools
import logging
import os
import queue
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from copy import copy
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from odyssey_nb.config import VERSION, jupyter_server_pid
from odyssey_nb.errors import AnswerTimeoutError, ForkedProcessError, LinkError, from_code
from odyssey_nb.framing import FrameTooLargeError, Unframer, frame
from odyssey_nb.kernel.logs import last_words, open_log
from odyssey_nb.wire import link as wire

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)

START_SECONDS = 15.0  # for the sidecar's first word
REAP_SECONDS = 10.0
GRACE = 1.0  # seconds by which the kernel waits longer than it tells the sidecar to
COMMANDS = 256  # commands that may wait to be written; more means that the sidecar hangs
_CHUNK = 1 << 18

T = TypeVar("T")


class Waiter(Generic[T]):
    """One answer, for whoever waits for it. The first that is given counts.

    Made of a queue in C, because an interrupt in the middle of a `Future` or a `Queue` can leave
    its lock taken, and with it the link.
    """

    def __init__(self) -> None:
        self._box: queue.SimpleQueue[T | LinkError] = queue.SimpleQueue()

    def give(self, answer: T | LinkError) -> None:
        """Answer, or tell that no answer will come."""
        self._box.put(answer)

    def result(self, timeout: float) -> T:
        """Wait for the answer; one that was given is taken, so there is no other.

        Raises:
            TimeoutError: None came within `timeout` seconds.
            LinkError: None will come.
        """
        try:
            answer = self._box.get(timeout=max(0.0, timeout))
        except queue.Empty:
            raise TimeoutError from None
        if isinstance(answer, LinkError):
            # One of its own: raised, it holds the frames of a cell, and a lost link keeps what it
            # gave, as a notebook's ``Out`` keeps streams and with them the link.
            raise copy(answer)
        return answer


class SidecarLink:
    """A running sidecar. Made by `start`; unusable once `lost` is set."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        line: socket.socket,
        *,
        on_event: Callable[[wire.Event], None],
        on_picture: Callable[[wire.Picture], None],
        on_lost: Callable[[SidecarLink], None],
    ) -> None:
        self._owner = os.getpid()
        self._process = process
        self._line = line
        self._on_event, self._on_picture, self._on_lost = on_event, on_picture, on_lost
        self._ids = itertools.count(1)
        self._waiting: dict[int, Waiter[wire.Answer]] = {}
        self._lock = threading.Lock()
        self._outbox: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._greeted: Waiter[wire.Hello] = Waiter()
        self.received = 0  # bytes
        self.lost = threading.Event()
        self._following = threading.Lock()  # released when `on_lost` is done
        self._following.acquire()
        self._follower = 0  # the thread that calls it
        self.left = False  # we let it go, so it cleans up after itself
        # No thread is kept: the stack of one that has ended stays in memory while it is known.
        self._reader = 0
        _daemon(self._read, "odyssey-link-read")
        _daemon(self._write, "odyssey-link-write")

    @classmethod
    def start(
        cls,
        *,
        on_event: Callable[[wire.Event], None],
        on_picture: Callable[[wire.Picture], None],
        on_lost: Callable[[SidecarLink], None],
    ) -> SidecarLink:
        """Start a sidecar and greet it.

        Raises:
            LinkError: It did not start, or speaks another version.
        """
        ours, theirs = socket.socketpair()
        with theirs, open_log("sidecar") as said:
            process = subprocess.Popen(
                [sys.executable, "-m", "odyssey_nb.sidecar.process", str(theirs.fileno()),
                 str(os.getpid()), str(_living_server())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL, stdout=said, stderr=said,
                start_new_session=True, cwd="/",
            )  # fmt: skip
        link = cls(process, ours, on_event=on_event, on_picture=on_picture, on_lost=on_lost)
        try:
            hello = link._greet()
            if hello.link != wire.LINK_VERSION:
                raise LinkError(
                    f"the sidecar is of version {hello.version}, this kernel of {VERSION}",
                    hint="Restart the kernel, so that both are of the installed version.",
                )
        except BaseException:
            link.close()
            raise
        link.tell(wire.Hello(link=wire.LINK_VERSION, version=VERSION, pid=os.getpid()))
        return link

    def _greet(self) -> wire.Hello:
        try:
            return self._greeted.result(START_SECONDS)
        except (TimeoutError, LinkError):
            raise LinkError(
                f"the sidecar did not start{last_words('sidecar')}",
                hint="Restart the kernel; if it stays, install odyssey-nb again.",
            ) from None

    @property
    def pid(self) -> int:
        """The sidecar's process id."""
        return self._process.pid

    def check_process(self) -> None:
        """Raise ForkedProcessError in a forked child, which may not use its parent's sidecar."""
        if os.getpid() != self._owner:
            raise ForkedProcessError("this connection belongs to the parent process")

    @property
    def usable(self) -> bool:
        """Whether the sidecar can still be asked."""
        return not self.lost.is_set() and os.getpid() == self._owner

    def ask(
        self, make: Callable[[int], wire.Request], *, timeout: float, grace: float = GRACE
    ) -> wire.Answer:
        """Send the request that `make` builds for an id, and return its answer.

        Interrupting the wait leaves the request running; the caller calls it off.

        Args:
            make: Builds the request.
            timeout: How long the sidecar may take, in seconds.
            grace: How much longer its answer may be under way.

        Raises:
            OdysseyNBError: What the sidecar says went wrong, as the class that it names.
            AnswerTimeoutError: No answer within both.
            LinkError: The sidecar is gone.
        """
        return self.collect(self.post(make), timeout + grace)

    def collect(self, answer: Waiter[wire.Answer], timeout: float) -> wire.Answer:
        """Wait for the answer to what was posted; raises what `ask` does."""
        if threading.get_ident() == self._reader and not self.lost.is_set():
            raise LinkError(
                "a listener may not wait for the sidecar", hint="Call it from a thread of your own."
            )
        try:
            found = answer.result(timeout)
        except TimeoutError:
            raise AnswerTimeoutError(f"the sidecar did not answer within {timeout:g} s") from None
        if found.error:
            raise from_code(found.error, found.message, found.hint)
        return found

    def post(self, make: Callable[[int], wire.Request]) -> Waiter[wire.Answer]:
        """Send the request that `make` builds for an id; its answer comes to the waiter."""
        request = next(self._ids)
        answer: Waiter[wire.Answer] = Waiter()
        with self._lock:
            self._waiting[request] = answer
        try:
            self.tell(make(request))
        except LinkError:
            with self._lock:
                self._waiting.pop(request, None)
            raise
        return answer

    def tell(self, message: wire.FromKernel) -> None:
        """Send `message`, which has no answer."""
        self.check_process()
        if self.lost.is_set():
            raise LinkError("the sidecar is gone")
        if self._outbox.qsize() >= COMMANDS:
            raise LinkError("the sidecar takes no more commands")
        self._outbox.put(frame(wire.from_kernel.to_bytes(message)))

    def close(self) -> None:
        """Let the sidecar go; it says goodbye to whatever it still holds."""
        self.left = True
        self._lose()

    def answers(self) -> bool:
        """Whether the sidecar's loop still turns: nothing is called so, which it says at once."""
        try:
            self.post(lambda n: wire.Disconnect(id=n, connection="")).result(GRACE)
        except (TimeoutError, LinkError):
            return False
        return True

    def settle(self) -> None:
        """Find out whether the sidecar lives: the line of one that has just died looks usable."""
        if self.usable and threading.get_ident() != self._reader:
            self.answers()
        self.follow()

    def follow(self) -> None:
        """Wait until all that was held through a lost sidecar is known to be lost."""
        if self.lost.is_set():
            self._await_follower()

    def _await_follower(self) -> None:
        itself = threading.get_ident() == self._follower
        if not itself and self._following.acquire(timeout=GRACE):
            self._following.release()

    def abandon(self) -> None:
        """Let go of a sidecar that hangs, and end it."""
        self._process.kill()
        self._await_follower()  # a thread of ours, which no interrupt can keep from its work
        self._lose()

    def _read(self) -> None:
        self._reader = threading.get_ident()
        unframer = Unframer()
        try:
            while data := self._line.recv(_CHUNK):
                self.received += len(data)
                for payload in unframer.feed(data):
                    self._take(payload)
        except (OSError, FrameTooLargeError):
            log.debug("the link broke")
        finally:
            self._lose()
            try:
                self._process.wait(REAP_SECONDS)  # it ends as its line does; no zombie stays
            except subprocess.TimeoutExpired:
                self._process.kill()  # it hangs, so it says no goodbye either
                self._process.wait()
            self._line.close()

    def _take(self, payload: bytes) -> None:
        message = wire.from_sidecar.from_bytes(payload)
        if message is None:
            return
        try:
            match message.type:
                case "picture":
                    self._on_picture(message)
                case "answer":
                    with self._lock:
                        waiter = self._waiting.pop(message.id, None)
                    if waiter is not None:
                        waiter.give(message)
                case "hello":
                    self._greeted.give(message)
                case _:
                    self._on_event(message)
        except Exception:  # a listener's fault must not stop the link
            log.exception("a listener of the link failed")

    def _write(self) -> None:
        while (data := self._outbox.get()) is not None:
            try:
                self._line.sendall(data)
            except OSError:
                self._lose()
                return

    def _lose(self) -> None:
        with self._lock:
            if self.lost.is_set():
                return
            self._follower = threading.get_ident()
            self.lost.set()
            waiting, self._waiting = list(self._waiting.values()), {}
        try:
            self._line.shutdown(socket.SHUT_RDWR)
        except OSError:
            log.debug("the link was already down")
        with suppress(queue.Empty):
            while True:
                self._outbox.get_nowait()
        self._outbox.put(None)
        gone = LinkError("the sidecar is gone")
        self._greeted.give(gone)
        for waiter in waiting:
            waiter.give(gone)
        try:
            self._on_lost(self)
        except Exception:
            log.exception("telling that the sidecar is gone failed")
        finally:
            self._following.release()

    def after_fork(self) -> None:
        """Let go of the line in a forked child."""
        # The child's copy would keep the line open after our death. Its number stays taken, by
        # nothing.
        if not self.lost.is_set():
            null = os.open(os.devnull, os.O_RDWR)
            os.dup2(null, self._line.fileno())
            os.close(null)


def _living_server() -> int:
    """Return the Jupyter server's process id, 0 where none is seen to run.

    What the environment says may be of another machine or container, or of a server long gone.
    """
    import psutil

    pid = jupyter_server_pid()
    return pid if pid is not None and psutil.pid_exists(pid) else 0


def _daemon(target: Callable[[], Any], name: str) -> None:
    thread = threading.Thread(target=target, name=name, daemon=True)
    # A debugger that stops the cell must not stop pictures and events.
    vars(thread).update(pydev_do_not_trace=True, is_pydev_daemon_thread=True)
    thread.start()
