"""Prompts with controls in them, without a browser."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator

import ipywidgets
import pytest

import odyssey_nb as ody
from odyssey_nb import verbs
from odyssey_nb.errors import UsageError
from odyssey_nb.kernel.runtime import runtime
from odyssey_nb.service.worlds.test_pattern import prompt_hash, read
from odyssey_nb.widgets.steering import NewestWins
from tests.conftest import Service, wait_until


@pytest.fixture
def stream(service: Service) -> Iterator[object]:
    """A stream on this process's default connection."""
    yield ody.connect(url=service.url, api_key=service.api_key).start("a forest")
    manager = runtime().manager
    assert manager is not None
    manager.release_all("the test is over", budget=5)


def test_the_plain_form(stream, monkeypatch) -> None:
    """Without anywidget each place has a field of ipywidgets, which steers as well."""
    monkeypatch.setitem(sys.modules, "anywidget", None)
    monkeypatch.delitem(sys.modules, "odyssey_nb.widgets.sliders", raising=False)
    controls = ody.sliders(
        "a {weather} {place}, wind {wind}, {fog} fog, {birds}, {more}",
        weather=["sunny", "foggy"],
        place=["forest", "sea", "city", "desert", "meadow", "canyon"],
        wind=(0, 10),
        fog=ody.scale(),
        birds=True,
        more="in spring",
    )
    assert controls.prompt == "a sunny forest, wind 0, no fog, birds, in spring"
    kinds = [type(each) for each in controls.children[:-1]]
    assert kinds == [
        ipywidgets.ToggleButtons,
        ipywidgets.Dropdown,
        ipywidgets.IntSlider,
        ipywidgets.FloatSlider,
        ipywidgets.Checkbox,
        ipywidgets.Text,
    ]
    assert all(each.description for each in controls.children[:-1]), "every control has a label"
    controls.set(weather="foggy")
    said = "applied: a foggy forest, wind 0"
    wait_until(lambda: said in controls.children[-1].value, what="the line")


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
    """The world follows, and what was applied is shown beside what was sent."""
    controls = ody.sliders("a {weather} forest", weather=["sunny", "foggy"])
    controls.set(weather="foggy")
    wait_until(lambda: not controls.standings[0]["pending"], what="the answer")
    (standing,) = controls.standings
    assert standing["sent"] == standing["applied"] == "a foggy forest"
    assert not standing["problem"]
    wait_until(lambda: read(stream.frame())[1] == prompt_hash("a foggy forest"), what="the world")


def test_several_streams(stream, service: Service) -> None:
    """One sentence steers several streams, each with its own answer; one that fails says why."""
    other = ody.connect("other", url=service.url, api_key=service.api_key)
    controls = ody.sliders("{fog} fog", fog=ody.scale(), on=["default", "other", "missing"])
    controls.steer()  # the other one has no stream yet: it is started
    wait_until(lambda: not any(each["pending"] for each in controls.standings), what="answers")
    assert [each["applied"] for each in controls.standings] == ["no fog", "no fog", ""]
    assert "ody.connect" in controls.standings[2]["problem"]
    assert other.stream.prompt == stream.prompt == "no fog"


def test_taking_back(machine) -> None:
    """Each change is taken back, and given again; presets put all controls."""
    controls = ody.sliders(
        "{fog} fog at {time}", fog=ody.scale(), time=["dawn", "dusk"], on="nowhere",
        presets={"thick": {"fog": 1}},
    )  # fmt: skip
    controls.set(fog=0.5)
    controls.set(fog=0.6)
    assert controls.prompt == "dense fog at dawn"
    assert repr(controls) == "<Sliders: 'dense fog at dawn'>"
    controls.undo()
    assert controls.prompt == "moderate fog at dawn"
    controls.undo()
    assert controls.prompt == "no fog at dawn"
    controls.undo()  # there is nothing left
    assert controls.prompt == "no fog at dawn"
    controls.redo()
    assert controls.values["fog"] == 0.5
    controls.save_preset("some")
    controls.use("thick")
    assert controls.prompt == "extreme fog at dawn"
    controls.redo()
    assert controls.prompt == "extreme fog at dawn", "something new was done"
    controls.use("some")
    controls.reset()
    assert controls.prompt == "no fog at dawn"
    with pytest.raises(UsageError, match="no preset called 'thin'") as caught:
        controls.use("thin")
    assert "thick, some" in caught.value.hint
    controls.values = {**controls.values, "fog": 7}  # a page that makes a mistake harms nobody
    with pytest.raises(UsageError, match="fog is a number"):
        controls.set(fog=7)


def test_an_automation_plays(machine) -> None:
    """It moves the controls in time until its end, or until somebody takes one."""
    controls = ody.sliders(
        "{fog} fog", fog=ody.scale(), on="nowhere", automation={0: {"fog": 0}, 0.4: {"fog": 1}}
    )
    assert controls.length == 0.4
    assert [words for _, _, words in controls.script(every=0.1)][1:-1] == [
        "light fog", "moderate fog", "dense fog", "extreme fog",
    ]  # fmt: skip
    seen: list[float] = []
    controls.observe(lambda change: seen.append(change["new"]["fog"]), "values")
    controls.play(every=0.1)
    wait_until(lambda: seen and controls.played < 0, what="its end")
    assert seen == [0.25, 0.5, 0.75, 1.0]
    controls.undo()
    assert controls.prompt == "no fog", "it is taken back as one gesture"
    controls.play({0: {"fog": 0}, 60: {"fog": 1}}, every=0.05)
    wait_until(lambda: controls.played >= 0, what="its beginning")
    controls.set(fog=0.9)
    wait_until(lambda: controls.played < 0, what="its early end")
    assert controls.prompt == "extreme fog"
    with pytest.raises(UsageError, match="no automation"):
        ody.sliders("{fog} fog", fog=ody.scale(), on="nowhere").play()


def test_the_magic(machine) -> None:
    """A line says what stands in each place."""
    line = ["sliders", "{a} {b} {c} {d} {e} {f}", "a=x,y", "b=0..12", "c=0.0..1.5", "d=on",
            "e=scale", "f=scale:calm,wild", "--on", "nowhere"]  # fmt: skip
    assert verbs.run(line).prompt == "x 0 0 d no calm"
    for wrong, says in ((["{a}", "a"], "gives no values"), (["{a}"], "no values for a")):
        with pytest.raises(UsageError, match=says):
            verbs.run(["sliders", *wrong])


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


def test_no_faster_than_every() -> None:
    """Two begin at least so many seconds apart, and the newest is never forgotten."""
    began = time.monotonic()
    begun: list[tuple[float, str]] = []
    steering = NewestWins(lambda value: begun.append((time.monotonic(), value)), every=0.1)
    for number in range(50):
        steering.put(str(number))
        time.sleep(0.005)
    wait_until(lambda: begun[-1][1] == "49", what="the newest")
    assert len(begun) <= 2 + (begun[-1][0] - began) / 0.1
