"""The magic in a real IPython shell."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

import odyssey_nb as ody
from odyssey_nb import verbs
from odyssey_nb.kernel.runtime import runtime
from odyssey_nb.magics import _words
from tests.conftest import Service

Run = Callable[[str], str]


@pytest.fixture(scope="module")
def shell() -> InteractiveShell:
    """One shell; IPython closes it when the interpreter ends."""
    return InteractiveShell.instance()


@pytest.fixture
def run(shell: InteractiveShell) -> Iterator[Run]:
    """Run a cell in a shell with the extension, and return what it printed and showed."""
    shell.run_cell("%load_ext odyssey_nb")

    def run_cell(code: str) -> str:
        with capture_output() as captured:
            shell.run_cell(code)
        return str(captured.stdout) + str(captured.stderr)

    yield run_cell
    shell.run_cell("%unload_ext odyssey_nb")
    manager = runtime().manager
    if manager is not None:
        manager.release_all("the test is over", budget=5)


def test_the_verbs_of_the_magic(
    run: Run, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Connecting, starting, steering, ending and disconnecting, line by line."""
    monkeypatch.setenv("ODYSSEY_API_URL", service.url)
    monkeypatch.setenv("ODYSSEY_API_KEY", service.api_key)
    assert "connected to" in run("%odyssey connect --when-hidden 60,off")
    assert ody.status()[0].hidden.clock.policy == (60, None)
    assert re.search(r"live, 2:\d\d left: 'a misty forest'", run('%odyssey start "a misty forest"'))
    assert "'it's snowing'" in run("%odyssey interact it's snowing").replace('"', "'")
    assert run("%odyssey interact 'a quiet sea'").endswith(": 'a quiet sea'\n")
    assert "connected, stream 1" in run("%odyssey status")
    assert "marked at " in run("%odyssey mark it's odd")
    assert "at most 200 characters" in run(f"%odyssey mark {'very ' * 50} odd")
    assert "this kernel" in run("%odyssey sessions")
    assert run("%odyssey end") == ""
    assert "replaced" not in run("%%odyssey start --portrait\na desert\nat noon")
    assert "no image at 'no.png'" in run("%odyssey start a wall --image no.png")
    (connection,) = ody.status()
    assert connection.applied_prompt == "a desert at noon"
    assert connection.orientation == "portrait"
    run("%odyssey disconnect")
    assert "not connected" in run("%odyssey status")
    assert service.held == 0


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        ("%odyssey strat x", "Did you mean start?"),
        ("%odyssey dance", "Known: connect, start"),
        ("%odyssey start", "Describe the world in words"),
        ("%odyssey interact snow", "%odyssey connect"),
        ("%odyssey end", "%odyssey connect"),
        ("%odyssey connect --when-hidden soon", "Write (120, 300)"),
        ("%odyssey connect --nonsense", "%odyssey help connect"),
        ('%odyssey start "open', "quotation mark"),
        ("%%odyssey status\nwhat", "takes no cell body"),
        ("%odyssey connect --url http://127.0.0.1:9", "API key"),
    ],
)
def test_a_mistake_is_one_line(run: Run, cell: str, says: str) -> None:
    """No traceback, one line, and the remedy in it."""
    shown = run(cell).strip()
    assert says in shown
    assert "\n" not in shown
    assert "Traceback" not in shown


def test_help_shows_every_verb_and_its_example(run: Run) -> None:
    """The list names each verb, and each verb's help has an example to copy."""
    overview = run("%odyssey help")
    for verb in verbs.VERBS.values():
        assert verb.name in overview
        assert verb.example in run(f"%odyssey help {verb.name}")
        assert verb.help
        assert all(option.help for option in verb.options)


def test_help_explains_how_pictures_are_read(run: Run) -> None:
    """What only Python can do is named in the list, and shown with an example."""
    assert "frames, live, on_frame" in run("%odyssey help")
    for name in verbs.READING:
        shown = run(f"%odyssey help {name}")
        assert f"stream.{name}(" in shown
        assert "Raises:" in shown or name == "snapshot"
    shown = run("%odyssey help on_frame")
    assert "every=1, seconds=None" in shown
    assert ">>> @stream.on_frame(seconds=0.5)" in shown


def test_a_bug_keeps_its_traceback(run: Run) -> None:
    """Only our own errors are shortened."""
    assert "ZeroDivisionError" in run("1 / 0")
    assert "Traceback" in run("1 / 0")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('start "a misty forest" --portrait', ["start", "a misty forest", "--portrait"]),
        ("interact it's snowing, isn't it", ["interact", "it's", "snowing,", "isn't", "it"]),
        ("connect 'my world'", ["connect", "'my", "world'"]),
        ("", []),
        ("interact # is no comment", ["interact", "#", "is", "no", "comment"]),
    ],
)
def test_lines_are_split_as_prose(line: str, words: list[str]) -> None:
    """Double quotes hold words together; apostrophes are letters."""
    assert _words(line) == words
