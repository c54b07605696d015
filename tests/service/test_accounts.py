"""Accounts and keys in a real database."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from odyssey_nb.errors import NotFoundError, SettingError
from odyssey_nb.service.accounts import Accounts, Caller
from odyssey_nb.service.database import Database, sqlite_url
from odyssey_nb.service.limits import Allowance, Limits


@pytest.fixture(scope="module")
def accounts(new_database: Callable[[], str]) -> Iterator[Accounts]:
    """Accounts of a service with limits of its own."""
    with Database.open(new_database()) as database:
        yield Accounts(database, Limits(concurrent_streams=3, stream_seconds=60))


def known(accounts: Accounts, key: str) -> Caller:
    """Return whose key it is; it must be good."""
    caller = accounts.find(key)
    assert caller is not None
    return caller


@given(st.text())
def test_only_known_keys_have_an_account(accounts: Accounts, key: str) -> None:
    """A key that was never made has no account, whatever it looks like."""
    accounts.remember("ody_known")
    assume(key != "ody_known")
    assert accounts.find(key) is None
    assert accounts.find("ody_known") is not None


def test_remembering_twice_keeps_the_account(accounts: Accounts) -> None:
    """A key has one account, however often it is given, and another key has another."""
    one, again, two = (accounts.remember(key) for key in ("ody_one", "ody_one", "ody_two"))
    assert one == again != two


def test_a_key_is_kept_as_its_hash(tmp_path: Path) -> None:
    """No file holds a key, nor more of it than its beginning; what is shown is recognisable."""
    with Database.open(sqlite_url(tmp_path)) as database:
        accounts = Accounts(database, Limits())
        key, name = accounts.create("alice")
        accounts.remember("ody_a1")
        assert (key[:4], len(key), name) == ("ody_", 47, "alice")
        made, given_ = accounts.all_keys()
        assert key.startswith(made.prefix)
        assert len(made.prefix) == 12
        assert given_.prefix == "ody", "half of a short key stays unknown"
    kept = b"".join(file.read_bytes() for file in tmp_path.glob("service.db*"))
    assert key[:20].encode() not in kept  # one letter more could be what stands behind it
    assert hashlib.sha256(key.encode()).hexdigest().encode() in kept


def test_revoking(accounts: Accounts) -> None:
    """A revoked key opens nothing any more, also by its number; others of the account go on."""
    (first, name), (second, _) = accounts.create("bob"), accounts.create("bob")
    caller = known(accounts, first)
    assert (caller.account.name, caller.account.keys) == (name, 2)
    assert accounts.revoke(first[:10]).account == "bob"
    assert accounts.find(first) is None
    assert accounts.caller(caller.key) is None
    assert known(accounts, second).account.keys == 1
    accounts.remember(first)
    assert accounts.find(first) is None, "given again, it stays revoked"
    with pytest.raises(NotFoundError, match="no good key"):
        accounts.revoke(first)


def test_revoking_names_one_key(accounts: Accounts) -> None:
    """A beginning that several share is refused; the number in the list always names one."""
    accounts.remember("ody_twin_of_the_other_one_1")
    accounts.remember("ody_twin_of_the_other_one_2")
    with pytest.raises(SettingError, match="2 keys begin"):
        accounts.revoke("ody_twin")
    with pytest.raises(NotFoundError):
        accounts.revoke("")
    twins = [each for each in accounts.all_keys() if each.prefix.startswith("ody_twin")]
    assert accounts.revoke(str(twins[1].number)).number == twins[1].number


def test_limits_of_an_account(accounts: Accounts) -> None:
    """An account's own limits stand before the service's, until they are taken back."""
    key, name = accounts.create(values=Allowance.parse(["monthly_hours=2", "stream_seconds=5"]))
    assert known(accounts, key).account.allowance == Allowance(
        concurrent_streams=3, simulation_queue=10, monthly_hours=2, stream_seconds=5
    )
    accounts.change(name, Allowance.parse(["stream_seconds=default", "concurrent_streams=1"]))
    account = known(accounts, key).account
    assert account.allowance == Allowance(
        concurrent_streams=1, simulation_queue=10, monthly_hours=2, stream_seconds=60
    )
    assert account.own == {"monthly_hours": 2, "concurrent_streams": 1}


@pytest.mark.parametrize("text", ["idle_seconds=3", "monthly_hours=0", "monthly_hours", "=default"])
def test_limits_that_no_account_has(text: str) -> None:
    """A name that is the service's alone and a value that is no positive number are refused."""
    with pytest.raises(SettingError):
        Allowance.parse([text])


def test_suspending(accounts: Accounts) -> None:
    """Suspension has a reason and can be taken back; the privilege to bypass likewise."""
    _, name = accounts.create("carol")
    assert accounts.change(name, {"suspended": "unpaid"}).suspended == "unpaid"
    changed = accounts.change(name, {"suspended": None, "may_bypass": True})
    assert (changed.suspended, changed.may_bypass) == (None, True)
    with pytest.raises(NotFoundError, match="no account called 'nobody'"):
        accounts.change("nobody", {})


def test_a_change_by_another_process_holds_at_once(database_url: str) -> None:
    """Two that have the same database open see what the other did."""
    with Database.open(database_url) as here, Database.open(database_url) as there:
        service, command = Accounts(here, Limits()), Accounts(there, Limits())
        key, name = command.create()
        assert known(service, key).account.suspended is None
        command.change(name, {"suspended": "spam"})
        assert known(service, key).account.suspended == "spam"
        command.revoke(key)
        assert service.find(key) is None


def test_the_file_of_an_earlier_version_is_taken_over(tmp_path: Path) -> None:
    """Its keys keep their accounts, and the file goes."""
    file = tmp_path / "keys.json"
    file.write_text(json.dumps({hashlib.sha256(b"ody_old").hexdigest(): "account-0123"}))
    with Database.open(sqlite_url(tmp_path)) as database:
        accounts = Accounts(database, Limits())
        for _ in range(2):
            accounts.take_over(tmp_path)
        assert known(accounts, "ody_old").account.id == "account-0123"
        assert accounts.remember("ody_old") == "account-0123"
        assert [each.prefix for each in accounts.all_keys()] == ["ody"]
    assert not file.exists()
