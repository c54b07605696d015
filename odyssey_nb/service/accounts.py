"""Accounts and their API keys, as the database keeps them.

Keys are 256 random bits, so that one SHA-256 each is enough; a key is shown once, when it is made.
Calls block, and every one looks into the database: what another process changes holds at once.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import time
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from odyssey_nb.errors import NotFoundError, SettingError
from odyssey_nb.service.database import AccountRow, KeyRow
from odyssey_nb.service.keys import new_key
from odyssey_nb.service.limits import Allowance

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from sqlalchemy.orm import Session

    from odyssey_nb.service.database import Database
    from odyssey_nb.service.limits import Limits

SHOWN = 12  # characters of a key by which it is recognised, and no more than half of them
KEYS_FILE = "keys.json"  # where earlier versions kept hashes and accounts


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Who owns sessions, recordings and keys, and what it may."""

    id: str
    name: str
    allowance: Allowance
    own: dict[str, float]  # of the limits in it, those that are not the service's
    suspended: str | None  # why
    may_bypass: bool
    keys: int  # that are good


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose key it was."""

    account: Account
    key: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyInfo:
    """One key as a list shows it; times in seconds since the epoch."""

    number: int
    prefix: str
    account: str  # its name
    created: float
    revoked: float | None


class Accounts:
    """The accounts and keys of one database."""

    def __init__(
        self, database: Database, limits: Limits, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._database = database
        self._limits = limits
        self._clock = clock

    def take_over(self, directory: Path) -> None:
        """Move the keys that an earlier version kept in a file of `directory` to the database."""
        file = directory / KEYS_FILE
        if not file.exists():
            return
        with self._database.begin() as session:
            for digest, account in json.loads(file.read_text()).items():
                if _key_of(session, digest) is None:
                    self._add_key(session, self._account(session, account), digest, prefix="")
        file.unlink()

    def remember(self, key: str, name: str = "") -> str:
        """Have `key` known, for the account called `name` or one of its own; return its id.

        One that was revoked stays so.
        """
        digest = _digest(key)
        with self._database.begin() as session:
            row = _key_of(session, digest)
            if row is None:
                account = self._account(session, name or f"account-{digest[:12]}")
                row = self._add_key(session, account, digest, prefix=_prefix(key))
            elif not row.prefix:
                row.prefix = _prefix(key)
            return row.account

    def create(
        self, name: str = "", values: Mapping[str, float | str | None] | None = None
    ) -> tuple[str, str]:
        """Make a key for the account called `name`, or for a new one; return key and name.

        `values` are as for `change`.
        """
        key = new_key()
        with self._database.begin() as session:
            account = self._account(session, name or f"account-{secrets.token_hex(6)}")
            _set(account, values or {})
            self._add_key(session, account, _digest(key), prefix=_prefix(key))
            return key, account.name

    def change(self, name: str, values: Mapping[str, float | str | None]) -> Account:
        """Give the account called `name` limits of its own, suspend it, or let it bypass.

        Args:
            name: Its name.
            values: By the names of `AccountRow`'s columns; None takes a limit or suspension away.

        Raises:
            NotFoundError: There is no such account.
        """
        with self._database.begin() as session:
            row = session.scalars(select(AccountRow).where(AccountRow.name == name)).one_or_none()
            if row is None:
                hint = "`odyssey-nb keys list` names them all."
                raise NotFoundError(f"there is no account called {name!r}", hint=hint)
            _set(row, values)
            session.flush()
            return self._known(session, row)

    def find(self, key: str) -> Caller | None:
        """Return whose key this is, if it is good."""
        digest = _digest(key)
        with self._database.begin() as session:
            row = _key_of(session, digest)
            # The index has compared already, but only hashes, which nobody can steer towards one
            # that is known; what decides takes the same time wherever they differ.
            if row is None or not hmac.compare_digest(row.hash, digest):
                return None
            return self._caller(session, row)

    def caller(self, number: int) -> Caller | None:
        """Return whose key has that number, if it is good."""
        with self._database.begin() as session:
            row = session.get(KeyRow, number)
            return None if row is None else self._caller(session, row)

    def get(self, account_id: str) -> Account | None:
        """Return the account of that id."""
        with self._database.begin() as session:
            row = session.get(AccountRow, account_id)
            return None if row is None else self._known(session, row)

    def all(self) -> list[Account]:
        """Return every account, by name."""
        with self._database.begin() as session:
            rows = session.scalars(select(AccountRow).order_by(AccountRow.name)).all()
            return [self._known(session, row) for row in rows]

    def all_keys(self) -> list[KeyInfo]:
        """Return every key, revoked ones too, oldest first."""
        with self._database.begin() as session:
            return [_info(key, account) for key, account in session.execute(_PAIRS)]

    def revoke(self, which: str) -> KeyInfo:
        """Have a key open nothing any more; `which` is the beginning of it, or its number.

        Raises:
            NotFoundError: There is no such key, or it is revoked already.
            SettingError: There are several.
        """
        with self._database.begin() as session:
            good = session.execute(_PAIRS.where(KeyRow.revoked.is_(None))).all()
            found = [
                (key, account)
                for key, account in good
                if which == str(key.id)
                or (key.prefix and which and (key.prefix + "…").startswith(which[:SHOWN]))
            ]
            hint = "Give the number that `odyssey-nb keys list` shows."
            if not found:
                raise NotFoundError(f"no good key begins with {which[:SHOWN]!r}", hint=hint)
            if len(found) > 1:
                raise SettingError(f"{len(found)} keys begin with {which[:SHOWN]!r}", hint=hint)
            key, account = found[0]
            key.revoked = self._clock()
            return _info(key, account)

    def _account(self, session: Session, name: str) -> AccountRow:
        """Return the account called `name`, made when it is missing."""
        row = session.scalars(select(AccountRow).where(AccountRow.name == name)).one_or_none()
        if row is None:
            row = AccountRow(id=name, name=name, created=self._clock())
            session.add(row)
            session.flush()
        return row

    def _add_key(
        self, session: Session, account: AccountRow, digest: str, *, prefix: str
    ) -> KeyRow:
        row = KeyRow(hash=digest, prefix=prefix, account=account.id, created=self._clock())
        session.add(row)
        return row

    def _caller(self, session: Session, key: KeyRow) -> Caller | None:
        account = session.get(AccountRow, key.account)
        if key.revoked is not None or account is None:
            return None
        return Caller(self._known(session, account), key.id)

    def _known(self, session: Session, row: AccountRow) -> Account:
        good = select(func.count()).where(KeyRow.account == row.id, KeyRow.revoked.is_(None))
        values = ((each.name, getattr(row, each.name)) for each in fields(Allowance))
        own = {name: value for name, value in values if value is not None}
        return Account(
            id=row.id,
            name=row.name,
            allowance=Allowance.resolve(self._limits, own),
            own=own,
            suspended=row.suspended,
            may_bypass=row.may_bypass,
            keys=session.scalar(good) or 0,
        )


_PAIRS = (
    select(KeyRow, AccountRow).join(AccountRow, AccountRow.id == KeyRow.account).order_by(KeyRow.id)
)


def _key_of(session: Session, digest: str) -> KeyRow | None:
    return session.scalars(select(KeyRow).where(KeyRow.hash == digest)).one_or_none()


def _set(row: AccountRow, values: Mapping[str, float | str | None]) -> None:
    for name, value in values.items():
        setattr(row, name, value)


def _info(key: KeyRow, account: AccountRow) -> KeyInfo:
    return KeyInfo(
        number=key.id,
        prefix=key.prefix,
        account=account.name,
        created=key.created,
        revoked=key.revoked,
    )


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _prefix(key: str) -> str:
    return key[: min(SHOWN, len(key) // 2)]
