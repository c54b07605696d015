"""``odyssey-nb keys``: API keys, and what their accounts may, whether or not a service runs."""

from __future__ import annotations

import os
import time
from argparse import BooleanOptionalAction
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from odyssey_nb.config import default_data_dir

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from odyssey_nb.service.accounts import Account, Accounts

_LIMIT = "a limit of the account's own; the value default takes it back"


def add_commands(parser: argparse.ArgumentParser) -> None:
    """Add ``create``, ``list``, ``revoke`` and ``set``."""
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    create = commands.add_parser("create", help="make a key, and show it this once")
    create.add_argument(
        "--account", default="", metavar="NAME", help="whose; a new one if left out"
    )
    _values_options(create)
    create.set_defaults(run=_create)

    everything = commands.add_parser("list", help="show keys and accounts")
    everything.set_defaults(run=_list)

    revoke = commands.add_parser("revoke", help="have a key open nothing any more")
    revoke.add_argument("key", metavar="PREFIX", help="how it begins, or its number in the list")
    revoke.set_defaults(run=_revoke)

    change = commands.add_parser("set", help="change what an account may")
    change.add_argument("account", metavar="NAME", help="the account")
    _values_options(change)
    standing = change.add_mutually_exclusive_group()
    standing.add_argument("--suspend", metavar="REASON", help="refuse it everything that costs")
    standing.add_argument("--unsuspend", action="store_true", help="let it go on")
    change.set_defaults(run=_set)

    for command in (create, everything, revoke, change):
        command.add_argument(
            "--data-dir", type=Path, default=default_data_dir(), help="the service's"
        )
        command.add_argument("--database", default="", metavar="URL", help="the service's")


def _values_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--limit", action="append", default=[], metavar="NAME=VALUE", help=_LIMIT)
    parser.add_argument(
        "--may-bypass", action=BooleanOptionalAction, help="the expansion of prompts"
    )


@contextmanager
def _accounts(args: argparse.Namespace) -> Iterator[Accounts]:
    from odyssey_nb.service.accounts import Accounts
    from odyssey_nb.service.database import Database, sqlite_url
    from odyssey_nb.service.limits import Limits

    os.umask(0o077)  # as the service does: what is written is for this user alone
    args.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with Database.open(args.database or sqlite_url(args.data_dir)) as database:
        accounts = Accounts(database, Limits())
        accounts.take_over(args.data_dir)
        yield accounts


def _values(args: argparse.Namespace) -> dict[str, float | str | None]:
    from odyssey_nb.service.limits import Allowance

    values: dict[str, float | str | None] = dict(Allowance.parse(args.limit))
    if args.may_bypass is not None:
        values["may_bypass"] = args.may_bypass
    return values


def _create(args: argparse.Namespace) -> None:
    values = _values(args)
    with _accounts(args) as accounts:
        key, name = accounts.create(args.account, values)
    print(f"A key for {name}. It is shown only now:\n\n{key}\n")


def _revoke(args: argparse.Namespace) -> None:
    with _accounts(args) as accounts:
        key = accounts.revoke(args.key)
    print(f"{key.prefix}… of {key.account} opens nothing any more")


def _set(args: argparse.Namespace) -> None:
    values = _values(args)
    if args.suspend is not None or args.unsuspend:
        values["suspended"] = args.suspend
    with _accounts(args) as accounts:
        print(_line(accounts.change(args.account, values)))


def _list(args: argparse.Namespace) -> None:
    with _accounts(args) as accounts:
        keys, everybody = accounts.all_keys(), accounts.all()
    width = max(map(len, ["account", *(each.name for each in everybody)]))
    print(f"{'#':>4}  {'key':<14}{'account':<{width}}  created")
    for key in keys:
        made = time.strftime("%Y-%m-%d %H:%M", time.localtime(key.created))
        state = "" if key.revoked is None else "  revoked"
        print(f"{key.number:>4}  {key.prefix + '…':<14}{key.account:<{width}}  {made}{state}")
    print()
    for account in everybody:
        print(_line(account, width))


def _line(account: Account, width: int = 0) -> str:
    """Return what is special about the account, on one line."""
    special = [f"{name}={value:g}" for name, value in account.own.items()]
    if account.may_bypass:
        special.append("may bypass")
    if account.suspended is not None:
        special.append(f"suspended: {account.suspended}")
    return f"{account.name:<{width}}  {', '.join(special) or 'as the service limits everybody'}"
