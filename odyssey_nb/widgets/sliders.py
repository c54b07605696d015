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

MOST_UNDONE = 200


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
    gesture = t.Int(0, help="Counts gestures of a view; one is taken back as a whole.").tag(
        sync=True
    )
    standings: t.List[dict[str, Any]] = t.List(
        help="What was sent to each stream, and what it applied."
    ).tag(sync=True)
    presets: t.Dict[str, dict[str, Any]] = t.Dict(help="Values to go back to, by name.").tag(
        sync=True
    )
    undoable = t.Bool(False, help="Whether there is something to take back.").tag(sync=True)
    redoable = t.Bool(False, help="Whether something was taken back.").tag(sync=True)
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
        self._undone: list[dict[str, Any]] = []
        self._done: list[dict[str, Any]] = []
        self._seen_gesture = 0
        self._playing: threading.Event | None = None
        self._played_as = -1  # the automation's gesture
        self._quiet = False
        self._steering = Steering(list(connections), every=every, changed=self._show)
        super().__init__(
            pieces=_pieces(template),
            controls={name: _described(each) for name, each in template.controls.items()},
            values=template.start,
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
        with self._lock:
            self.gesture += 1
            self.values = {**self.values, **self.template.check(values)}

    def steer(self) -> None:
        """Steer with the prompt as it is; a stream that is missing is started with it."""
        self._steering.put(self.prompt)

    def undo(self) -> None:
        """Take back the last gesture."""
        self._go_back(self._done, self._undone)

    def redo(self) -> None:
        """Take back what was taken back."""
        self._go_back(self._undone, self._done)

    def reset(self) -> None:
        """Put every control where it stood at first."""
        self.set(**{name: each for name, each in self.template.start.items() if each is not None})

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
        with self._lock:
            self.gesture += 1
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

    def _go_back(self, there: list[dict[str, Any]], back: list[dict[str, Any]]) -> None:
        with self._lock:
            if there:
                back.append(dict(self.values))
                self._quiet = True
                try:
                    self.values = there.pop()
                finally:
                    self._quiet = False
            self._count()

    def _count(self) -> None:
        self.undoable, self.redoable = bool(self._done), bool(self._undone)

    def _moved(self, change: Any) -> None:  # noqa: ANN401 - traitlets' own
        with self._lock:
            if not self._quiet and (self.gesture != self._seen_gesture or not self._done):
                self._done.append(dict(change["old"]))
                del self._done[:-MOST_UNDONE]
                self._undone.clear()
            self._seen_gesture = self.gesture
            self._count()
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
        name = str(content.get("name", ""))
        match content.get("type"):
            case "steer" | "undo" | "redo" | "reset" | "stop" as verb:
                getattr(self, verb)()
            case "play" if self.automation:
                self.play()
            case "use" if name in self.presets:
                self.use(name)
            case "save_preset" if name.strip():
                self.save_preset(name.strip()[:40])
            case "forget":
                self.presets = {key: each for key, each in self.presets.items() if key != name}


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
