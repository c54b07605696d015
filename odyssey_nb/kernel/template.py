"""Prompts with places in them: what may stand there, how it reads, and how it changes over time."""

from __future__ import annotations

import math
import re
import string
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar, TypeGuard

from odyssey_nb.errors import UsageError

if TYPE_CHECKING:
    from odyssey_nb.kernel.script import Script

AMOUNTS = ("no", "light", "moderate", "dense", "extreme")
MOST_WORDS = 1001  # different ones of a control that a page is told beforehand

_LONE_COMMAS = re.compile(r"\s*,(?:\s*,)+")

Keyframes = Mapping[float, Mapping[str, Any]]
Moment = tuple[float, dict[str, Any]]  # seconds, and the values of all controls


@dataclass(frozen=True)
class Choice:
    """One of several texts."""

    options: tuple[str, ...]
    kind: ClassVar[str] = "choice"

    @property
    def start(self) -> str:
        """Where it stands at first."""
        return self.options[0]

    def check(self, value: object) -> str:
        """Return `value` if it may stand here."""
        if str(value) not in self.options:
            raise ValueError(f"one of {', '.join(self.options)}, not {value!r}")
        return str(value)

    def say(self, value: str) -> str:
        """Return how a value reads."""
        return value


@dataclass(frozen=True)
class Toggle:
    """A word, or nothing."""

    word: str
    start: bool
    kind: ClassVar[str] = "toggle"

    def check(self, value: object) -> bool:
        """Return `value` if it may stand here."""
        if not isinstance(value, bool):
            raise ValueError(f"True or False, not {value!r}")  # noqa: TRY004 - as for the others
        return value

    def say(self, value: bool) -> str:  # noqa: FBT001 - it is the value
        """Return how a value reads."""
        return self.word if value else ""


@dataclass(frozen=True)
class Text:
    """Any text; where none stands at first, also a number, which a format may say."""

    start: str | None  # None: there is none, and one must be given
    kind: ClassVar[str] = "text"

    def check(self, value: object) -> str | float:
        """Return `value` if it may stand here."""
        if value is None:
            raise ValueError("given in words")
        return value if self.start is None and _is_number(value) else str(value)

    def say(self, value: str | float) -> str:
        """Return how a value reads."""
        return value if isinstance(value, str) else f"{value:g}"


@dataclass(frozen=True)
class Number:
    """A number from `low` to `high`, which `words` puts into words, where there are any."""

    low: float
    high: float
    step: float  # of an arrow key
    start: float
    words: Callable[[float], str] | None = None
    kind: ClassVar[str] = "number"

    @property
    def whole(self) -> bool:
        """Whether it counts."""
        return all(isinstance(each, int) for each in (self.low, self.high, self.step))

    @property
    def grid(self) -> float:
        """The smallest difference between two values."""
        return self.step if self.whole else self.step / 10

    @property
    def size(self) -> int:
        """How many values there are, less one."""
        return max(1, round((self.high - self.low) / self.grid))

    def value(self, number: int) -> float:
        """Return value `number` of `size`, from 0."""
        if self.whole:
            return self.low + number * self.grid
        return round(min(self.high, self.low + number * self.grid), 10)

    def check(self, value: object) -> float:
        """Return `value`, as the nearest that there is, if it may stand here."""
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not is_number or not self.low <= float(value) <= self.high:  # type: ignore[arg-type]
            raise ValueError(f"a number from {self.low:g} to {self.high:g}, not {value!r}")
        return self.value(round((float(value) - self.low) / self.grid))  # type: ignore[arg-type]

    def say(self, value: float) -> str:
        """Return how a value reads."""
        return f"{value:g}" if self.words is None else str(self.words(value))


Control = Choice | Toggle | Text | Number


def scale(
    *words: str | Callable[[float], str],
    low: float = 0.0,
    high: float = 1.0,
    step: float | None = None,
    start: float | None = None,
) -> Number:
    """Return a number that reads as words: `odyssey_nb.scale`."""
    if len(words) == 1 and callable(words[0]):
        reads = words[0]
    else:
        steps = [str(each) for each in words or AMOUNTS]

        def reads(value: float) -> str:
            return steps[min(len(steps) - 1, int((value - low) / (high - low) * len(steps)))]

    return number(low, high, step, start, reads)


def mix(first: str, second: str, *, start: float = 0.0) -> Number:
    """Return the weight between two prompts, from 0 for the first to 1: `odyssey_nb.mix`."""

    def reads(weight: float) -> str:
        more, less = (first, second) if weight < 0.5 else (second, first)
        share = max(weight, 1 - weight)
        if share > 0.95:
            return more
        return f"mostly {more}, a little {less}" if share > 0.65 else f"half {first}, half {second}"

    return number(0.0, 1.0, None, start, reads)


def number(
    low: float,
    high: float,
    step: float | None = None,
    start: float | None = None,
    words: Callable[[float], str] | None = None,
) -> Number:
    """Return a number, with a step that suits its range."""
    if not low < high:
        raise ValueError(f"({low}, {high}): the first number must be the smaller")
    counts = isinstance(low, int) and isinstance(high, int)
    step = step or (1 if counts else (high - low) / 50)
    if step < 0 or (high - low) / step > 100_000:
        raise ValueError(f"a step of {step:g} from {low:g} to {high:g} is too small")
    made = Number(low, high, step, low, words)
    return Number(low, high, step, low if start is None else made.check(start), words)


def control(name: str, given: object) -> Control:
    """Return what stands for `given`: choices, a range, a switch, free text, or itself."""
    if isinstance(given, (Choice, Toggle, Text, Number)):
        return given
    if isinstance(given, bool):
        return Toggle(name.replace("_", " "), given)
    if isinstance(given, str):
        return Text(given)
    if isinstance(given, (int, float)):
        return Text(f"{given:g}")
    if isinstance(given, tuple) and len(given) in {2, 3} and all(map(_is_number, given)):
        try:
            return number(*given)
        except ValueError as error:
            raise ValueError(f"{name}={error}") from error
    if not isinstance(given, Iterable):
        raise ValueError(f"{name}={given!r} is neither choices nor a range")  # noqa: TRY004 - one kind
    options = tuple(str(each) for each in given)
    if not options:
        raise ValueError(f"{name} has no choices")
    return Choice(options)


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


class Template:
    """A prompt with places: `odyssey_nb.prompt` makes one. Calling it returns the prompt.

    >>> walk = ody.prompt("{fog} fog at {time}", fog=ody.scale(), time=["dawn", "dusk"])
    >>> walk(fog=0.5)
    'moderate fog at dawn'
    >>> walk.script({0: {"fog": 0}, 10: {"fog": 1, "time": "dusk"}}).simulate()

    Attributes:
        text: As it was written.
        controls: What may stand in each place, by its name.
    """

    def __init__(self, text: str, given: Mapping[str, object], *, free: bool = False) -> None:
        self.text = text
        self.pieces = [
            (words, name, form or "") for words, name, form, _ in string.Formatter().parse(text)
        ]
        names = list(dict.fromkeys(name for _, name, _ in self.pieces if name is not None))
        for name in names:
            if not name.isidentifier():
                raise ValueError(f"{{{name}}} is not a name: write {{weather}}, for example")
        unknown, missing = set(given) - set(names), [n for n in names if n not in given]
        if missing and not free:
            raise ValueError(f"no values for {', '.join(missing)}: write {missing[0]}=[…]")
        if unknown:
            raise ValueError(f"the template has no {{{sorted(unknown)[0]}}}")
        self.controls: dict[str, Control] = {
            name: control(name, given[name]) if name in given else Text(None) for name in names
        }
        if not missing:
            self()  # a format that does not fit its control says so here

    @property
    def start(self) -> dict[str, Any]:
        """Where every control stands at first."""
        return {name: each.start for name, each in self.controls.items()}

    def check(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return values that may stand in their places.

        Raises:
            UsageError: There is no such place, or nothing like that may stand there.
        """
        for name in values:
            if name not in self.controls:
                raise UsageError(
                    f"the template has no {{{name}}}", hint=f"It has {', '.join(self.controls)}."
                )
        checked = {}
        for name, value in values.items():
            try:
                checked[name] = self.controls[name].check(value)
            except ValueError as error:
                raise UsageError(f"{name} is {error}", hint=f"Write {name}=…") from error
        return checked

    def __call__(self, **values: Any) -> str:
        """Return the prompt; what is not given stands as at first.

        Raises:
            UsageError: There is no such place, or nothing like that may stand there.
        """
        standing = self.check(self.start | values)
        said, whole = [], True
        for words, name, form in self.pieces:
            said.append(words)
            if name is not None:
                said.append(self.say(name, standing[name], form))
                whole = whole and said[-1] != ""
        prompt = " ".join("".join(said).split())
        # A word that is left out leaves no commas behind.
        return prompt if whole else _LONE_COMMAS.sub(",", prompt).strip(" ,")

    def say(self, name: str, value: Any, form: str = "") -> str:  # noqa: ANN401 - as the control takes
        """Return how a value reads in the place `name` that has the format `form`."""
        return format(value, form) if form else self.controls[name].say(value)

    def __str__(self) -> str:
        return self()

    def __repr__(self) -> str:
        return f"<Template {self.text!r}>"

    def table(self, name: str, form: str) -> list[tuple[int, str]]:
        """Return from which value on a number reads how; nothing if that are too many words."""
        found: list[tuple[int, str]] = []
        here = self.controls[name]
        if not isinstance(here, Number) or here.size >= MOST_WORDS:
            return found
        for n in range(here.size + 1):
            words = self.say(name, here.value(n), form)
            if not found or words != found[-1][1]:
                found.append((n, words))
        return found

    def timeline(
        self, keyframes: Keyframes, every: float = 1.0
    ) -> list[tuple[float, dict[str, Any]]]:
        """Return the values at each keyframe and `every` so many seconds between them.

        Numbers go from one keyframe to the next in a straight line, everything else jumps. The
        first keyframe counts as the beginning.

        Raises:
            UsageError: There is no keyframe, or one has values that cannot be.
        """
        if not keyframes or not every > 0:
            raise UsageError(
                "an automation has keyframes, and a gap between its prompts",
                hint='Write {0: {"fog": 0}, 10: {"fog": 1}}, every=1.',
            )
        frames = sorted((float(time), self.check(each)) for time, each in keyframes.items())
        began, ended = frames[0][0], frames[-1][0]
        ticks = {began + n * every for n in range(math.ceil((ended - began) / every))}
        tracks = {
            name: [(time, each[name]) for time, each in frames if name in each]
            for name in self.controls
        }
        return [
            (
                round(time - began, 3),
                {
                    name: self._value_at(name, track, time) if track else self.controls[name].start
                    for name, track in tracks.items()
                },
            )
            for time in sorted(ticks | {time for time, _ in frames})
        ]

    def _value_at(self, name: str, track: list[tuple[float, Any]], time: float) -> Any:  # noqa: ANN401 - as the control takes
        here = self.controls[name]
        n = bisect_right([each for each, _ in track], time) - 1
        if n < 0:
            return track[0][1]
        if n + 1 == len(track) or not isinstance(here, Number):
            return track[n][1]
        (before, low), (after, high) = list(pairwise(track))[n]
        return here.check(low + (high - low) * (time - before) / (after - before))

    def script(self, keyframes: Keyframes, *, every: float = 1.0, hold: float = 0.0) -> Script:
        """Return keyframes over time as a script: a prompt wherever the words change.

        Args:
            keyframes: What stands where, by seconds: ``{0: {"fog": 0}, 10: {"fog": 1}}``.
            every: Seconds between two looks at what the words are.
            hold: Seconds that go on after the last keyframe.

        Raises:
            UsageError: There is no keyframe, or one has values that cannot be.
            ScriptError: It would have no length.
        """
        from odyssey_nb.kernel.script import read

        said: list[tuple[float, str, str]] = []
        end = 0.0
        for end, values in self.timeline(keyframes, every):
            words = self(**values)
            if not said or words != said[-1][2]:
                said.append((end, "interact" if said else "start", words))
        return read([*said, (end + hold, "end")])
