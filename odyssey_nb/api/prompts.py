"""Prompts with places in them, and the controls that fill them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from odyssey_nb.kernel.template import Keyframes, Number, Template
    from odyssey_nb.widgets.form import PlainSliders
    from odyssey_nb.widgets.sliders import Sliders


def prompt(template: str, **values: Any) -> Template:
    """Return a prompt with places in it; calling it fills them, and ``str`` takes them as at first.

    >>> walk = prompt("a forest with {fog} fog at {time}", fog=scale(), time=["dawn", "dusk"])
    >>> walk(fog=0.5)
    'a forest with moderate fog at dawn'
    >>> walk.script({0: {"fog": 0}, 10: {"fog": 1}}).play()  # keyframes over time

    Args:
        template: A prompt with names in braces; ``{wind:.1f}`` formats a number.
        values: For each name what `sliders` takes. A name without any must be given in each call.

    Raises:
        ValueError: A name that is none, or values without a name.
    """
    from odyssey_nb.kernel.template import Template

    return Template(template, values, free=True)


def scale(
    *words: str | Callable[[float], str],
    low: float = 0.0,
    high: float = 1.0,
    step: float | None = None,
    start: float | None = None,
) -> Number:
    """Return a number for `sliders` and `prompt` that reads as words.

    >>> scale()  # no, light, moderate, dense, extreme
    >>> scale("calm", "breezy", "stormy", low=0, high=12, start=3)
    >>> scale(lambda share: f"{share:.0%}")

    Args:
        words: From the lowest to the highest, each for as much of the range; or a function of the
            number.
        low: The lowest number.
        high: The highest.
        step: How far an arrow key goes; left out, it suits the range.
        start: Where it stands at first; left out, at the lowest.

    Raises:
        ValueError: The range is none.
    """
    from odyssey_nb.kernel.template import scale

    return scale(*words, low=low, high=high, step=step, start=start)


def mix(first: str, second: str, *, start: float = 0.0) -> Number:
    """Return a weight between two prompts for `sliders` and `prompt`: 0 is the first, 1 the second.

    >>> sliders("{weather} over the harbour", weather=mix("a calm sea", "a raging storm"))
    """
    from odyssey_nb.kernel.template import mix

    return mix(first, second, start=start)


def sliders(
    template: str | Template,
    *,
    on: str | Sequence[str] = "default",
    every: float = 0.25,
    presets: Mapping[str, Mapping[str, Any]] | None = None,
    automation: Keyframes | None = None,
    **values: Any,
) -> Sliders | PlainSliders:
    """Show `template` as a sentence whose words are controls; each change steers the stream.

    Drag a control, type, or use the arrow keys; Shift takes larger steps and Alt smaller ones. One
    prompt is under way at a time, and the newest wins. What was sent is shown beside what the world
    applied.

    >>> sliders("a {weather} {time} forest", weather=["sunny", "foggy"], time=["dawn", "night"])
    >>> sliders("{fog} fog, wind {wind}", fog=scale(), wind=(0, 12), on=["left", "right"])
    >>> sliders("{fog} fog", fog=scale(), automation={0: {"fog": 0}, 10: {"fog": 1}}).play()

    Args:
        template: A prompt with names in braces, or what `prompt` returned.
        on: The connection whose stream is steered, or several.
        every: The least seconds between two prompts to one stream.
        presets: Values for the controls, by name; views can add some.
        automation: Values at seconds, ``{0: {"fog": 0}, 10: {"fog": 1}}``: numbers go there in a
            straight line. The view plays it, and `Sliders.script` returns it as a script.
        values: For each name a list of choices, numbers ``(low, high)`` or ``(low, high, step)``, a
            `scale` or `mix`, a bool (the word or nothing), or a text to start with.

    Raises:
        ValueError: A name without values, or values without a name.
        UsageError: A preset or keyframe has values that cannot be.
    """
    from odyssey_nb.kernel.template import Template

    made = template if isinstance(template, Template) else Template(template, values)
    connections = [on] if isinstance(on, str) else list(on)
    try:
        from odyssey_nb.widgets.sliders import Sliders
    except ModuleNotFoundError as error:
        if error.name != "anywidget":
            raise
        from odyssey_nb.widgets.form import PlainSliders

        return PlainSliders(made, connections, every=every)
    return Sliders(made, connections, every=every, presets=presets, automation=automation)
