"""A prompt with controls in its sentence: each change steers, one at a time, the newest wins."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets as t

from odyssey_nb.errors import UsageError
from odyssey_nb.kernel.template import Choice, Number, Template
from odyssey_nb.widgets.base import answer_while_busy, module, styles
from odyssey_nb.widgets.steering import EVERY_SECONDS, Steering

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from odyssey_nb.kernel.script import Script
    from odyssey_nb.kernel.template import Keyframes

MOST_STEPS = 50  # that can be taken back; sliders.js has it too


class Sliders(anywidget.AnyWidget):
    """A prompt whose controls stand in its sentence; `prompt` is what it says now.

    See `odyssey_nb.sliders` for how one is made. Drag a control, type, or use the arrow keys, with
    Shift for larger steps and Alt for smaller ones; Ctrl+Z takes back.
    """

    _esm = module("_shared.js", "sliders.js")
    _css = styles("theme.css", "sliders.css")

    pieces: t.List[dict[str, Any]] = t.List(
        help="The sentence: words, and the name and wording of the control behind them."
    ).tag(sync=True)
    controls: t.Dict[str, dict[str, Any]] = t.Dict(
        help="Each control's kind, and what it may be."
    ).tag(sync=True)
    values: t.Dict[str, Any] = t.Dict(help="Where each control stands.").tag(sync=True)
    gesture = t.Int(0, help="Counts gestures, of views and of code.").tag(sync=True)
    standings: t.List[dict[str, Any]] = t.List(
        help="What was sent to each stream, and what it applied."
    ).tag(sync=True)
    presets: t.Dict[str, dict[str, Any]] = t.Dict(help="Values to go back to, by name.").tag(
        sync=True
    )
    done: t.List[dict[str, Any]] = t.List(
        help="Where the controls stood before each gesture, the newest last."
    ).tag(sync=True)
    undone: t.List[dict[str, Any]] = t.List(
        help="Where they stood before each was taken back, the newest last."
    ).tag(sync=True)
    start: t.Dict[str, Any] = t.Dict(help="Where each control stood at first.").tag(sync=True)
    length = t.Float(0.0, help="Seconds of the automation; 0 without one.").tag(sync=True)
    played = t.Float(-1.0, help="Seconds of it that have passed; -1 while it rests.").tag(sync=True)

    def __init__(
        self,
        template: Template,
        connections: Sequence[str] = ("default",),
        *,
        every: float = EVERY_SECONDS,
        presets: Mapping[str, Mapping[str, Any]] | None = None,
        automation: Keyframes | None = None,
    ) -> None:
        self.template = template
        self.automation = automation
        self._lock = threading.RLock()
        self._playing: threading.Event | None = None
        self._played_as = -1  # the automation's gesture
        self._steering = Steering(list(connections), every=every, changed=self._show)
        super().__init__(
            pieces=_pieces(template),
            controls={name: _described(each) for name, each in template.controls.items()},
            values=template.start,
            start={name: each for name, each in template.start.items() if each is not None},
            presets={name: template.check(each) for name, each in (presets or {}).items()},
            standings=self._steering.standings,
            length=template.timeline(automation)[-1][0] if automation else 0.0,
        )
        answer_while_busy(self)
        self.observe(self._moved, "values")
        self.on_msg(self._on_message)

    @property
    def prompt(self) -> str:
        """The prompt as the controls stand."""
        return self.template(**self.values)

    def set(self, **values: Any) -> None:
        """Move controls from code: ``sliders.set(weather="foggy")``.

        Raises:
            UsageError: There is no such control, or it cannot stand so.
        """
        checked = self.template.check(values)
        with self._lock, self.hold_sync():
            moved = {**self.values, **checked}
            if moved != self.values:
                self._begin()
                self.values = moved

    def steer(self) -> None:
        """Steer with the prompt as it is; a stream that is missing is started with it."""
        self._steering.put(self.prompt)

    def undo(self) -> None:
        """Take back the last gesture."""
        self._go_back("done", "undone")

    def redo(self) -> None:
        """Take back what was taken back."""
        self._go_back("undone", "done")

    def reset(self) -> None:
        """Put every control where it stood at first."""
        self.set(**self.start)

    def save_preset(self, name: str) -> None:
        """Remember where the controls stand, under `name`."""
        self.presets = {**self.presets, name: dict(self.values)}

    def use(self, name: str) -> None:
        """Put the controls where the preset `name` has them.

        Raises:
            UsageError: There is no such preset.
        """
        if name not in self.presets:
            raise UsageError(
                f"there is no preset called {name!r}",
                hint=f"Known: {', '.join(self.presets) or 'none; save_preset(name) makes one'}.",
            )
        self.set(**self.presets[name])

    def script(
        self, keyframes: Keyframes | None = None, *, every: float = 1.0, hold: float = 0.0
    ) -> Script:
        """Return the automation as a script; see `Template.script`."""
        return self.template.script(self._frames(keyframes), every=every, hold=hold)

    def play(self, keyframes: Keyframes | None = None, *, every: float = EVERY_SECONDS) -> None:
        """Move the controls over time, as keyframes have it, until its end or `stop`.

        >>> sliders.play({0: {"fog": 0}, 10: {"fog": 1}})

        Args:
            keyframes: What stands where, by seconds; left out, the `automation` that it has.
            every: Seconds between two moves.
        """
        steps = self.template.timeline(self._frames(keyframes), every)
        self.stop()
        with self._lock, self.hold_sync():
            self._begin()
            self._playing = stopped = threading.Event()
            self._played_as = self.gesture
        self.length = steps[-1][0]
        threading.Thread(
            target=self._play, args=(steps, stopped), name="odyssey-automation", daemon=True
        ).start()

    def stop(self) -> None:
        """Let the automation rest; safe to call again."""
        if self._playing is not None:
            self._playing.set()

    def _play(self, steps: list[tuple[float, dict[str, Any]]], stopped: threading.Event) -> None:
        began = time.monotonic()
        for seconds, values in steps:
            if stopped.wait(max(0.0, began + seconds - time.monotonic())):
                break
            with self._lock:
                self.played, self.values = seconds, values
        with self._lock:
            if self._playing is stopped:  # none was begun meanwhile
                self.played = -1.0

    def _frames(self, keyframes: Keyframes | None) -> Keyframes:
        found = keyframes or self.automation
        if not found:
            raise UsageError(
                "there is no automation", hint='Write play({0: {"fog": 0}, 10: {"fog": 1}}).'
            )
        return found

    # What can be taken back is state, which views keep themselves: a front end whose kernel is busy
    # makes one message of several gestures, and sends it behind whatever is asked for meanwhile.

    def _begin(self) -> None:
        """Begin a gesture, which is taken back as a whole."""
        self.gesture += 1
        self.done = [*self.done, dict(self.values)][-MOST_STEPS:]
        self.undone = []

    def _go_back(self, there: str, back: str) -> None:
        with self._lock, self.hold_sync():
            *left, step = getattr(self, there) or [None]
            if step is not None:
                self.gesture += 1
                self.set_trait(back, [*getattr(self, back), dict(self.values)])
                self.set_trait(there, left)
                self.values = step

    def _moved(self, _change: object) -> None:
        with self._lock:
            if self.gesture != self._played_as:
                self.stop()  # whoever takes a control has it
        try:
            prompt = self.prompt
        except UsageError:  # a page's mistake, or half a gesture; what comes next may be right
            return
        self._steering.put(prompt)

    def __repr__(self) -> str:
        return f"<Sliders: {self.prompt!r}>"

    def _show(self) -> None:
        self.standings = self._steering.standings

    def _on_message(self, _widget: object, content: dict[str, Any], _buffers: list[bytes]) -> None:
        """Take a view's message; nothing here waits."""
        match content.get("type"):
            case "steer" | "stop" as verb:
                getattr(self, verb)()
            case "play" if self.automation:
                self.play()


def _pieces(template: Template) -> list[dict[str, Any]]:
    """Return the sentence as the page shows it."""
    return [
        {"text": words}
        if name is None
        else {"text": words, "name": name, "table": template.table(name, form)}
        for words, name, form in template.pieces
    ]


def _described(control: object) -> dict[str, Any]:
    """Return what the page must know of a control."""
    match control:
        case Number():
            return {
                "kind": control.kind,
                "low": control.low,
                "grid": control.grid,
                "step": round(control.step / control.grid),
                "size": control.size,
                "worded": control.words is not None,
            }
        case Choice():
            return {"kind": control.kind, "options": list(control.options)}
    return {"kind": str(getattr(control, "kind", "text")), "word": getattr(control, "word", "")}
