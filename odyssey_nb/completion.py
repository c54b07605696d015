"""What Tab offers after ``%odyssey`` and ``%%odyssey``: verbs, options, and what there is now.

Nothing here asks a service or waits: connections and prompts are those that this kernel knows,
sessions those that have a lease on this machine.
"""

from __future__ import annotations

import re
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from IPython.core.completer import SimpleCompletion, context_matcher

from odyssey_nb import verbs
from odyssey_nb.errors import OdysseyNBError
from odyssey_nb.kernel import leases
from odyssey_nb.kernel.runtime import runtime
from odyssey_nb.kernel.sessions import SHORTEST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from IPython.core.completer import CompletionContext, SimpleMatcherResult
    from IPython.core.interactiveshell import InteractiveShell

IDENTIFIER = "odyssey_nb"  # of the matcher
FIRST = 1000  # its priority: what it finds makes looking for names of Python needless
MOST = 50  # prompts, and the cells that are looked through for them
FILES = 200

_LINE = re.compile(r"\s*(?:[\w, ]+=\s*)?%odyssey\s+(?P<said>.*)", re.DOTALL)
_CELL = re.compile(r"\s*%%odyssey\s+(?P<said>.*)", re.DOTALL)
_ENTRY = re.compile(r"\s*[\d.]+\s+(?P<verb>\w*)(?:\s+(?P<prompt>.*))?")  # of a script in a cell
_SAID = re.compile(  # a prompt as a cell says it, to the magic or in Python
    r"""%odyssey\s+(?:start|interact)\s+(?:--\w\S*\s+)*["']?(?P<magic>[^"'\n-][^"\n]*?)["']?(?:\s+--\w.*)?\s*$"""
    r"""|\b(?:start|interact)\(\s*(?P<quote>["'])(?P<python>.+?)(?P=quote)""",
    re.MULTILINE,
)
_WORDS = "start", "interact", "mark", "end"


class Found(NamedTuple):
    """What may stand where the cursor is, and how much of it is there already."""

    fragment: str
    offers: list[str]
    kind: str = "param"


def matcher(shell: InteractiveShell) -> Callable[[CompletionContext], SimpleMatcherResult]:
    """Return the matcher for `shell`, in IPython's second form."""

    @context_matcher(priority=FIRST, identifier=IDENTIFIER)
    def odyssey_matcher(context: CompletionContext) -> SimpleMatcherResult:
        lines = context.full_text.split("\n")
        before = context.text_until_cursor
        found = _in_cell(lines, context.cursor_line, before, shell) or Found("", [])
        return {
            # Only what offers something keeps names of Python, which Jedi looks for at length, out
            # of a prompt: so that may be what is there already.
            "completions": [
                SimpleCompletion(each, type=found.kind)
                for each in found.offers or filter(None, [found.fragment])
            ],
            "matched_fragment": found.fragment,
            "suppress": True,
            "ordered": True,
        }

    made: Callable[[CompletionContext], SimpleMatcherResult] = odyssey_matcher
    return made


def add(shell: InteractiveShell) -> None:
    """Let Tab complete the magic in `shell`; another matcher of ours goes."""
    remove(shell)
    shell.Completer.custom_matchers.append(matcher(shell))


def remove(shell: InteractiveShell) -> None:
    """Complete it no more."""
    matchers = shell.Completer.custom_matchers
    ours = [each for each in matchers if getattr(each, "matcher_identifier", "") == IDENTIFIER]
    for each in ours:
        matchers.remove(each)


def _in_cell(lines: list[str], number: int, before: str, shell: InteractiveShell) -> Found | None:
    """Return what fits behind `before`, in line `number` of a cell; None if that is not ours."""
    first = next((each for each, line in enumerate(lines) if line.strip()), 0)
    head = _CELL.fullmatch(lines[first])
    if number == first and (said := _CELL.fullmatch(before)) is not None:
        return complete(said["said"], shell, cell=True)
    if head is not None:
        entry = _ENTRY.fullmatch(before)
        if number > first and head["said"].split()[:1] == ["simulate"] and entry is not None:
            if entry["prompt"] is None:
                return _matching(entry["verb"], _WORDS, "keyword")
            return _matching(entry["prompt"], _prompts(shell), "text")
        return Found(before[before.rfind(" ") + 1 :], [])
    said = _LINE.fullmatch(before)
    return None if said is None else complete(said["said"], shell)


def complete(said: str, shell: InteractiveShell, *, cell: bool = False) -> Found:
    """Return what fits behind ``%odyssey `` and `said`.

    Args:
        said: What stands there, up to the cursor.
        shell: Whose cells know prompts.
        cell: Whether it is the cell magic, in whose head only verbs with a body make sense.
    """
    spans = [(each.start(), each[0]) for each in re.finditer(r"\S+", said)]
    typed = "" if not spans or said[-1].isspace() else spans.pop()[1]
    words = [each for _, each in spans]
    if not words:
        names = [each.name for each in verbs.VERBS.values() if each.cell or not cell]
        aliases = [each.alias for each in verbs.VERBS.values() if each.alias and not cell]
        return _matching(typed, [*names, *aliases], "keyword")
    verb = next(
        (each for each in verbs.VERBS.values() if words[0] in {each.name, each.alias}), None
    )
    if verb is None:
        return Found(typed, [])
    options = {flag: each for each in verb.options for flag in each.flags}
    before = options.get(words[-1])
    if before is not None and _takes_value(before):
        return _offer(words[-1], typed, shell)
    if typed.startswith("-"):
        free = [each for each in options if each.startswith("-") and each not in words]
        return _matching(typed, free, "param")
    places = [each for each in verb.options if not each.flags[0].startswith("-")]
    plain = _plain(spans[1:], options)
    if not places or (cell and verb.cell):
        return _matching(typed, [] if typed else [each for each in options if each[0] == "-"])
    place = places[min(len(plain), len(places) - 1)]
    if len(plain) >= len(places) and place.more.get("nargs") not in {"*", "+"}:
        return Found(typed, [])
    if place.flags[0] in {"prompt", "template"}:  # of many words, and perhaps quoted
        typed = (said[plain[0] :] if plain else typed).lstrip("\"'")
    return _offer(place.flags[0], typed, shell)


def _takes_value(option: verbs.Option) -> bool:
    return option.flags[0].startswith("-") and option.more.get("action") != "store_true"


def _plain(spans: list[tuple[int, str]], options: Mapping[str, verbs.Option]) -> list[int]:
    """Return where words begin that belong to no option."""
    found, skip = list[int](), False
    for start, word in spans:
        option = options.get(word) if word.startswith("-") else None
        if option is None and not skip:
            found.append(start)
        skip = option is not None and _takes_value(option)
    return found


def _offer(place: str, typed: str, shell: InteractiveShell) -> Found:
    """Return what may stand in the place of this name."""
    match place:
        case "--on" | "name" | "names":
            return _matching(typed, _connections())
        case "id":
            return _matching(typed, [*_sessions(), *_connections()])
        case "prompt" | "template":
            return _matching(typed, _prompts(shell), "text")
        case "script":
            return _matching(typed, _files(typed, {".txt", ".json"}), "path")
        case "--image":
            return _matching(typed, _files(typed, {".png", ".jpg", ".jpeg", ".webp"}), "path")
        case "verb":
            return _matching(typed, [*verbs.VERBS, *verbs.READING], "keyword")
        case "--when-hidden":
            return _matching(typed, ["120,300", "off"])
        case "values":
            return _matching(typed.rpartition("=")[2], ["scale", "on"] if "=" in typed else [])
        case _:
            return Found(typed, [])


def _matching(typed: str, offers: Iterable[str], kind: str = "param") -> Found:
    """Return those that begin as typed, and the same in another case where none does."""
    known = list(dict.fromkeys(offers))
    exact = [each for each in known if each.startswith(typed)]
    folded = [each for each in known if each.casefold().startswith(typed.casefold())]
    return Found(typed, exact or folded, kind)


def _connections() -> list[str]:
    manager = runtime().manager
    return [] if manager is None else manager.names()


def _sessions() -> list[str]:
    """Return the sessions as `ody.sessions` shows them, of this kernel and of leases."""
    manager = runtime().manager
    own = [] if manager is None else [each.session_id for each in manager.all()]
    leased = [each.info.session_id for each in leases.others()]
    return [each[:SHORTEST] for each in (*own, *leased) if each]


def _prompts(shell: InteractiveShell) -> list[str]:
    """Return prompts that were said here, the newest first, and those that sliders read as."""
    manager, history = runtime().manager, shell.history_manager
    applied = [
        each.text
        for connection in ([] if manager is None else manager.all())
        for each in reversed(connection.happenings)
        if each.kind in {"start", "interact"}
    ]
    said = [
        match["magic"] or match["python"]
        for cell in reversed([] if history is None else history.input_hist_raw[-MOST:])
        for match in _SAID.finditer(cell)
    ]
    return list(dict.fromkeys(chain(said, applied, _read(shell))))[:MOST]


def _read(shell: InteractiveShell) -> Iterable[str]:
    """Yield how templates and sliders in variables read now, and with each of their presets."""
    for value in list(shell.user_ns.values()):
        if type(value).__module__ in {"odyssey_nb.kernel.template", "odyssey_nb.widgets.sliders"}:
            template = getattr(value, "template", value)
            presets = getattr(value, "presets", {})
            for values in ({}, *presets.values()):
                try:
                    yield str(template(**values))
                except (
                    OdysseyNBError,
                    TypeError,
                    ValueError,
                ):  # a place that must be given in each call
                    continue


def _files(typed: str, suffixes: set[str]) -> list[str]:
    """Return folders and files of these kinds whose paths begin as typed."""
    head, slash, _ = typed.rpartition("/")
    folder = Path(head + slash or ".").expanduser()
    try:
        found = sorted(folder.iterdir())[:FILES]
    except OSError:
        return []
    return [
        f"{head}{slash}{each.name}" + "/" * each.is_dir()
        for each in found
        if not each.name.startswith(".") and (each.is_dir() or each.suffix.lower() in suffixes)
    ]
