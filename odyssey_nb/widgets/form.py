"""Prompt sliders as a plain form, for front ends that show ipywidgets and nothing else."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

import ipywidgets as w

from odyssey_nb.kernel.template import Choice, Control, Number, Template, Text, Toggle
from odyssey_nb.widgets.base import answer_while_busy
from odyssey_nb.widgets.steering import Steering

if TYPE_CHECKING:
    from collections.abc import Sequence


class PlainSliders(w.VBox):
    """A control for each place of a template; `prompt` is what it says now."""

    def __init__(self, template: Template, connections: Sequence[str], *, every: float) -> None:
        self.template = template
        self._controls = {name: field(name, each) for name, each in template.controls.items()}
        self._line = w.HTML()
        self._steering = Steering(list(connections), every=every, changed=self._show)
        for each in self._controls.values():
            each.observe(self._changed, "value")
            answer_while_busy(each)
        super().__init__([*self._controls.values(), self._line])
        self._say("not sent yet; move a control")

    @property
    def prompt(self) -> str:
        """The prompt as the controls stand."""
        return self.template(**{name: each.value for name, each in self._controls.items()})

    def set(self, **values: Any) -> None:
        """Move controls from code: ``sliders.set(weather="foggy")``."""
        for name, value in self.template.check(values).items():
            self._controls[name].value = value

    def _changed(self, _change: object) -> None:
        self._steering.put(self.prompt)

    def _show(self) -> None:
        for each in self._steering.standings:
            where = f"{each['on']}: " if len(self._steering.standings) > 1 else ""
            if each["pending"]:
                self._say(f"{where}sending: {self.prompt}")
            else:
                self._say(where + (each["problem"] or f"applied: {each['applied']}"))

    def _say(self, text: str) -> None:
        self._line.value = f'<span role="status">{html.escape(text)}</span>'


def field(name: str, control: Control) -> w.Widget:
    """Return the form's field for a control."""
    look = {"description": name.replace("_", " "), "style": {"description_width": "initial"}}
    match control:
        case Toggle():
            return w.Checkbox(control.start, indent=False, **look)
        case Text():
            return w.Text(control.start or "", continuous_update=False, **look)
        case Number():
            kind = w.IntSlider if control.whole else w.FloatSlider
            return kind(
                value=control.start, min=control.low, max=control.high, step=control.step, **look
            )
        case Choice():
            kind = w.ToggleButtons if len(control.options) <= 5 else w.Dropdown
            return kind(options=control.options, **look)
