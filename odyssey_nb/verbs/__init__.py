"""The verbs, in one table: magics and the command line only render it."""

from __future__ import annotations

import argparse
import difflib
import inspect
from collections.abc import Callable

from odyssey_nb.errors import UnknownVerbError, UsageError
from odyssey_nb.verbs import account, live, runs
from odyssey_nb.verbs.verb import Help, Option, Verb, option, parser

__all__ = ["READING", "VERBS", "Help", "Option", "Verb", "find", "parser", "run"]

# What help explains too.
READING = ("frame", "frames", "live", "on_frame", "snapshot", "last", "record")


def _help(args: argparse.Namespace) -> object:
    if args.verb is None:
        lines = [f"{verb.name:<11} {verb.help}" for verb in VERBS.values()]
        return Help("\n".join([*lines, "", f"In Python, stream has {', '.join(READING)} as well."]))
    if args.verb in READING:
        from odyssey_nb.kernel.stream import Stream

        return Help(_method_help(getattr(Stream, args.verb)))
    verb = find(args.verb)
    text = parser(verb).format_help().strip()
    return Help(f"{text}\n\nexample: {verb.example}")


def _method_help(method: Callable[..., object]) -> str:
    """Return what a stream's method takes and does, with its examples."""
    names = [
        each.name if each.default is each.empty else f"{each.name}={each.default!r}"
        for each in list(inspect.signature(method).parameters.values())[1:]
    ]
    return f"stream.{method.__name__}({', '.join(names)})\n\n{inspect.getdoc(method)}"


_HELP = Verb(
    "help",
    "This list, or one verb in full.",
    "%odyssey help start",
    _help,
    (option("verb", help="The verb; or on_frame and the like.", nargs="?"),),
)

VERBS = {verb.name: verb for verb in (*live.VERBS, *runs.VERBS, *account.VERBS, _HELP)}


def find(name: str) -> Verb:
    """Return the verb called `name`.

    Raises:
        UnknownVerbError: There is none; the hint names the nearest.
    """
    for verb in VERBS.values():
        if name in {verb.name, verb.alias}:
            return verb
    near = difflib.get_close_matches(name, VERBS, 1)
    hint = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(VERBS)}."
    raise UnknownVerbError(f"there is no verb called {name!r}", hint=hint)


def run(words: list[str], cell: str | None = None) -> object:
    """Run the verb that `words` begin with; `cell` is the body of a cell.

    Raises:
        UnknownVerbError: No such verb.
        UsageError: Its arguments make no sense.
    """
    verb = find(words[0] if words else "help")
    if cell is not None and not verb.cell:
        raise UsageError(f"{verb.name} takes no cell body", hint=f"Write {verb.example} on a line.")
    if cell is not None:
        words = [*words, "--", cell.strip()]
    return verb.run(parser(verb).parse_args(words[1:]))
