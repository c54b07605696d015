"""The verbs about what an account and its programs hold, and what is wrong with it."""

from __future__ import annotations

import argparse

from odyssey_nb import api
from odyssey_nb.verbs.verb import LOCAL, Help, Verb, option


def _asyncio(args: argparse.Namespace) -> object:
    from odyssey_nb.kernel import nesting

    return Help(nesting.switch_on() if args.state == "on" else nesting.switch_off())


VERBS = (
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
        (option("id", help="How its id begins, or what its connection is called."),),
    ),
    Verb(
        "reap",
        "End every session that dangles, because what held it is dead.",
        "%odyssey reap",
        lambda _: api.reap(),
    ),
    Verb(
        "usage",
        "What the account uses now and has used this month.",
        "%odyssey usage",
        lambda args: api.usage(local=args.local or None),
        (LOCAL,),
    ),
    Verb(
        "login",
        "Ask for an API key, try it, and keep it, so that it stands in no cell.",
        "%odyssey login",
        lambda args: api.login(args.url),
        (option("--url", help="The service's base URL."),),
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
        (option("state", help="on or off.", choices=("on", "off")),),
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
            option("--bundle", help="Write a report for others, without secrets.", metavar="FILE"),
            option("--no-session", help="Reserve no streamer.", action="store_true"),
            LOCAL,
            option("--url", help="The service's base URL."),
        ),
    ),
)
