"""What a sweep runs: prompts × parameters × images × repeats, each named by its content."""

from __future__ import annotations

import hashlib
import json
import re
import string
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from odyssey_nb.errors import EmptyPromptError, ImageError, UsageError
from odyssey_nb.kernel.connection import is_portrait
from odyssey_nb.kernel.script import Script, read, with_image
from odyssey_nb.kernel.template import Choice, Number, Template, Text, Toggle
from odyssey_nb.media.clip import Clip
from odyssey_nb.wire.script import Interact

if TYPE_CHECKING:
    from odyssey_nb.media.image import Source
    from odyssey_nb.research.sweep.store import Note, Store
    from odyssey_nb.wire.script import Entry

MOST_RUNS = 10_000
OURS = ("prompt", "image", "seconds", "orientation", "repeat", "status", "reason")  # columns

_SCRIPT = re.compile(r"\s*0[.0]*\s+start\s")


@dataclass(frozen=True, eq=False, kw_only=True)
class Run:
    """One run of a sweep.

    Attributes:
        values: What it has of each thing that the sweep varies, by name.
        script: What is said to the world, and when; without the image.
        image: What it starts from.
        orientation: ``"landscape"`` or ``"portrait"``.
        bypass: Whether prompts are taken as they are.
        key: Names its content: the same run has the same key in every kernel.
    """

    values: dict[str, Any]
    script: Script
    image: Source | None = field(repr=False)
    orientation: str
    bypass: bool
    key: str
    store: Store = field(repr=False)

    @property
    def label(self) -> str:
        """Its values in a few words."""
        return ", ".join(_told(name, value) for name, value in self.values.items())

    @property
    def prompt(self) -> str:
        """What its world starts with."""
        first = self.script.entries[0].start
        assert first is not None
        return first.prompt

    @property
    def note(self) -> Note:
        """What is known of it, here on disk."""
        return self.store.note(self.key)

    @property
    def status(self) -> str:
        """``waiting``, ``asked``, ``running``, ``done`` or ``failed``."""
        return self.note.state

    @property
    def error(self) -> str:
        """Why it failed; else nothing."""
        return self.note.error

    @property
    def full_script(self) -> Script:
        """Its script with the image, as services take it."""
        if self.image is None:
            return self.script
        return with_image(self.script, self.image, self.orientation)

    def clip(self) -> Clip:
        """Read its clip from the sweep's folder.

        Raises:
            UsageError: It is not done.
        """
        note = self.note
        if note.state != "done":
            why = f"{note.state}: {note.error}" if note.error else note.state
            raise UsageError(f"this run is {why}", hint="sweep.wait() waits until all are done.")
        return self.store.clip(self.key)

    def __repr__(self) -> str:
        return f"<Run {self.label or self.prompt!r}: {self.status}>"


@dataclass(frozen=True)
class _World:
    """What may be run with other values: a prompt or a script, and the names in it."""

    label: str
    names: tuple[str, ...]
    given: str | Template | Script

    @property
    def words(self) -> str:
        """How it begins, with the names in it."""
        if isinstance(self.given, Script):
            return next(iter(self.given))[2]
        return self.given.text if isinstance(self.given, Template) else self.given

    def stands(self, name: str) -> bool:
        """Whether something stands in a place by itself."""
        control = self.given.controls[name] if isinstance(self.given, Template) else Text(None)
        return not isinstance(control, Text) or control.start is not None

    def script(self, values: Mapping[str, Any], seconds: float, switches: set[str]) -> Script:
        """Return what is run with these values; of `switches`, True stands for the name itself."""
        if isinstance(self.given, Script):
            if not self.names:
                return self.given
            return Script([_filled(each, values, switches) for each in self.given.entries])
        template = (
            self.given if isinstance(self.given, Template) else _template(self.given, switches)
        )
        return read([(0, "start", template(**values)), (seconds, "end")])


def plan(
    prompts: object,
    parameters: Mapping[str, object],
    *,
    images: object,
    repeats: int,
    seconds: float | Sequence[float],
    orientation: str | Sequence[str],
    bypass: bool,
    salt: str,
    store: Store,
) -> list[Run]:
    """Return the runs, prompts first and repeats last; what would be the same run twice is one.

    Args:
        prompts: What `odyssey_nb.sweep` takes.
        parameters: Values by name.
        images: Images, or None.
        repeats: How often each.
        seconds: How long prompts run that are no scripts.
        orientation: One, or both.
        bypass: Whether prompts are taken as they are.
        salt: What distinguishes runs besides: the service, and whether they are live.
        store: Where they are kept.

    Raises:
        UsageError: Names and values do not fit each other, or there are none, or too many.
        ImageError: An image cannot be read.
        ScriptError: A script breaks a rule.
    """
    worlds = _worlds(prompts)
    axes = {name: _values(name, given) for name, given in parameters.items()}
    _check(worlds, axes)
    switches = {name for name, each in axes.items() if all(isinstance(v, bool) for v in each)}
    if repeats < 1:
        raise UsageError(f"repeats={repeats}", hint="Write repeats=1, or more.")
    pictures = _images(images)
    digests = [_digest(each) for _, each in pictures]
    lengths = _values("seconds", seconds)
    ways = _values("orientation", orientation)
    count = len(worlds) * len(pictures) * len(lengths) * len(ways) * repeats
    for each in axes.values():
        count *= len(each)
    if count > MOST_RUNS:
        raise UsageError(f"that would be {count} runs, more than {MOST_RUNS}", hint="Vary less.")
    runs: dict[str, Run] = {}
    for world, values in _fillings(worlds, axes):
        others = product(zip(pictures, digests, strict=True), lengths, ways, range(repeats))
        for ((label, image), digest), length, way, repeat in others:
            varied = {
                "image": label if images is not None else None,
                "seconds": length if len(lengths) > 1 else None,
                "orientation": way if len(ways) > 1 else None,
                "repeat": repeat + 1 if repeats > 1 else None,
            }
            shown = {"prompt": world.label} if len(worlds) > 1 else {}
            shown |= values | {name: each for name, each in varied.items() if each is not None}
            script = world.script(values, length, switches)
            said = [script.api, script.marks]
            content = [salt, said, digest, is_portrait(way), bypass, repeat]
            key = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
            run = Run(
                values=shown, script=script, image=image, orientation=way, bypass=bypass, key=key,
                store=store,
            )  # fmt: skip
            runs.setdefault(key, run)
    return list(runs.values())


def _fillings(
    worlds: Sequence[_World], axes: Mapping[str, Sequence[Any]]
) -> Iterator[tuple[_World, dict[str, Any]]]:
    """Yield every prompt with every set of values that it has places for."""
    for world in worlds:
        names = [name for name in axes if name in world.names]
        for chosen in product(*(axes[name] for name in names)):
            yield world, dict(zip(names, chosen, strict=True))


def name_of(prompts: object) -> str:
    """Return what a sweep is called that was given no name: its first words, for a folder."""
    slug = re.sub(r"[^a-z0-9]+", "-", _worlds(prompts)[0].words.lower()).strip("-")
    return slug[:40].strip("-") or "sweep"


def _told(name: str, value: object) -> str:
    """Say a value, with its name where it would not be understood alone."""
    if isinstance(value, bool):
        return name if value else f"no {name}"
    if name == "repeat":
        return f"#{value}"
    if name == "seconds":
        return f"{value:g} s"
    if isinstance(value, (int, float)):
        return f"{name} {value:g}"
    return str(value)


def _worlds(given: object) -> list[_World]:
    if isinstance(given, Mapping):
        named = [(str(label), each) for label, each in given.items()]
    else:
        several = _is_several(given)
        each_one: Iterable[object] = given if several else [given]  # type: ignore[assignment]
        named = [("", each) for each in each_one]
    if not named:
        raise UsageError("a sweep has a prompt", hint='Write ody.sweep("a {weather} forest", …).')
    return [_world(label, each) for label, each in named]


def _is_several(given: object) -> bool:
    """Whether this is a list of prompts or scripts, and not one script."""
    if not isinstance(given, (list, tuple)):
        return False
    if not given or any(isinstance(each, (str, Path, Template, Script, Clip)) for each in given):
        return True
    first = given[0]
    return (
        isinstance(first, (list, tuple)) and bool(first) and not isinstance(first[0], (int, float))
    )


def _world(label: str, given: object) -> _World:
    if isinstance(given, Template):
        return _World(label or given.text, tuple(given.controls), given)
    file = isinstance(given, str) and given.lower().endswith((".txt", ".json"))
    if isinstance(given, str) and "\n" not in given and not file and not _SCRIPT.match(given):
        return _World(label or given, tuple(_template(given, ()).controls), given)
    script = read(given)
    names: dict[str, None] = {}
    for _, _, words in script:
        names |= dict.fromkeys(_names(words))
    return _World(label or next(iter(script))[2], tuple(names), script)


def _names(words: str) -> list[str]:
    """Return the names in a prompt of a script; where braces mean nothing there are none."""
    try:
        return [name for _, name, _, _ in string.Formatter().parse(words) if name]
    except ValueError:
        return []


def _template(text: str, switches: Iterable[str]) -> Template:
    if not text.strip():
        raise EmptyPromptError
    try:
        inside = set(switches) & set(_names(text)) if switches else ()
        return Template(text, dict.fromkeys(inside, True), free=True)
    except ValueError as error:
        raise UsageError(str(error), hint="Braces hold names: a {weather} forest.") from error


def _filled(entry: Entry, values: Mapping[str, Any], switches: set[str]) -> Entry:
    """Return an entry of a script with values in its prompt."""
    said = entry.start or entry.interact
    if said is None:
        return entry
    words = said.prompt
    if _names(words):
        template = _template(words, switches)
        words = template(**{name: values[name] for name in template.controls})
    if not words:
        raise EmptyPromptError
    if entry.start is not None:
        return replace(entry, start=replace(entry.start, prompt=words))
    return replace(entry, interact=Interact(prompt=words))


def _check(worlds: Sequence[_World], axes: Mapping[str, Sequence[Any]]) -> None:
    """Check that each name has values, and each value a place."""
    for world in worlds:
        free = [name for name in world.names if name not in axes and not world.stands(name)]
        if free:
            raise UsageError(f"no values for {', '.join(free)}", hint=f"Write {free[0]}=[…].")
    for name in axes:
        if name in OURS:
            raise UsageError(f"{name!r} is what sweeps call something else", hint="Rename it.")
        if not any(name in world.names for world in worlds):
            raise UsageError(
                f"no prompt has a place for {name}", hint=f"Write {{{name}}} where it shall stand."
            )


def _values(name: str, given: object) -> list[Any]:
    """Return the values that are given for a name."""
    if isinstance(given, Number):
        raise UsageError(
            f"{name} is a scale: say at which numbers",
            hint=f'Write ody.prompt("…{{{name}}}…", {name}=ody.scale()), and {name}=[0, 0.5, 1].',
        )
    if isinstance(given, Choice):
        return list(given.options)
    if isinstance(given, Toggle):
        return [False, True]
    if isinstance(given, (str, bytes)) or not isinstance(given, Iterable):
        given = [given]
    found = list(
        dict.fromkeys(each.item() if isinstance(each, np.generic) else each for each in given)
    )
    if not found:
        raise UsageError(f"no values for {name}", hint=f"Write {name}=[…].")
    for each in found:
        if not isinstance(each, (str, int, float)):
            raise UsageError(
                f"{name} has {each!r}, which is no word and no number",
                hint="Write words or numbers.",
            )
    return found


def _images(given: object) -> list[tuple[str, Source | None]]:
    """Return images with their names."""
    if given is None:
        return [("", None)]
    if isinstance(given, Mapping):
        return [(str(name), each) for name, each in given.items()]
    one = isinstance(given, (str, Path, bytes, Image.Image))
    if (
        one
        or (isinstance(given, np.ndarray) and given.ndim == 3)
        or not isinstance(given, Iterable)
    ):
        given = [given]
    found: list[tuple[str, Any]] = []
    for number, each in enumerate(given):
        path = isinstance(each, Path) or (isinstance(each, str) and not each.startswith("data:"))
        name = Path(each).stem if path else "no image" if each is None else f"image {number + 1}"
        found.append((name, each))
    if not found:
        raise UsageError("no images", hint='Write images=["beach.jpg"], or leave it out.')
    return found


def _digest(image: Any) -> str:  # noqa: ANN401 - any source
    """Return what names an image's content, however it would be encoded."""
    match image:
        case None:
            return ""
        case Image.Image():
            parts = [image.mode.encode(), repr(image.size).encode(), image.tobytes()]
        case np.ndarray():
            parts = [str(image.dtype).encode(), repr(image.shape).encode(), image.tobytes()]
        case bytes():
            parts = [image]
        case str() if image.startswith("data:"):
            parts = [image.encode()]
        case str() | Path():
            try:
                parts = [Path(image).expanduser().read_bytes()]
            except OSError as error:
                raise ImageError(
                    f"no image at {str(image)!r}: {error.strerror}",
                    hint="Paths begin in the notebook's directory.",
                ) from error
        case _:
            raise UsageError(
                f"{type(image).__name__} is no image",
                hint="Give a path, bytes, an image or an array.",
            )
    return hashlib.sha256(b"\0".join(parts)).hexdigest()
