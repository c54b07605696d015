"""The verbs, in one table: magics and the command line only render it."""

from __future__ import annotations

import argparse
import difflib
import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from odyssey_nb import api
from odyssey_nb.errors import EmptyPromptError, NoStreamError, UnknownVerbError, UsageError

# What help explains too.
READING = ("frame", "frames", "live", "on_frame", "snapshot", "last", "record")


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


def _option(*flags: str, help: str, **more: Any) -> Option:
    return Option(flags, help, more)


_PROMPT = _option("prompt", help="The world in words.", nargs="*")
_ON = _option("--on", help="Which connection.", default="default", metavar="NAME")
_LOCAL = _option("--local", help="The local service, even with a key.", action="store_true")
_PORTRAIT = _option("--portrait", help="704 x 1280.", action="store_true")
_LIMIT = _option("--limit", help="How many, 1 to 100.", type=int, default=20)
_NAME = _option("name", help="What the connection is called.", nargs="?", default="default")


def _prompt(args: argparse.Namespace) -> str:
    prompt = " ".join(args.prompt).strip()
    if len(prompt) > 1 and prompt[0] == prompt[-1] == "'":
        prompt = prompt[1:-1].strip()  # quoted as in Python; apostrophes within are left alone
    if not prompt:
        raise EmptyPromptError
    return prompt


def _connect(args: argparse.Namespace) -> object:
    hidden = ... if args.when_hidden is None else args.when_hidden
    return api.connect(
        args.name,
        local=args.local or None,
        url=args.url,
        when_hidden=hidden,
        budget=args.budget,
    )


def _start(args: argparse.Namespace) -> object:
    orientation = "portrait" if args.portrait else "landscape"
    return api.start(
        _prompt(args),
        on=args.on,
        orientation=orientation,
        image=args.image,
        broadcast=args.broadcast,
        extend=args.extend,
    )


def _interact(args: argparse.Namespace) -> object:
    return api.interact(_prompt(args), on=args.on)


def _mark(args: argparse.Namespace) -> object:
    return Help(f"marked at {api.mark(' '.join(args.text), on=args.on):.2f} s")


def _end(args: argparse.Namespace) -> None:
    api.end(on=args.on)


def _disconnect(args: argparse.Namespace) -> None:
    api.disconnect(args.name)


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


def _given(words: list[str], read: Callable[[str], object]) -> dict[str, Any]:
    """Return what ``NAME=VALUES`` words give for each name."""
    given: dict[str, Any] = {}
    for each in words:
        name, found, values = each.partition("=")
        if not found:
            raise UsageError(
                f"{each!r} gives no values", hint=f"Write {each}=sunny,rainy, for example."
            )
        given[name] = read(values)
    return given


def _sweep(args: argparse.Namespace) -> object:
    sweep = api.sweep(
        args.template,
        _given(args.values, _listed),
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


def _sliders(args: argparse.Namespace) -> object:
    given = _given(args.values, _values)
    try:
        return api.sliders(args.template, on=args.on, **given)
    except (TypeError, ValueError) as error:
        raise UsageError(str(error), hint="See %odyssey help sliders.") from error


def _crowd(args: argparse.Namespace) -> object:
    from odyssey_nb.kernel.runtime import get_manager
    from odyssey_nb.research.orchestrator import Orchestrator

    stream = get_manager()[args.on].stream
    if stream is None:
        raise NoStreamError(f"no stream runs on {args.on!r}")
    return Orchestrator(stream, args.mode, every=args.every, per_minute=args.per_minute)


def _values(text: str) -> object:
    """Return what a line says that may stand in one place of a prompt."""
    numbers = re.fullmatch(r"(-?[\d.]+)\.\.(-?[\d.]+)", text)
    if numbers is not None:
        return tuple(float(each) if "." in each else int(each) for each in numbers.groups())
    if text in {"on", "off"}:
        return text == "on"
    if text == "scale" or text.startswith("scale:"):
        return api.scale(*filter(None, text.removeprefix("scale").lstrip(":").split(",")))
    return text.split(",") if "," in text else text


def _asyncio(args: argparse.Namespace) -> object:
    from odyssey_nb.kernel import nesting

    return Help(nesting.switch_on() if args.state == "on" else nesting.switch_off())


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


class Help(str):
    """Text that a cell shows as it is."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


VERBS: dict[str, Verb] = {
    verb.name: verb
    for verb in (
        Verb(
            "connect",
            "Reserve a streamer; an open connection is reused.",
            "%odyssey connect --budget 10",
            _connect,
            (
                _NAME,
                _LOCAL,
                _option("--url", help="The service's base URL."),
                _option(
                    "--when-hidden",
                    help="Seconds unseen until the stream ends, and the connection; or off. "
                    "The page counts down to both.",
                    metavar="120,300",
                ),
                _option(
                    "--budget",
                    help="For how long it may be held; then it ends.",
                    type=float,
                    metavar="MINUTES",
                ),
            ),
        ),
        Verb(
            "start",
            "Start a stream, connecting first if need be, and show it.",
            '%odyssey start "a misty forest at dawn" --extend',
            _start,
            (
                _PROMPT,
                _ON,
                _PORTRAIT,
                _option("--image", help="What it starts from.", metavar="FILE"),
                _option("--broadcast", help="Let others watch.", action="store_true"),
                _option("--extend", help="Go on past the service's limits.", action="store_true"),
            ),
            cell=True,
        ),
        Verb(
            "interact",
            "Steer the running stream; shows the applied prompt.",
            "%odyssey interact it is snowing",
            _interact,
            (_PROMPT, _ON),
            cell=True,
        ),
        Verb(
            "mark",
            "Mark this moment on the stream's timeline.",
            "%odyssey mark the boat vanishes",
            _mark,
            (_option("text", help="Why, in a few words.", nargs="*"), _ON),
        ),
        Verb("end", "End the running stream; the connection stays.", "%odyssey end", _end, (_ON,)),
        Verb(
            "watch",
            "Show a broadcast: URL and TOKEN, or its link for browsers alone.",
            "%odyssey watch $stream.broadcast.watch_url",
            lambda args: api.watch(args.url, args.token),
            (
                _option("url", help="The broadcast's address."),
                _option("token", help="What opens it, where the URL does not say.", nargs="?"),
            ),
        ),
        Verb(
            "compare",
            "Show streams side by side under one prompt box.",
            "%odyssey compare left right",
            lambda args: api.compare(*args.names),
            (_option("names", help="The connections that they run on.", nargs="+"),),
        ),
        Verb(
            "disconnect",
            "Free the streamers of all connections, or of one.",
            "%odyssey disconnect",
            _disconnect,
            (_option("name", help="Only this connection.", nargs="?"),),
        ),
        Verb(
            "status",
            "This kernel's open connections.",
            "%odyssey status",
            lambda _: api.status() or Help("not connected; %odyssey connect opens one"),
        ),
        Verb(
            "sessions",
            "Every session that your programs here hold, or have left behind (also: ps).",
            "%odyssey sessions",
            lambda _: api.sessions(),
            alias="ps",
        ),
        Verb(
            "kill",
            "End one session, whichever program holds it.",
            "%odyssey kill 3f2a",
            lambda args: api.kill(args.id),
            (_option("id", help="How its id begins, or what its connection is called."),),
        ),
        Verb(
            "reap",
            "End every session that dangles, because what held it is dead.",
            "%odyssey reap",
            lambda _: api.reap(),
        ),
        Verb(
            "recordings",
            "What streams have left behind, newest first.",
            "%odyssey recordings --limit 5",
            lambda args: api.recordings(args.limit, local=args.local or None),
            (_LIMIT, _LOCAL),
        ),
        Verb(
            "simulate",
            "Run a script of `SECONDS VERB PROMPT` lines, from a cell or a file.",
            "%%odyssey simulate",
            _simulate,
            (
                _option("script", help="A file; or the cell's body."),
                _PORTRAIT,
                _option("--no-wait", help="Do not wait until it is done.", action="store_true"),
                _LOCAL,
            ),
            cell=True,
        ),
        Verb(
            "simulations",
            "Scripted streams that wait, run or are over, newest first.",
            "%odyssey simulations --limit 5",
            lambda args: api.simulations(args.limit, local=args.local or None),
            (_LIMIT, _LOCAL),
        ),
        Verb(
            "sweep",
            "Run a prompt with all values of the names in it, and show what became of each run.",
            '%odyssey sweep "a {weather} sea, wind {wind}" weather=calm,foggy wind=2,9 --repeats 3',
            _sweep,
            (
                _option("template", help="The prompt, with names in braces."),
                _option(
                    "values",
                    help="Of each name: words or numbers, with commas between.",
                    nargs="*",
                    metavar="NAME=VALUES",
                ),
                _option("--repeats", help="How often each is run.", type=int, default=1),
                _option("--seconds", help="How long each is.", type=float, default=5.0),
                _option("--estimate", help="Only say what it takes.", action="store_true"),
                _option("--live", help="Live, not as simulations.", action="store_true"),
                _option("--name", help="What its folder in sweeps/ is called."),
                _PORTRAIT,
                _LOCAL,
            ),
        ),
        Verb(
            "sliders",
            "Show a prompt whose words are controls, which steer the stream.",
            '%odyssey sliders "a {weather} forest, {fog} fog" weather=sunny,rainy fog=scale',
            _sliders,
            (
                _option("template", help="The prompt, with names in braces."),
                _option(
                    "values",
                    help="Of each name: choices a,b; numbers 0..12; on or off; scale, or "
                    "scale:calm,stormy; else a text.",
                    nargs="*",
                    metavar="NAME=VALUES",
                ),
                _ON,
            ),
        ),
        Verb(
            "crowd",
            "Let others steer a stream that is broadcast, together.",
            "%odyssey crowd --mode vote --every 10",
            _crowd,
            (
                _option(
                    "--mode",
                    help="Whose prompt is next: queue, vote, round_robin or moderated.",
                    default="queue",
                ),
                _option("--every", help="Least seconds between two.", type=float, default=10.0),
                _option("--per-minute", help="Most proposals of one person.", type=int, default=6),
                _ON,
            ),
        ),
        Verb(
            "usage",
            "What the account uses now and has used this month.",
            "%odyssey usage",
            lambda args: api.usage(local=args.local or None),
            (_LOCAL,),
        ),
        Verb(
            "login",
            "Ask for an API key, try it, and keep it, so that it stands in no cell.",
            "%odyssey login",
            lambda args: api.login(args.url),
            (_option("--url", help="The service's base URL."),),
        ),
        Verb(
            "logout",
            "Forget the key of login.",
            "%odyssey logout",
            lambda _: api.logout(),
        ),
        Verb(
            "asyncio",
            "Let asyncio.run(main()) work in cells, for scripts that call it; off at first. It "
            "changes asyncio for the whole kernel; where you can, write await main() instead.",
            "%odyssey asyncio on",
            _asyncio,
            (_option("state", help="on or off.", choices=("on", "off")),),
        ),
        Verb(
            "doctor",
            "Look at all that a live stream stands on, and say what to do.",
            "%odyssey doctor --bundle report.zip",
            lambda args: api.doctor(
                bundle=args.bundle,
                session=not args.no_session,
                local=args.local or None,
                url=args.url,
            ),
            (
                _option(
                    "--bundle", help="Write a report for others, without secrets.", metavar="FILE"
                ),
                _option("--no-session", help="Reserve no streamer.", action="store_true"),
                _LOCAL,
                _option("--url", help="The service's base URL."),
            ),
        ),
        Verb(
            "help",
            "This list, or one verb in full.",
            "%odyssey help start",
            _help,
            (_option("verb", help="The verb; or on_frame and the like.", nargs="?"),),
        ),
    )
}


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


def parser(verb: Verb, program: str = "%odyssey") -> argparse.ArgumentParser:
    """Return the parser of a verb's arguments."""
    made = _Parser(prog=f"{program} {verb.name}", description=verb.help, add_help=False)
    for option in verb.options:
        made.add_argument(*option.flags, help=option.help, **option.more)
    return made


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
