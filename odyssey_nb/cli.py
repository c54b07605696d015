"""The command line: ``odyssey-nb``."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from importlib.util import find_spec
from pathlib import Path

from odyssey_nb import keys, verbs
from odyssey_nb.config import VERSION, default_data_dir
from odyssey_nb.errors import OdysseyNBError
from odyssey_nb.kernel.runtime import runtime

# Verbs of the table that make sense without a kernel.
_VERBS = (
    "doctor", "login", "logout", "sessions", "kill", "reap", "recordings", "simulate",
    "simulations", "usage",
)  # fmt: skip
_DATABASE = "default: SQLite in the data directory; a password is better in ~/.pgpass"
_TURN = "relay by this TURN server where UDP is blocked (browsers then use nothing else)"
LOG_LEVELS = ("debug", "info", "warning", "error")


def main() -> None:
    """Run the command; our own errors are one line and exit status 1."""
    args = _parser().parse_args()
    runtime().terminal = True
    try:
        args.run(args)
    except OdysseyNBError as error:
        print(f"odyssey-nb: {error.one_line()}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="odyssey-nb", description="Interactive world models in a notebook."
    )
    parser.add_argument("--version", action="version", version=VERSION)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    demo = commands.add_parser("demo", help="open a tutorial, or run it without a screen")
    which = "its number, or a part of its name (default: the first)"
    demo.add_argument("which", nargs="?", default="01", metavar="TUTORIAL", help=which)
    demo.add_argument("--headless", action="store_true", help="run it and report")
    demo.add_argument("--out", type=Path, default=Path("demo-output"), help="where results go")
    demo.set_defaults(run=_demo)
    serve = commands.add_parser("serve", help="run the local service")
    _serve_options(serve)
    serve.set_defaults(run=_serve)
    keys.add_commands(commands.add_parser("keys", help="make, list and revoke API keys"))
    for name in _VERBS:
        verb = verbs.find(name)
        aliases = [verb.alias] if verb.alias else []
        command = commands.add_parser(name, help=verb.help, aliases=aliases)
        for option in verb.options:
            command.add_argument(*option.flags, help=option.help, **option.more)
        command.set_defaults(run=lambda args, verb=verb: _run(verb, args))
    return parser


def _run(verb: verbs.Verb, args: argparse.Namespace) -> None:
    """Run a verb and print what it returns; a report of problems is exit status 1."""
    result = verb.run(args)
    print(result)
    if getattr(result, "failed", False):
        sys.exit(1)


def _serve_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (default %(default)s)")
    add("--port", type=int, default=8707, help="port; 0 takes any (default %(default)s)")
    add("--data-dir", type=Path, default=default_data_dir(), help="keys and media")
    add("--database", default="", metavar="URL", help=_DATABASE)
    add("--api-key", action="append", default=[], metavar="KEY", help="accept this key too")
    add("--streamers", type=int, default=5, help="sessions at a time (default %(default)s)")
    add("--world", default="landscape", help="what streamers paint (default %(default)s)")
    add("--limit", action="append", default=[], metavar="NAME=VALUE", help="change a limit")
    add(
        "--allow-private-script-urls",
        action="store_true",
        help="fetch simulation scripts from private addresses too",
    )
    add("--turn", action="append", default=[], metavar="URL", help=_TURN)
    add("--turn-secret-file", type=Path, metavar="FILE", help="the secret shared with it")
    add("--ready-file", type=Path, help='gets {"url", "pid"} once requests are accepted')
    add("--log-level", choices=LOG_LEVELS, default="warning", help="default %(default)s")
    add(
        "--close-on-stream-limit",
        action="store_true",
        help="end a connection whose stream reaches its limit (default: only the stream ends)",
    )
    add("--stop-when-unused", type=float, default=0, metavar="SECONDS", help="0: never (default)")


def _serve(args: argparse.Namespace) -> None:
    from odyssey_nb.service.app import ServiceOptions, serve
    from odyssey_nb.service.limits import Limits
    from odyssey_nb.service.turn import relays

    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # Ours alone: the libraries' debug lines show query strings, in which tokens travel.
    logging.getLogger("odyssey_nb").setLevel(args.log_level.upper())
    turn, turn_secret = relays(args.turn, args.turn_secret_file)
    serve(
        ServiceOptions(
            host=args.host,
            port=args.port,
            data_dir=args.data_dir,
            database=args.database,
            api_keys=tuple(args.api_key),
            streamers=args.streamers,
            world=args.world,
            limits=Limits.parse(args.limit),
            private_script_urls=args.allow_private_script_urls,
            turn=turn,
            turn_secret=turn_secret,
            ready_file=args.ready_file,
            stop_when_unused=args.stop_when_unused,
            close_on_stream_limit=args.close_on_stream_limit,
        )
    )


def _demo(args: argparse.Namespace) -> None:
    from odyssey_nb import demo
    from odyssey_nb.kernel.local_service import ensure_local_service

    if args.headless:
        sys.exit(demo.run_headless(args.out, args.which))
    if find_spec("jupyterlab") is None:
        raise demo.needs("jupyterlab")
    url, _ = ensure_local_service()
    print(f"local service: {url}", flush=True)
    tutorial = demo.readers_copy(args.out, args.which)
    lab = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={tutorial.parent}"]
    # The printed address leads to the tutorial, also where no browser opens by itself.
    lab.append(f"--LabApp.default_url=/lab/tree/{tutorial.name}")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        lab.append("--allow-root")  # in a container everybody is root
    os.execv(sys.executable, lab)


if __name__ == "__main__":
    main()
