"""The tree of errors: as it is drawn, and as it travels."""

from __future__ import annotations

import copy
import inspect
import pickle
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from odyssey_nb import errors
from odyssey_nb.errors import OdysseyNBError, UnknownWorldError, from_code

ALL = [
    each
    for each in vars(errors).values()
    if inspect.isclass(each) and issubclass(each, OdysseyNBError)
]
CLASSES = pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
LINE = re.compile(r"(?P<indent>(?:│   |    )*)(?:├── |└── )(?P<name>\w+) +(?P<fact>\S.*)")


def drawn() -> dict[str, str]:
    """Return the parent of every class, as the module's docstring draws it."""
    parents, path = {}, ["OdysseyNBError"]
    for line in errors.__doc__.splitlines():
        if match := LINE.fullmatch(line):
            depth = len(match["indent"]) // 4 + 1
            parents[match["name"]] = path[depth - 1]
            path[depth:] = [match["name"]]
    return parents


def test_tree_is_drawn_as_it_is():
    """The tree in the module's docstring is the tree of classes."""
    assert drawn() == {kind.__name__: kind.__base__.__name__ for kind in ALL[1:]}
    assert "\nOdysseyNBError\n├── " in errors.__doc__


def test_there_is_one_tree():
    """No other module has errors of this tree."""
    found, edge = set(), {OdysseyNBError}
    while edge:
        found |= edge
        edge = {each for kind in edge for each in kind.__subclasses__()}
    assert {each for each in found if each.__module__.startswith("odyssey_nb")} == set(ALL)


@CLASSES
def test_every_error_is_described(kind):
    """Every error has a name that ends in Error, a docstring and a code of its own."""
    assert kind.__name__.endswith("Error")
    assert kind.__doc__
    assert "code" in vars(kind)
    assert re.fullmatch("[A-Z_]+", kind.code)
    assert [each for each in ALL if each.code == kind.code] == [kind]
    assert not kind.hint or kind.hint.endswith(".")


@CLASSES
@settings(max_examples=10, deadline=None)
@given(message=st.text(max_size=20), hint=st.text(max_size=20))
def test_from_code(kind, message, hint):
    """A code, a message and a hint make the error that the other process raised."""
    error = from_code(kind.code, message, hint)
    assert type(error) is kind
    assert (str(error), error.hint) == (message, hint)
    assert error.retryable is kind.retryable


@pytest.mark.parametrize("code", ["", "NO_SUCH_CODE", "auth"])
def test_from_unknown_code(code):
    """A code of another version is an error all the same."""
    error = from_code(code, "something new", "Update.")
    assert type(error) is OdysseyNBError
    assert error.one_line() == "something new. Update."


@CLASSES
def test_every_error_survives_pickling(kind):
    """An error is itself again after a trip to another process, and after being copied."""
    error = from_code(kind.code, "what happened", "What to do.")
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(again) is kind
        assert (str(again), again.hint, again.args) == (str(error), error.hint, error.args)
        assert again.one_line() == "what happened. What to do."


def test_error_with_arguments_of_its_own_survives_pickling():
    """So does an error that is made from something else than a message."""
    error = UnknownWorldError("moon", ["landscape", "test_pattern"])
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is UnknownWorldError
    assert str(again) == "there is no world called 'moon'"
    assert again.hint == "Known: landscape, test_pattern."


def test_one_line():
    """One line has the fact and the remedy; without a message, the name of the error."""
    assert errors.AuthError("the key was refused").one_line().startswith("the key was refused. ")
    assert OdysseyNBError("plain").one_line() == "plain"
    assert OdysseyNBError().one_line() == "OdysseyNBError"
    assert errors.LinkError(hint="Wait.").one_line() == "LinkError. Wait."


@CLASSES
def test_one_line_is_one_line(kind):
    """No error breaks the line with its own words."""
    assert "\n" not in from_code(kind.code, "fact", kind.hint).one_line()


def test_hint_of_one_error_is_not_that_of_its_class():
    """A hint that is given belongs to the instance."""
    assert errors.AuthError("a", hint="Ask Ada.").hint == "Ask Ada."
    assert errors.AuthError("b").hint == errors.AuthError.hint != "Ask Ada."


def test_whole_branches_can_be_caught():
    """What a user writes in `except` catches what its docstring promises."""
    for kind in (errors.ConcurrentLimitError, errors.MonthlyLimitError, errors.RateLimitError):
        assert issubclass(kind, errors.LimitError)
    with pytest.raises(errors.ConnectError):
        raise errors.ServiceStartError("it did not start")
    with pytest.raises(errors.UsageError, match="the prompt is empty"):
        raise errors.EmptyPromptError
