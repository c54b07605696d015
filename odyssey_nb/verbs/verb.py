"""What a verb is: how it is asked for, and what reads its arguments."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

from odyssey_nb.errors import EmptyPromptError, UsageError


@dataclass(frozen=True, slots=True)
class Option:
    """One argument of a verb; `flags` as argparse takes them, `more` likewise."""

    flags: tuple[str, ...]
    help: str
    more: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Verb:
    """A verb: what it is called, what it does, how it is asked for, and what does it.

    `cell` says that the body of a cell is its prompt.
    """

    name: str
    help: str
    example: str
    run: Callable[[argparse.Namespace], object]
    options: tuple[Option, ...] = ()
    cell: bool = False
    alias: str = ""


class _Parser(argparse.ArgumentParser):
    """A parser that raises a one-line error instead of ending the process."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, hint=f"See %odyssey help {self.prog.split()[-1]}.")


def option(*flags: str, help: str, **more: Any) -> Option:
    """Return an argument of a verb, said as argparse says it."""
    return Option(flags, help, more)


PROMPT = option("prompt", help="The world in words.", nargs="*")
ON = option("--on", help="Which connection.", default="default", metavar="NAME")
LOCAL = option("--local", help="The local service, even with a key.", action="store_true")
PORTRAIT = option("--portrait", help="704 x 1280.", action="store_true")
LIMIT = option("--limit", help="How many, 1 to 100.", type=int, default=20)


def parser(verb: Verb, program: str = "%odyssey") -> argparse.ArgumentParser:
    """Return the parser of a verb's arguments."""
    made = _Parser(prog=f"{program} {verb.name}", description=verb.help, add_help=False)
    for each in verb.options:
        made.add_argument(*each.flags, help=each.help, **each.more)
    return made


def prompt_of(args: argparse.Namespace) -> str:
    """Return the words of a prompt as one.

    Raises:
        EmptyPromptError: There are none.
    """
    prompt = " ".join(args.prompt).strip()
    if len(prompt) > 1 and prompt[0] == prompt[-1] == "'":
        prompt = prompt[1:-1].strip()  # quoted as in Python; apostrophes within are left alone
    if not prompt:
        raise EmptyPromptError
    return prompt


class Help(str):
    """Text that a cell shows as it is."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def given_values(words: list[str], read: Callable[[str], object]) -> dict[str, Any]:
    """Return what ``NAME=VALUES`` words give for each name, as `read` reads it.

    Raises:
        UsageError: A word gives no values.
    """
    given: dict[str, Any] = {}
    for each in words:
        name, found, values = each.partition("=")
        if not found:
            raise UsageError(
                f"{each!r} gives no values", hint=f"Write {each}=sunny,rainy, for example."
            )
        given[name] = read(values)
    return given
