"""What Tab offers after the magic, as front ends ask for it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

import odyssey_nb as ody
from odyssey_nb import completion, verbs
from odyssey_nb.kernel.runtime import runtime
from odyssey_nb.wire.link import Happening
from tests.kernel.conftest import Kernel, kernel  # noqa: F401 - a fixture

Tab = Callable[[str], dict[str, str]]


@pytest.fixture(scope="module")
def shell() -> InteractiveShell:
    """One shell; IPython closes it when the interpreter ends."""
    return InteractiveShell.instance()


@pytest.fixture
def tab(shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tab]:
    """Return what is offered where the cell has a ``|``: what the cell would read, and its kind."""
    told = [("start", "a misty forest at dawn"), ("interact", "heavy snow")]
    happenings = [Happening(stream=1, time=0, kind=kind, text=text) for kind, text in told]
    connections = [
        SimpleNamespace(name=name, session_id=id, happenings=happenings)
        for name, id in (("default", "3f2a9911"), ("left", "9b1c0000"))
    ]
    manager = SimpleNamespace(names=lambda: ["default", "left"], all=lambda: connections)
    monkeypatch.setattr(runtime(), "manager", manager)
    with capture_output():
        shell.run_cell("%load_ext odyssey_nb")

    def complete(cell: str) -> dict[str, str]:
        at = cell.index("|")
        cell = cell.replace("|", "", 1)
        with provisionalcompleter():
            found = list(shell.Completer.completions(cell, at))
        ours = [each for each in found if each._origin == completion.IDENTIFIER]
        assert not ours or found == ours, "nothing else is offered beside ours"
        return {cell[: each.start] + each.text + cell[each.end :]: each.type for each in ours}

    yield complete
    monkeypatch.undo()
    shell.run_cell("%unload_ext odyssey_nb")


@pytest.mark.parametrize(
    ("cell", "offers"),
    [
        ("%odyssey st|", ["%odyssey start", "%odyssey status"]),
        ("  clip = %odyssey las|", ["  clip = %odyssey las"]),
        ("x = 1\n%odyssey ki|", ["x = 1\n%odyssey kill"]),
        ("%odyssey p|", ["%odyssey ps"]),
        ("%%odyssey s|", ["%%odyssey start", "%%odyssey simulate"]),
        ("%%odyssey start --po|", ["%%odyssey start --portrait"]),
        ("%odyssey connect --b|", ["%odyssey connect --budget"]),
        ("%odyssey connect --when-hidden |", [
            "%odyssey connect --when-hidden 120,300", "%odyssey connect --when-hidden off",
        ]),
        ("%odyssey start --on |", ["%odyssey start --on default", "%odyssey start --on left"]),
        ("%odyssey disconnect l|", ["%odyssey disconnect left"]),
        ("%odyssey compare left d|", ["%odyssey compare left default"]),
        ("%odyssey kill 9|", ["%odyssey kill 9b1c"]),
        ("%odyssey help on|", ["%odyssey help on_frame"]),
        ("%odyssey start a mis|", ["%odyssey start a misty forest at dawn"]),
        ('%odyssey start --on left "A misty f|', [
            '%odyssey start --on left "a misty forest at dawn'
        ]),
        ("%odyssey start a misty --ext|", ["%odyssey start a misty --extend"]),
        ("%%odyssey simulate\n0 start a\n2 inter|", [
            "%%odyssey simulate\n0 start a\n2 interact"
        ]),
        ("%%odyssey simulate\n2 interact hea|", ["%%odyssey simulate\n2 interact heavy snow"]),
        ("%odyssey nonsense x|", ["%odyssey nonsense x"]),
        ("%odyssey reap x|", ["%odyssey reap x"]),
        ("%%odyssey start\na mis|", ["%%odyssey start\na mis"]),
        ("print('%odyssey st|')", []),
    ],
)  # fmt: skip
def test_what_is_offered(tab: Tab, cell: str, offers: list[str]) -> None:
    """Verbs, options and values where they fit, in both forms, and never names of Python."""
    assert list(tab(cell)) == offers


def test_prompts_come_from_cells_and_sliders(
    tab: Tab, shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cells said, in either language, and how sliders read, also with their presets."""
    cells = [
        '%odyssey start "zebras at dawn" --extend',
        "stream.interact('zebras at noon')",
        "%odyssey interact zebras' dream",
    ]
    monkeypatch.setattr(shell.history_manager, "input_hist_raw", cells)
    walk = ody.prompt("zebras in {weather}", weather=["sun", "snow"])
    monkeypatch.setitem(shell.user_ns, "walk", walk)
    given = ody.prompt("zebras in {what}")  # in each call, so by itself it reads as nothing
    monkeypatch.setitem(shell.user_ns, "given", given)
    found = [each.removeprefix("%odyssey start ") for each in tab("%odyssey start zeb|")]
    assert found == ["zebras' dream", "zebras at noon", "zebras at dawn", "zebras in sun"]


def test_files_are_offered(tab: Tab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scripts and images, and the folders that may have some."""
    for name in ("walk.txt", "wall.png", "wall.mp4"):
        (tmp_path / name).touch()
    (tmp_path / "walks").mkdir()
    monkeypatch.chdir(tmp_path)
    assert list(tab("%odyssey simulate wa|")) == [
        "%odyssey simulate walk.txt", "%odyssey simulate walks/",
    ]  # fmt: skip
    assert list(tab("%odyssey start --image wa|")) == [
        "%odyssey start --image walks/", "%odyssey start --image wall.png",
    ]  # fmt: skip


def test_every_verb_can_be_typed_by_tab(tab: Tab, shell: InteractiveShell) -> None:
    """All verbs and all their options are offered, and none is by hand: new ones are too."""
    assert {each.split()[-1] for each in tab("%odyssey |")} == {
        name for each in verbs.VERBS.values() for name in (each.name, each.alias) if name
    }
    for verb in verbs.VERBS.values():
        flags = [flag for each in verb.options for flag in each.flags if flag.startswith("-")]
        assert [each.split()[-1] for each in tab(f"%odyssey {verb.name} -|")] == (flags or ["-"])
    completion.add(shell)
    assert list(tab("%odyssey reco|")) == ["%odyssey recordings"], "once, also when added twice"


def test_a_kernel_completes_quickly(kernel: Kernel) -> None:  # noqa: F811
    """As JupyterLab asks for it, in both forms, with no service or connection about."""
    quickest = 10.0
    for code, expected in (("%odyssey st", "start"), ("%%odyssey sim", "simulate")):
        for _ in range(5):
            began = time.monotonic()
            answer = kernel.client.complete(code, reply=True, timeout=30)["content"]
            quickest = min(quickest, time.monotonic() - began)
            assert expected in answer["matches"]
            assert code[answer["cursor_start"] : answer["cursor_end"]] == code.split()[1]
    assert quickest < 0.05


ALONE = """
import sys
from IPython.core.interactiveshell import InteractiveShell
from odyssey_nb import completion
shell = InteractiveShell.instance()
completion.add(shell)
assert "start" in shell.complete("st", "%odyssey st", 11)[1]
assert "odyssey_nb.client" not in sys.modules
"""


def test_completing_loads_no_client(machine: Path) -> None:
    """Tab waits for none of what a connection needs; loading the extension loads that meanwhile."""
    del machine
    subprocess.run([sys.executable, "-c", ALONE], check=True, timeout=60)
