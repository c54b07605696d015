"""Scripts of simulations: what they are made of, and the rules they keep (protocol section 2.9).

A script is a list of entries, from a start at 0 to an end whose time is the video's length. Client
and service read it with the same functions, so that both name a mistake in the same words. Marks
are our own addition: they stay with the client, and to a service they are unknown keys.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

import msgspec

from odyssey_nb.errors import ScriptError
from odyssey_nb.wire.stream import LARGEST_IMAGE, LONGEST_MARK, PICTURES_PER_SECOND

PICTURE_MILLISECONDS = 1000 // PICTURES_PER_SECOND
MOST_SCRIPTS = 20  # in one batch
MOST_ENTRIES = 1000  # in one script
IMAGE_KINDS = ("jpeg", "jpg", "png", "webp", "gif", "bmp", "heic", "heif", "avif")

Milliseconds = Annotated[int, msgspec.Meta(ge=0)]
_IMAGE = re.compile(r"data:image/([a-z]+);base64,([A-Za-z0-9+/]+={0,2})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Begin the world; `image` is a data URL."""

    prompt: str
    image: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Interact:
    """Steer the world."""

    prompt: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Remember this moment; no service is told."""

    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """The video ends here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing that happens, so many milliseconds after the start; exactly one of these."""

    timestamp_ms: Milliseconds
    start: Start | None = None
    interact: Interact | None = None
    end: End | None = None
    mark: Mark | None = None


Script = list[Entry]


def length(script: Script) -> float:
    """Return the length of a script's video, in seconds."""
    return script[-1].timestamp_ms / 1000


def pictures(script: Script) -> int:
    """Return how many pictures a script's video has."""
    return -(-script[-1].timestamp_ms // PICTURE_MILLISECONDS)


def read_scripts(given: object, *, longest: float | None = None) -> list[Script]:
    """Return the scripts of a batch.

    Raises:
        ScriptError: One breaks a rule, as of `read_script`, or there are none or too many.
    """
    if not isinstance(given, list) or not 1 <= len(given) <= MOST_SCRIPTS:
        raise ScriptError(f"scripts: a batch is a list of 1 to {MOST_SCRIPTS} scripts")
    return [
        read_script(each, longest=longest, name=f"scripts[{number}]")
        for number, each in enumerate(given)
    ]


def marks_of(script: Iterable[Entry]) -> list[dict[str, Any]]:
    """Return a script's marks, as clips and recordings have events."""
    return [
        {"time": entry.timestamp_ms / 1000, "type": "mark", "text": entry.mark.text}
        for entry in script
        if entry.mark is not None
    ]


def unmarked(script: Script) -> Script:
    """Return a script as services take it, without the marks."""
    return [entry for entry in script if entry.mark is None]


def read_script(
    given: object, *, longest: float | None = None, name: str = "script", marks: bool = False
) -> Script:
    """Return the script that decoded JSON holds. Unknown keys are ignored.

    Args:
        given: What should be a list of entries.
        longest: How long its video may be, in seconds.
        name: What errors call it; they name the entry as ``name[3]``.
        marks: Whether it may have marks; else they are unknown keys.

    Raises:
        ScriptError: It breaks a rule.
    """
    if not isinstance(given, list) or not given:
        raise ScriptError(f"{name}: a script is a list of entries")
    if len(given) > MOST_ENTRIES:
        raise ScriptError(f"{name}: {len(given)} entries, more than {MOST_ENTRIES}")
    script: Script = []
    for number, each in enumerate(given):
        where = f"{name}[{number}]"
        entry = _read_entry(each, where, marks=marks)
        _check_place(entry, script, where, last=number == len(given) - 1)
        script.append(entry)
    if longest is not None and length(script) > longest:
        end = f"{name}[{len(script) - 1}]"
        raise ScriptError(
            f"{end}: the video would last {length(script):g} s, more than {longest:g}",
            hint="Cut it short, or split it into several scripts.",
        )
    return script


def _read_entry(given: object, where: str, *, marks: bool) -> Entry:
    if not marks and isinstance(given, dict):
        given = {key: value for key, value in given.items() if key != "mark"}
    try:
        entry = msgspec.convert(given, Entry)
    except (msgspec.ValidationError, RecursionError) as error:
        raise ScriptError(f"{where}: {error}".replace("`$.", "`")) from error
    actions = entry.start, entry.interact, entry.end, entry.mark
    count = sum(each is not None for each in actions)
    if count != 1:
        raise ScriptError(f"{where}: exactly one of {_verbs(marks=marks)}, not {count}")
    if entry.mark is not None and len(entry.mark.text) > LONGEST_MARK:
        raise ScriptError(f"{where}: a mark has at most {LONGEST_MARK} characters")
    prompted = entry.start or entry.interact
    if prompted is not None and not prompted.prompt.strip():
        raise ScriptError(f"{where}: the prompt has no words")
    if entry.start is not None and entry.start.image is not None:
        _check_image(entry.start.image, where)
    return entry


def _verbs(*, marks: bool) -> str:
    return "start, interact, mark and end" if marks else "start, interact and end"


def _check_place(entry: Entry, before: Script, where: str, *, last: bool) -> None:
    """Check that an entry may follow those `before` it."""
    if not before:
        if entry.start is None or entry.timestamp_ms != 0:
            raise ScriptError(f"{where}: the first entry is a start at 0")
    elif entry.start is not None:
        raise ScriptError(f"{where}: only the first entry is a start")
    elif entry.timestamp_ms < before[-1].timestamp_ms:
        raise ScriptError(
            f"{where}: {entry.timestamp_ms} ms comes before {before[-1].timestamp_ms} ms"
        )
    if last and entry.end is None:
        raise ScriptError(f"{where}: the last entry is an end")
    if not last and entry.end is not None:
        raise ScriptError(f"{where}: nothing follows an end")
    if last and entry.timestamp_ms == 0:
        raise ScriptError(f"{where}: the end comes after the start")


def _check_image(url: str, where: str) -> None:
    """Check what can be told without decoding the image."""
    found = _IMAGE.fullmatch(url)
    if found is None or found[1] not in IMAGE_KINDS:
        raise ScriptError(
            f"{where}: the image is no data URL of a kind that is supported",
            hint=f"Send data:image/KIND;base64,… with one of {', '.join(IMAGE_KINDS)}.",
        )
    if len(found[2]) * 3 // 4 > LARGEST_IMAGE:
        raise ScriptError(f"{where}: the image has more than {LARGEST_IMAGE // 2**20} MiB")


def parse_lines(text: str) -> Script:
    r"""Return the script that `text` tells, one ``SECONDS VERB PROMPT`` per line.

    Empty lines, and those that begin with ``#``, say nothing.

    >>> parse_lines("0 start a misty forest\n4.5 interact it is snowing\n10 end")

    Raises:
        ScriptError: A line makes no sense, or the script breaks a rule; it names the line.
    """
    lines = [
        (number, line.strip())
        for number, line in enumerate(text.splitlines(), 1)
        if line.strip() and not line.strip().startswith("#")
    ]
    script: Script = []
    for number, line in lines:
        where = f"line {number}"
        seconds, _, rest = line.partition(" ")
        verb, _, prompt = rest.strip().partition(" ")
        given = entry_of(_number(seconds, where), verb, prompt.strip(), where)
        entry = _read_entry(given, where, marks=True)
        _check_place(entry, script, where, last=number == lines[-1][0])
        script.append(entry)
    if not script:
        raise ScriptError("the script has no lines")
    return script


def entry_of(seconds: float, verb: str, prompt: str, where: str) -> dict[str, object]:
    """Return an entry as JSON has it.

    Raises:
        ScriptError: There is no such verb, or the time is none.
    """
    if not 0 <= seconds < 1e6:  # nan is no time either
        raise ScriptError(f"{where}: {seconds:g} is no time in seconds")
    if verb not in {"start", "interact", "mark", "end"}:
        raise ScriptError(f"{where}: {verb!r} is none of {_verbs(marks=True)}")
    action = {} if verb == "end" else {"text" if verb == "mark" else "prompt": prompt}
    return {"timestamp_ms": round(seconds * 1000), verb: action}


def _number(text: str, where: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ScriptError(f"{where}: it begins with a time in seconds, not {text!r}") from None


def gather(given: object) -> list[Script]:
    """Return the scripts that a caller gave in any of the forms that are handy in a cell.

    Text as `parse_lines` reads it, a list of ``(seconds, verb, prompt)``, a list of entries as the
    protocol has them, or a list of such scripts.

    Raises:
        ScriptError: It is none of these, or breaks a rule.
    """
    if not _is_batch(given):
        return [gather_one(given, "script")]
    assert isinstance(given, Sequence)
    if len(given) > MOST_SCRIPTS:
        raise ScriptError(f"scripts: {len(given)} of them, more than {MOST_SCRIPTS}")
    return [gather_one(each, f"scripts[{number}]") for number, each in enumerate(given)]


def gather_one(given: object, name: str) -> Script:
    """Return one script, in any of those forms; errors call it `name`."""
    return (
        parse_lines(given)
        if isinstance(given, str)
        else read_script(_entries(given, name), name=name, marks=True)
    )


def _is_batch(given: object) -> bool:
    """Whether this is a list of scripts: of texts, or of lists of entries."""
    if isinstance(given, str) or not isinstance(given, Sequence) or not given:
        return False
    first = given[0]
    if isinstance(first, str):
        return True
    return isinstance(first, Sequence) and bool(first) and isinstance(first[0], (dict, list, tuple))


def _entries(given: object, name: str) -> object:
    """Return entries as JSON has them; tuples of seconds, verb and prompt become such."""
    if isinstance(given, str) or not isinstance(given, Sequence):
        return given
    entries: list[object] = []
    for number, each in enumerate(given):
        if isinstance(each, (tuple, list)):
            where = f"{name}[{number}]"
            match each:
                case (int() | float() as seconds, str() as verb, *prompt) if len(prompt) <= 1:
                    words = str(prompt[0]) if prompt else ""
                    entries.append(entry_of(seconds, verb, words, where))
                case _:
                    raise ScriptError(f"{where}: an entry is (seconds, verb, prompt)")
        else:
            entries.append(each)
    return entries
