"""The verbs about connections, their streams, and what steers them."""

from __future__ import annotations

import argparse
import re

from odyssey_nb import api
from odyssey_nb.errors import UsageError
from odyssey_nb.verbs.verb import (
    LOCAL,
    ON,
    PORTRAIT,
    PROMPT,
    Help,
    Verb,
    given_values,
    option,
    prompt_of,
)


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
        prompt_of(args),
        on=args.on,
        orientation=orientation,
        image=args.image,
        broadcast=args.broadcast,
        extend=args.extend,
    )


def _interact(args: argparse.Namespace) -> object:
    return api.interact(prompt_of(args), on=args.on)


def _mark(args: argparse.Namespace) -> object:
    return Help(f"marked at {api.mark(' '.join(args.text), on=args.on):.2f} s")


def _end(args: argparse.Namespace) -> None:
    api.end(on=args.on)


def _disconnect(args: argparse.Namespace) -> None:
    api.disconnect(args.name)


def _sliders(args: argparse.Namespace) -> object:
    given = given_values(args.values, _values)
    try:
        return api.sliders(args.template, on=args.on, **given)
    except (TypeError, ValueError) as error:
        raise UsageError(str(error), hint="See %odyssey help sliders.") from error


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


def _crowd(args: argparse.Namespace) -> object:
    from odyssey_nb.kernel.runtime import get_manager
    from odyssey_nb.research.orchestrator import Orchestrator

    stream = get_manager().stream_on(args.on)
    return Orchestrator(stream, args.mode, every=args.every, per_minute=args.per_minute)


_NAME = option("name", help="What the connection is called.", nargs="?", default="default")

VERBS = (
    Verb(
        "connect",
        "Reserve a streamer; an open connection is reused.",
        "%odyssey connect --budget 10",
        _connect,
        (
            _NAME,
            LOCAL,
            option("--url", help="The service's base URL."),
            option(
                "--when-hidden",
                help="Seconds unseen until the stream ends, and the connection; or off. "
                "The page counts down to both.",
                metavar="120,300",
            ),
            option(
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
            PROMPT,
            ON,
            PORTRAIT,
            option("--image", help="What it starts from.", metavar="FILE"),
            option("--broadcast", help="Let others watch.", action="store_true"),
            option("--extend", help="Go on past the service's limits.", action="store_true"),
        ),
        cell=True,
    ),
    Verb(
        "interact",
        "Steer the running stream; shows the applied prompt.",
        "%odyssey interact it is snowing",
        _interact,
        (PROMPT, ON),
        cell=True,
    ),
    Verb(
        "mark",
        "Mark this moment on the stream's timeline.",
        "%odyssey mark the boat vanishes",
        _mark,
        (option("text", help="Why, in a few words.", nargs="*"), ON),
    ),
    Verb("end", "End the running stream; the connection stays.", "%odyssey end", _end, (ON,)),
    Verb(
        "watch",
        "Show a broadcast: URL and TOKEN, or its link for browsers alone.",
        "%odyssey watch $stream.broadcast.watch_url",
        lambda args: api.watch(args.url, args.token),
        (
            option("url", help="The broadcast's address."),
            option("token", help="What opens it, where the URL does not say.", nargs="?"),
        ),
    ),
    Verb(
        "compare",
        "Show streams side by side under one prompt box.",
        "%odyssey compare left right",
        lambda args: api.compare(*args.names),
        (option("names", help="The connections that they run on.", nargs="+"),),
    ),
    Verb(
        "disconnect",
        "Free the streamers of all connections, or of one.",
        "%odyssey disconnect",
        _disconnect,
        (option("name", help="Only this connection.", nargs="?"),),
    ),
    Verb(
        "status",
        "This kernel's open connections.",
        "%odyssey status",
        lambda _: api.status() or Help("not connected; %odyssey connect opens one"),
    ),
    Verb(
        "sliders",
        "Show a prompt whose words are controls, which steer the stream.",
        '%odyssey sliders "a {weather} forest, {fog} fog" weather=sunny,rainy fog=scale',
        _sliders,
        (
            option("template", help="The prompt, with names in braces."),
            option(
                "values",
                help="Of each name: choices a,b; numbers 0..12; on or off; scale, or "
                "scale:calm,stormy; else a text.",
                nargs="*",
                metavar="NAME=VALUES",
            ),
            ON,
        ),
    ),
    Verb(
        "crowd",
        "Let others steer a stream that is broadcast, together.",
        "%odyssey crowd --mode vote --every 10",
        _crowd,
        (
            option(
                "--mode",
                help="Whose prompt is next: queue, vote, round_robin or moderated.",
                default="queue",
            ),
            option("--every", help="Least seconds between two.", type=float, default=10.0),
            option("--per-minute", help="Most proposals of one person.", type=int, default=6),
            ON,
        ),
    ),
)
