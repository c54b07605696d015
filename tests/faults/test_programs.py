"""Faults of what runs notebooks without a page: nbclient, papermill, nbval, terminals, scripts."""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Callable
from typing import Any

import nbformat
import psutil

from tests.conftest import wait_until
from tests.faults.fault import KERNEL_DIED, KERNEL_SAYS_SO, Fault, Table
from tests.faults.scene import LOAD, PLAYS, STREAM, Scene

TABLE = Table("Programs")
SLEEPS = "import time; time.sleep(60)"
FAILS = "1 / 0"
NBCLIENT = """
import sys, nbformat, nbclient
notebook = nbformat.read("notebook.ipynb", 4)
nbclient.NotebookClient(notebook, timeout=int(sys.argv[1]), kernel_name="python3").execute()
"""


def _write(scene: Scene, *cells: str) -> None:
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(each) for each in (LOAD, STREAM, *cells)],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    )
    nbformat.write(notebook, scene.runtime.parent / "notebook.ipynb")


def _ends_by_itself(scene: Scene, *command: str) -> None:
    """Run a program that streams and ends; the streamer is free when it has ended."""
    process = scene.launch(sys.executable, *command)
    scene.strike(death_of=psutil.Process(process.pid))
    scene.wait_held()
    scene.told += process.communicate(timeout=60)[0]


@TABLE.row("nbclient, to the end", bound=KERNEL_DIED)
def _nbclient(scene: Scene) -> None:
    _write(scene, PLAYS)
    _ends_by_itself(scene, "-c", NBCLIENT, "60")


@TABLE.row("nbclient, a cell fails", bound=KERNEL_DIED, told=("zerodivisionerror",), quick=1)
def _nbclient_error(scene: Scene) -> None:
    _write(scene, FAILS)
    _ends_by_itself(scene, "-c", NBCLIENT, "60")


@TABLE.row("nbclient, a cell takes too long", bound=KERNEL_DIED, told=("timeout",))
def _nbclient_timeout(scene: Scene) -> None:
    _write(scene, SLEEPS)
    _ends_by_itself(scene, "-c", NBCLIENT, "8")


@TABLE.row("papermill, a cell fails", bound=KERNEL_DIED, told=("zerodivisionerror",))
def _papermill(scene: Scene) -> None:
    _write(scene, FAILS)
    _ends_by_itself(scene, "-m", "papermill", "notebook.ipynb", "out.ipynb", "--no-progress-bar")


@TABLE.row("papermill killed", bound=KERNEL_DIED)
def _papermill_killed(scene: Scene) -> None:
    _write(scene, SLEEPS)
    process = scene.launch(sys.executable, "-m", "papermill", "notebook.ipynb", "out.ipynb")
    scene.wait_held()
    scene.pause(1.0)
    scene.strike()
    process.kill()


@TABLE.row("nbval", bound=KERNEL_DIED, told=("passed",))
def _nbval(scene: Scene) -> None:
    _write(scene, PLAYS)
    options = ["-q", "--nbval-lax", "notebook.ipynb", "-p", "no:cacheprovider"]
    _ends_by_itself(scene, "-m", "pytest", *options)


SCRIPT = """
import odyssey_nb as ody
conn = ody.connect()
stream = conn.start("a forest")
{then}
"""


def _script(scene: Scene, then: str) -> None:
    _ends_by_itself(scene, "-c", SCRIPT.format(then=then))


TABLE.add(
    lambda scene: _script(scene, "print(stream.frame().shape); 1 / 0"),
    name="a script that ends in an exception",
    bound=KERNEL_SAYS_SO,
    told=("zerodivisionerror",),
    quick=1,
)
TABLE.add(
    lambda scene: _script(scene, "print(stream.frame().shape)"),
    name="a script that just ends",
    bound=KERNEL_SAYS_SO,
    told=("(704, 1280, 3)",),
)


def _terminal(scene: Scene) -> Any:
    """Start IPython in a pseudo-terminal and let it stream."""
    copies = "import pty, sys; pty.spawn([sys.executable, '-m', 'IPython', '--simple-prompt'])"
    process = scene.launch(sys.executable, "-c", copies)
    assert process.stdin is not None
    process.stdin.write(f"%load_ext odyssey_nb\nimport odyssey_nb as ody\n{STREAM}\n")
    process.stdin.flush()
    wait_until(
        lambda: scene.service.held and scene.service.sessions()[0].get("stream_id"),
        seconds=60,
        what="the terminal's stream",
    )
    return process


@TABLE.row("the ipython terminal, exit", bound=KERNEL_DIED, quick=1)
def _terminal_exit(scene: Scene) -> None:
    process = _terminal(scene)
    scene.pause(0.5)
    (ipython,) = psutil.Process(process.pid).children()
    scene.strike(death_of=ipython)
    scene.told += process.communicate("exit\n", timeout=30)[0]


@TABLE.row("the ipython terminal, window closed", bound=KERNEL_DIED)
def _terminal_closed(scene: Scene) -> None:
    process = _terminal(scene)
    (ipython,) = psutil.Process(process.pid).children()
    scene.pause(0.5)
    scene.strike(death_of=ipython)
    process.kill()  # the terminal goes, and whoever runs in it gets a SIGHUP


class Debugger:
    """Speaks the debug protocol to a kernel, as JupyterLab's debugger does."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._numbers = itertools.count(1)

    def ask(self, command: str, **arguments: object) -> dict[str, Any]:
        """Send a request and return its answer's body."""
        message = self._client.session.msg(
            "debug_request",
            {
                "type": "request",
                "seq": next(self._numbers),
                "command": command,
                "arguments": arguments,
            },
        )
        self._client.control_channel.send(message)
        while True:
            reply = self._client.get_control_msg(timeout=30)
            if reply["parent_header"].get("msg_id") == message["header"]["msg_id"]:
                content = reply["content"]
                assert content.get("success"), content
                return dict(content.get("body") or {})

    def wait_stopped(self) -> int:
        """Wait until a breakpoint is reached; return the thread."""
        until = time.monotonic() + 30
        while time.monotonic() < until:
            message = self._client.get_iopub_msg(timeout=30)
            if message["msg_type"] == "debug_event" and message["content"]["event"] == "stopped":
                return int(message["content"]["body"]["threadId"])
        raise TimeoutError("the breakpoint was not reached")


def _at_a_breakpoint(scene: Scene, seconds: float) -> None:
    scene.streams()
    debugger = Debugger(scene.kernel.client)
    debugger.ask("initialize", clientID="test", adapterID="python", pathFormat="path")
    debugger.ask("attach")
    code = "here = 1\nhere = 2\nhere = 3"
    source = debugger.ask("dumpCell", code=code)["sourcePath"]
    debugger.ask("setBreakpoints", source={"path": source}, breakpoints=[{"line": 2}])
    debugger.ask("configurationDone")
    scene.kernel.begin(code)
    thread = debugger.wait_stopped()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        assert scene.service.held == 1, "a kernel in the debugger keeps its session"
        time.sleep(0.2)
    debugger.ask("continue", threadId=thread)
    debugger.ask("disconnect", restart=False, terminateDebuggee=False)
    assert "plays on" in scene.tell(PLAYS)
    scene.disconnect()


TABLE.add(
    lambda scene: _at_a_breakpoint(scene, 4 if scene.quick else 60),
    name="the debugger at a breakpoint for 60 s (4 s in the quick half)",
    bound=KERNEL_SAYS_SO,
    quick=1,
    timeout=180,
)


@TABLE.each_run
def test_program(scene: Scene, fault: Fault, seed: int, conclude: Callable[[], None]) -> None:
    """Whatever runs the code, nothing stays behind when it ends."""
    fault.do(scene)
    conclude()
