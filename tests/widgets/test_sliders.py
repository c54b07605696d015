"""Prompts with controls in them, without a browser."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import ipywidgets
import pytest

import odyssey_nb as ody
from odyssey_nb.kernel.runtime import runtime
from odyssey_nb.service.worlds.test_pattern import prompt_hash, read
from odyssey_nb.widgets.sliders import NewestWins
from tests.conftest import Service, wait_until


@pytest.fixture
def stream(service: Service) -> Iterator[object]:
    """A stream on this process's default connection."""
    yield ody.connect(url=service.url, api_key=service.api_key).start("a forest")
    manager = runtime().manager
    assert manager is not None
    manager.release_all("the test is over", budget=5)


def test_the_template_speaks(stream) -> None:
    """Choices, numbers, switches and free text read as words in the prompt."""
    controls = ody.sliders(
        "a {weather} {place}, wind {wind}, {birds}, {more}",
        weather=["sunny", "foggy"],
        place=["forest", "sea", "city", "desert", "meadow", "canyon"],
        wind=(0, 10),
        birds=True,
        more="in spring",
    )
    assert controls.prompt == "a sunny forest, wind 0, birds, in spring"
    kinds = [type(each) for each in controls.children[:-1]]
    assert kinds == [
        ipywidgets.ToggleButtons,
        ipywidgets.Dropdown,
        ipywidgets.IntSlider,
        ipywidgets.Checkbox,
        ipywidgets.Text,
    ]
    assert all(each.description for each in controls.children[:-1]), "every control has a label"


def test_numbers_may_have_a_format(machine) -> None:
    """A format acts on the control's number, as in a Python string."""
    controls = ody.sliders("wind {speed:.1f} of 10, {{gusts}}", speed=(0.0, 10.0))
    assert controls.prompt == "wind 0.0 of 10, {gusts}"


@pytest.mark.parametrize(
    ("template", "says"),
    [("a {} forest", "is not a name"), ("a {x.y} forest", "is not a name"),
     ("a {x:.1f} forest", "Unknown format code")],
)  # fmt: skip
def test_a_template_that_cannot_speak_is_refused_at_once(machine, template, says) -> None:
    """A mistake in the braces is told where it is written, not when a control moves."""
    with pytest.raises(ValueError, match=says):
        ody.sliders(template, x=["misty", "sunny"])


def test_moving_a_control_steers_the_stream(stream) -> None:
    """The world follows, and the applied prompt is shown."""
    controls = ody.sliders("a {weather} forest", weather=["sunny", "foggy"])
    controls.set(weather="foggy")
    wait_until(lambda: "applied: a foggy forest" in controls.children[-1].value, what="the line")
    wait_until(lambda: read(stream.frame())[1] == prompt_hash("a foggy forest"), what="the world")


def test_without_a_connection_the_line_says_what_to_do(machine) -> None:
    """A control that cannot steer names the remedy instead of failing silently."""
    controls = ody.sliders("a {weather} forest", weather=["sunny", "foggy"])
    controls.set(weather="foggy")
    wait_until(lambda: "ody.connect()" in controls.children[-1].value, what="the remedy")


@pytest.mark.parametrize(
    ("template", "values", "says"),
    [
        ("a {b} c", {}, "no values for b"),
        ("a {b} c", {"b": ["x"], "d": ["y"]}, "no {d}"),
        ("a {b} c", {"b": []}, "no choices"),
        ("a {b} c", {"b": (5, 1)}, "smaller"),
    ],
)
def test_a_wrong_template_is_told(template: str, values: dict, says: str) -> None:
    """Names and values must fit each other."""
    with pytest.raises(ValueError, match=says):
        ody.sliders(template, **values)


def test_newest_wins() -> None:
    """While one value is worked on, only the newest of those that come meanwhile is kept."""
    done: list[str] = []
    first, go = threading.Event(), threading.Event()

    def work(value: str) -> None:
        first.set()
        assert go.wait(5)
        done.append(value)

    steering = NewestWins(work)
    steering.put("0")
    assert first.wait(5)
    for number in range(1, 20):
        steering.put(str(number))
    go.set()
    wait_until(lambda: done == ["0", "19"], what="the newest")
    wait_until(
        lambda: "odyssey-sliders" not in {each.name for each in threading.enumerate()},
        what="the thread's end",
    )
