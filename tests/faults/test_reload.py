"""Faults of reloading: the extension and its modules are loaded again under a live stream."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import odyssey_nb
from tests.faults.fault import KERNEL_SAYS_SO, Fault, Table
from tests.faults.scene import PLAYS, Scene, start_kernel

TABLE = Table("Reloading")
EVERY_MODULE = """
import importlib, sys
for name in sorted(each for each in sys.modules if each.startswith("odyssey_nb.")):
    importlib.reload(sys.modules[name])
importlib.reload(ody)
None
"""


def _goes_on(scene: Scene, code: str) -> None:
    """A live stream plays on after `code`, and the connection is found again."""
    scene.streams()
    scene.tell(code)
    assert "Traceback" not in scene.told, scene.told
    assert "plays on" in scene.tell(PLAYS)
    assert "snow" in scene.tell("stream.interact('snow')")
    assert "reused" in scene.tell("ody.connect()")
    assert "plays on" in scene.tell("stream = ody.start('a desert')\n" + PLAYS)
    assert "plays on" in scene.tell("%odyssey status\n" + PLAYS)
    scene.disconnect()


for _name, _code, _quick in [
    ("importlib.reload of the package", "import importlib; importlib.reload(ody)", 0),
    ("importlib.reload of every module", EVERY_MODULE, 1),
    ("%load_ext twice", "%load_ext odyssey_nb\n%load_ext odyssey_nb", 0),
    ("%reload_ext", "%reload_ext odyssey_nb", 1),
    ("%unload_ext, then %load_ext", "%unload_ext odyssey_nb\n%load_ext odyssey_nb", 0),
]:
    TABLE.add(
        lambda scene, code=_code: _goes_on(scene, code),
        name=_name,
        bound=KERNEL_SAYS_SO,
        quick=_quick,
    )

EDITED = {
    "kernel/stream.py": ('state = f"live{until}" if', 'state = f"on air{until}" if'),
    "kernel/connection.py": ('return f"<Connection ', 'return f"<Edited connection '),
    "kernel/manager.py": ("reused the open", "reused the edited open"),
    "kernel/link.py": ('"the sidecar takes no more commands"', '"edited"'),
    "wire/link.py": ("LINK_VERSION", "LINK_VERSION"),
    "errors.py": ("class OdysseyNBError", "class OdysseyNBError"),
    "api/live.py": ('"""Free the streamer of', '"""Free the edited streamer of'),
}


@TABLE.row("%autoreload 2 with edited modules", bound=KERNEL_SAYS_SO, quick=1)
def _autoreload(scene: Scene) -> None:
    copy = scene.runtime.parent / "copy"
    package = copy / "odyssey_nb"
    shutil.copytree(
        Path(odyssey_nb.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__")
    )
    # Compiled files are found by their source's time in seconds, which an edit may not change.
    scene.use(start_kernel(scene.runtime, PYTHONPATH=str(copy), PYTHONDONTWRITEBYTECODE="1"))
    assert str(package) in scene.kernel.run("ody.__file__")
    scene.kernel.run("%load_ext autoreload\n%autoreload 2")
    scene.streams()
    for name, (old, new) in EDITED.items():
        file = package / name
        text = file.read_text()
        assert old in text, name
        file.write_text(text.replace(old, new) + "\n# edited\n")
    assert "on air" in scene.tell("stream.__repr__()")
    shown = scene.tell("repr(ody.connect())")
    assert "Edited" in shown
    assert "reused the edited open" in shown
    assert "reload failed" not in scene.told.lower().replace("[autoreload of", "reload failed"), (
        scene.told
    )
    assert "plays on" in scene.tell(PLAYS)
    assert "snow" in scene.tell("stream.interact('snow')")
    shown = scene.tell("stream.interact('  ')")
    assert "EmptyPromptError" in shown
    assert "plays on" in scene.tell("stream = ody.start('a desert')\n" + PLAYS)
    scene.disconnect()


@TABLE.each_run
def test_reload(scene: Scene, fault: Fault, seed: int, conclude: Callable[[], None]) -> None:
    """A live stream outlives every reload of the code that holds it."""
    fault.do(scene)
    conclude()
