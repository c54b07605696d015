"""The verbs about what streams leave behind, and scripted ones."""

from __future__ import annotations

import argparse
from pathlib import Path

from odyssey_nb import api
from odyssey_nb.errors import UsageError
from odyssey_nb.verbs.verb import LIMIT, LOCAL, PORTRAIT, Verb, given_values, option


def _simulate(args: argparse.Namespace) -> object:
    script = args.script
    if "\n" not in script:
        try:
            script = Path(script).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(
                f"no script can be read from {script!r}",
                hint="Write the script into the cell, one `SECONDS VERB PROMPT` per line.",
            ) from error
    orientation = "portrait" if args.portrait else "landscape"
    return api.simulate(
        script, orientation=orientation, wait=not args.no_wait, local=args.local or None
    )


def _sweep(args: argparse.Namespace) -> object:
    sweep = api.sweep(
        args.template,
        given_values(args.values, _listed),
        repeats=args.repeats,
        seconds=args.seconds,
        orientation="portrait" if args.portrait else "landscape",
        live=args.live,
        name=args.name,
        local=args.local or None,
    )
    return sweep.estimate if args.estimate else sweep.run()


def _listed(text: str) -> list[str | float]:
    """Return words, or numbers if all are."""
    words = text.split(",")
    try:
        return [float(each) for each in words]
    except ValueError:
        return list(words)


VERBS = (
    Verb(
        "recordings",
        "What streams have left behind, newest first.",
        "%odyssey recordings --limit 5",
        lambda args: api.recordings(args.limit, local=args.local or None),
        (LIMIT, LOCAL),
    ),
    Verb(
        "simulate",
        "Run a script of `SECONDS VERB PROMPT` lines, from a cell or a file.",
        "%%odyssey simulate",
        _simulate,
        (
            option("script", help="A file; or the cell's body."),
            PORTRAIT,
            option("--no-wait", help="Do not wait until it is done.", action="store_true"),
            LOCAL,
        ),
        cell=True,
    ),
    Verb(
        "simulations",
        "Scripted streams that wait, run or are over, newest first.",
        "%odyssey simulations --limit 5",
        lambda args: api.simulations(args.limit, local=args.local or None),
        (LIMIT, LOCAL),
    ),
    Verb(
        "sweep",
        "Run a prompt with all values of the names in it, and show what became of each run.",
        '%odyssey sweep "a {weather} sea, wind {wind}" weather=calm,foggy wind=2,9 --repeats 3',
        _sweep,
        (
            option("template", help="The prompt, with names in braces."),
            option(
                "values",
                help="Of each name: words or numbers, with commas between.",
                nargs="*",
                metavar="NAME=VALUES",
            ),
            option("--repeats", help="How often each is run.", type=int, default=1),
            option("--seconds", help="How long each is.", type=float, default=5.0),
            option("--estimate", help="Only say what it takes.", action="store_true"),
            option("--live", help="Live, not as simulations.", action="store_true"),
            option("--name", help="What its folder in sweeps/ is called."),
            PORTRAIT,
            LOCAL,
        ),
    ),
)
