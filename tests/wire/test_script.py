"""Scripts of simulations: what keeps the rules, and how a mistake is named."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from odyssey_nb.errors import ScriptError
from odyssey_nb.service.worlds.base import PICTURES_PER_SECOND
from odyssey_nb.wire import script as wire
from odyssey_nb.wire.script import gather, length, parse_lines, pictures, read_script, read_scripts

START: dict[str, Any] = {"timestamp_ms": 0, "start": {"prompt": "a forest"}}
SNOW: dict[str, Any] = {"timestamp_ms": 3000, "interact": {"prompt": "snow"}}
END: dict[str, Any] = {"timestamp_ms": 5000, "end": {}}
IMAGE = "data:image/png;base64,iVBORw0KGgo="


def with_image(url: str) -> dict[str, Any]:
    """A start with an image."""
    return {"timestamp_ms": 0, "start": {"prompt": "a forest", "image": url}}


@st.composite
def scripts(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Scripts that keep every rule, with keys that nobody knows."""
    prompts = st.text(min_size=1).filter(str.strip)
    times = sorted(draw(st.lists(st.integers(0, 150_000), max_size=6)))
    end = draw(st.integers(max([1, *times]), 150_000))
    more = st.dictionaries(st.sampled_from(["note", "extra"]), st.integers())
    script = [{"timestamp_ms": 0, "start": {"prompt": draw(prompts)} | draw(more)} | draw(more)]
    script += [{"timestamp_ms": each, "interact": {"prompt": draw(prompts)}} for each in times]
    return [*script, {"timestamp_ms": end, "end": draw(more)}]


@given(scripts())
def test_a_good_script_survives_the_journey(given: list[dict[str, Any]]) -> None:
    """What is read is what was written, and what we write is read the same."""
    script = read_script(given, longest=150)
    assert [each.timestamp_ms for each in script] == [each["timestamp_ms"] for each in given]
    assert read_script(msgspec.json.decode(msgspec.json.encode(script))) == script
    assert length(script) == given[-1]["timestamp_ms"] / 1000
    exact = length(script) * PICTURES_PER_SECOND
    assert exact <= pictures(script) < exact + 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["timestamp_ms", "start", "interact", "end", "prompt", "image", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(JSON | st.lists(st.sampled_from([START, SNOW, END]) | JSON, max_size=5))
def test_anything_else_is_refused_by_name(given: Any) -> None:
    """Whatever arrives, it is a script that keeps the rules or one typed error that says where."""
    try:
        script = read_script(given)
    except ScriptError as error:
        said = error.one_line()
    else:
        assert script[0].start is not None
        assert script[-1].end is not None
        return
    assert said.startswith("script")
    assert "\n" not in said


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ([], "script: a script is a list of entries"),
        ({"timestamp_ms": 0}, "script: a script is a list of entries"),
        ([SNOW, END], "script[0]: the first entry is a start at 0"),
        ([START | {"timestamp_ms": 1}, END], "script[0]: the first entry is a start at 0"),
        ([START, START, END], "script[1]: only the first entry is a start"),
        ([START, SNOW], "script[1]: the last entry is an end"),
        ([START, END, SNOW], "script[1]: nothing follows an end"),
        ([START], "script[0]: the last entry is an end"),
        ([START, END | {"timestamp_ms": 0}], "script[1]: the end comes after the start"),
        ([START, SNOW, END | {"timestamp_ms": 2999}], "script[2]: 2999 ms comes before 3000 ms"),
        ([START, SNOW | {"end": {}}, END], "script[1]: exactly one of start, interact and end"),
        ([START, {"timestamp_ms": 1}, END], "script[1]: exactly one of start, interact and end"),
        ([START, {"timestamp_ms": 1, "interact": {"prompt": " "}}, END], "script[1]: the prompt"),
        ([{"timestamp_ms": 0, "start": {}}, END], "script[0]: Object missing required field"),
        ([START, {"timestamp_ms": "1", "end": {}}], "script[1]: Expected `int`, got `str`"),
        ([START, END | {"timestamp_ms": 150_001}], "script[1]: the video would last 150.001 s"),
        ([with_image("http://x/y.png"), END], "script[0]: the image is no data URL"),
        ([with_image("data:image/svg;base64,AAAA"), END], "script[0]: the image is no data URL"),
        ([with_image("data:image/png;base64,%%"), END], "script[0]: the image is no data URL"),
    ],
)
def test_a_mistake_is_named(script: object, says: str) -> None:
    """The error says which entry breaks which rule."""
    with pytest.raises(ScriptError) as caught:
        read_script(script, longest=150)
    assert str(caught.value).startswith(says)


def test_images(monkeypatch: pytest.MonkeyPatch) -> None:
    """A data URL of a known kind is taken as it is, up to the documented size."""
    script = read_script([with_image(IMAGE), END])
    assert script[0].start is not None
    assert script[0].start.image == IMAGE
    assert IMAGE not in repr(script)
    assert wire.LARGEST_IMAGE == 25 * 1024 * 1024
    monkeypatch.setattr(wire, "LARGEST_IMAGE", 5)
    with pytest.raises(ScriptError, match=r"script\[0\]: the image has more than"):
        read_script([with_image(IMAGE), END])


def test_batches() -> None:
    """A batch has at least one script and not too many; errors say which of them."""
    assert len(read_scripts([[START, END], [START, SNOW, END]])) == 2
    with pytest.raises(ScriptError, match=r"^scripts\[1\]\[0\]: the first entry"):
        read_scripts([[START, END], [SNOW, END]])
    for none_or_many in ([], [[START, END]] * (wire.MOST_SCRIPTS + 1), {}, "a"):
        with pytest.raises(ScriptError, match="1 to 20 scripts"):
            read_scripts(none_or_many)
    with pytest.raises(ScriptError, match="more than 1000"):
        read_script([START, *[SNOW] * 1000, END])


def test_lines() -> None:
    """One entry per line; empty lines and comments say nothing."""
    script = parse_lines(
        """
        # a quiet night
        0 start  a misty forest, at dawn
        4.5 interact it's snowing

        10 end
        """
    )
    assert [each.timestamp_ms for each in script] == [0, 4500, 10_000]
    assert script[0].start == wire.Start(prompt="a misty forest, at dawn")
    assert script[1].interact == wire.Interact(prompt="it's snowing")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "the script has no lines"),
        ("# nothing", "the script has no lines"),
        ("0 start a\nsoon end", "line 2: it begins with a time in seconds, not 'soon'"),
        ("0 start a\n\n5 stop", "line 3: 'stop' is none of start, interact, mark and end"),
        ("0 start a\nnan end", "line 2: nan is no time in seconds"),
        ("0 start\n5 end", "line 1: the prompt has no words"),
        ("1 start a\n5 end", "line 1: the first entry is a start at 0"),
        ("0 start a\n9 interact b\n5 end", "line 3: 5000 ms comes before 9000 ms"),
        ("0 start a\n9 interact b", "line 2: the last entry is an end"),
    ],
)
def test_a_line_that_makes_no_sense_is_named(text: str, says: str) -> None:
    """Lines are counted as an editor counts them."""
    with pytest.raises(ScriptError) as caught:
        parse_lines(text)
    assert str(caught.value) == says


def test_marks_stay_with_the_client() -> None:
    """A cell's script may have marks, which are none of the service's business."""
    script = parse_lines("0 start a\n1 mark it's odd\n1 mark\n5 end")
    assert [each.mark for each in script] == [
        None, wire.Mark(text="it's odd"), wire.Mark(), None,
    ]  # fmt: skip
    assert [each.timestamp_ms for each in wire.unmarked(script)] == [0, 5000]
    assert read_script([START | {"mark": 7}, END])[0].mark is None, "an unknown key"
    with pytest.raises(ScriptError, match=r"script\[1\]: exactly one of start, interact and end"):
        read_script([START, {"timestamp_ms": 9, "mark": {"text": "odd"}}, END])
    with pytest.raises(ScriptError, match="line 2: a mark has at most 200 characters"):
        parse_lines(f"0 start a\n1 mark {'x' * 201}\n5 end")


def test_what_a_cell_may_give() -> None:
    """Text, tuples, the protocol's entries, and lists of each come to the same."""
    text = "0 start a forest\n3 interact snow\n5 end"
    tuples = [(0, "start", "a forest"), (3, "interact", "snow"), (5, "end")]
    entries = [START, SNOW, END]
    one = read_script(entries)
    for each in (text, tuples, entries):
        assert gather(each) == [one]
        assert gather([each, each]) == [one, one]
    assert gather([text, tuples, entries]) == [one, one, one]
    for nonsense in (None, 5, {}, [], [[]], [(0,)], [("start", 0, "x")], [(0, "start", "a", "b")]):
        with pytest.raises(ScriptError):
            gather(nonsense)
    with pytest.raises(ScriptError, match=r"scripts\[1\]\[1\]: 'stop' is none of"):
        gather([tuples, [(0, "start", "x"), (1, "stop")]])
