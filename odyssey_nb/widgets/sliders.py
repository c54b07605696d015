"""A prompt with controls in it: each change steers the stream, one at a time, newest wins."""

from __future__ import annotations

import html
import logging
import string
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import ipywidgets as w

from odyssey_nb.errors import OdysseyNBError
from odyssey_nb.kernel.manager import get_manager
from odyssey_nb.widgets.base import answer_while_busy

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)


class NewestWins:
    """Runs `work` on the newest value, one at a time; values given meanwhile replace each other.

    A thread exists only while there is work.
    """

    def __init__(self, work: Callable[[str], None]) -> None:
        self._work = work
        self._lock = threading.Lock()
        self._next: str | None = None
        self._running = False

    def put(self, value: str) -> None:
        """Let `work` have `value` as soon as it is free, unless a newer one comes first."""
        with self._lock:
            self._next = value
            if self._running:
                return
            self._running = True
        thread = threading.Thread(target=self._run, name="odyssey-sliders", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            self._running = False
            raise

    def _run(self) -> None:
        while True:
            with self._lock:
                value, self._next = self._next, None
                if value is None:
                    self._running = False
                    return
            try:
                self._work(value)
            except Exception:
                log.exception("steering failed")  # the next value may fare better


class Sliders(w.VBox):
    """A prompt template with a control for each of its names; `prompt` is what it says now.

    See `odyssey_nb.sliders` for the arguments.
    """

    def __init__(self, template: str, *, on: str = "default", **values: Any) -> None:
        self._parts = list(string.Formatter().parse(template))
        names = [name for _, name, _, _ in self._parts if name is not None]
        for name in names:
            if not name.isidentifier():
                raise ValueError(f"{{{name}}} is not a name: write {{weather}}, for example")
        unknown, missing = set(values) - set(names), [n for n in names if n not in values]
        if missing:
            raise ValueError(f"no values for {', '.join(missing)}: write {missing[0]}=[…]")
        if unknown:
            raise ValueError(f"the template has no {{{sorted(unknown)[0]}}}")
        self.template = template
        self._on = on
        self._controls = {name: control(name, values[name]) for name in dict.fromkeys(names)}
        self._line = w.HTML()
        self._steering = NewestWins(self._steer)
        for each in self._controls.values():
            each.observe(self._changed, "value")
            answer_while_busy(each)
        assert self.prompt is not None  # a format that does not fit its control says so here
        super().__init__([*self._controls.values(), self._line])
        self._say("not sent yet; move a control")

    @property
    def prompt(self) -> str:
        """The prompt as the controls stand."""
        said = []
        for text, name, form, _ in self._parts:
            said.append(text)
            if name is not None:
                value = self._controls[name].value
                said.append(format(value, form) if form else wording(name, value))
        return "".join(said)

    def set(self, **values: Any) -> None:
        """Move controls from code: ``sliders.set(weather="foggy")``."""
        for name, value in values.items():
            self._controls[name].value = value

    def _changed(self, _change: object) -> None:
        prompt = " ".join(self.prompt.split())
        self._say(f"sending: {prompt}")
        self._steering.put(prompt)

    def _steer(self, prompt: str) -> None:
        try:
            connection = get_manager()[self._on]
            stream = connection.stream
            if stream is None:
                stream = connection.start(prompt, orientation=connection.orientation)
                self._say(f"started: {stream.prompt}")
            else:
                self._say(f"applied: {stream.interact(prompt)}")
        except OdysseyNBError as error:
            self._say(error.one_line())

    def _say(self, text: str) -> None:
        self._line.value = f'<span role="status">{html.escape(text)}</span>'


def control(name: str, values: object) -> w.Widget:
    """Return the control for `values`: choices, a pair of numbers, a switch, or free text."""
    style = {"description_width": "initial"}
    label = name.replace("_", " ")
    if isinstance(values, bool):
        return w.Checkbox(values, description=label, indent=False)
    if isinstance(values, str):
        return w.Text(values, description=label, style=style, continuous_update=False)
    if isinstance(values, tuple) and len(values) == 2 and all(_is_number(v) for v in values):
        low, high = values
        if not low < high:
            raise ValueError(f"{name}=({low}, {high}): the first number must be the smaller")
        kind = w.IntSlider if all(isinstance(v, int) for v in values) else w.FloatSlider
        return kind(value=low, min=low, max=high, description=label, style=style)
    if not isinstance(values, Iterable):
        raise ValueError(f"{name}={values!r} is neither choices nor a range")  # noqa: TRY004 - one kind
    choices = [str(value) for value in values]
    if not choices:
        raise ValueError(f"{name} has no choices")
    if len(choices) <= 5:
        return w.ToggleButtons(options=choices, description=label, style=style)
    return w.Dropdown(options=choices, description=label, style=style)


def wording(name: str, value: object) -> str:
    """Return how a control's value reads in the prompt."""
    if isinstance(value, bool):
        return name.replace("_", " ") if value else ""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
