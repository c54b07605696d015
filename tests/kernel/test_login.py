"""Logging in, with a keyring and without, from Colab, in a kernel; and keys that stand in cells."""

from __future__ import annotations

import getpass
import json
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked, PasswordDeleteError

import odyssey_nb as ody
from odyssey_nb import keychain
from odyssey_nb.config import CLOUD_URL, login_note, resolve_target
from odyssey_nb.errors import AuthError, ConnectError, SettingError, UsageError
from tests.conftest import API_KEY, Service
from tests.kernel.conftest import Kernel, kernel_for
from tests.test_cli import odyssey_nb


class Safe(KeyringBackend):
    """A keyring that is as good as a system's, for as long as a test."""

    priority = 5  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}
        self.locked = False
        self.asked = 0

    def _open(self) -> None:
        self.asked += 1
        if self.locked:
            raise KeyringLocked

    def get_password(self, service: str, username: str) -> str | None:
        self._open()
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self._open()
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        self._open()
        if self.kept.pop((service, username), None) is None:
            raise PasswordDeleteError


class PlainKeyring(Safe):
    """One that writes keys down as they are."""


@pytest.fixture
def safe() -> Iterator[Safe]:
    """The system's keyring."""
    before, ours = keyring.get_keyring(), Safe()
    keyring.set_keyring(ours)
    yield ours
    keyring.set_keyring(before)


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    """No key of one test is another's."""
    yield
    sys.modules.pop(keychain._HELD, None)


@pytest.fixture
def types_key(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Let the user type this key."""

    def choose(key: str) -> None:
        monkeypatch.setattr(getpass, "getpass", lambda _prompt: key)

    return choose


def test_the_keyring_keeps_it(
    service: Service, safe: Safe, types_key: Callable[[str], None], tmp_path: Path
) -> None:
    """It is tried, kept, found by `connect`'s settings, shown by nothing, and forgotten.

    No file has it, and without a login the keyring is not even asked.
    """
    assert resolve_target().url is None
    assert safe.asked == 0
    types_key(f" {API_KEY}\n")
    said = ody.login(service.url + "/")
    assert repr(said) == f"logged in to {service.url}; the key is kept by the system's keyring"
    assert safe.kept == {("odyssey-nb", service.url): API_KEY}
    assert json.loads(login_note().read_text()) == {"url": service.url}
    target = resolve_target()
    assert (target.url, target.api_key) == (service.url, API_KEY)
    report = ody.doctor(session=False)
    taken = [each.found for each in report.about("key")]
    assert taken == ["the key from the system's keyring is taken"], report
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or API_KEY not in file.read_text(errors="replace"), file
    assert resolve_target(local=True).url is None
    with pytest.raises(SettingError, match="needs an API key"):
        resolve_target(url="https://elsewhere.example")
    assert repr(ody.logout()) == f"logged out of {service.url}"
    assert safe.kept == {}
    assert resolve_target().url is None
    assert repr(ody.logout()) == "no key was kept"


def test_the_environment_goes_first(
    service: Service, safe: Safe, types_key: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who is logged in and sets a key is told which one counts."""
    types_key(API_KEY)
    monkeypatch.setenv("ODYSSEY_API_KEY", "ody_key_of_the_environment")
    assert "goes first" in repr(ody.login(service.url))
    target = resolve_target()
    assert (target.url, target.api_key) == (CLOUD_URL, "ody_key_of_the_environment")
    assert "still set" in repr(ody.logout())


def test_what_is_refused_is_not_kept(
    service: Service, safe: Safe, types_key: Callable[[str], None]
) -> None:
    """A wrong key, no key, and a service that is not there."""
    types_key("ody_wrong_key")
    with pytest.raises(AuthError):
        ody.login(service.url)
    types_key(API_KEY)
    with pytest.raises(ConnectError):
        ody.login("http://127.0.0.1:9")
    types_key(" ")
    with pytest.raises(UsageError, match="no key was given"):
        ody.login(service.url)
    assert safe.kept == {}
    assert resolve_target().url is None


@pytest.mark.parametrize("broken", ["locked", "plain", "none"])
def test_without_a_keyring_this_program_keeps_it(
    service: Service, safe: Safe, types_key: Callable[[str], None], broken: str
) -> None:
    """A keyring that is locked, writes plain text or is missing is not used."""
    if broken == "locked":
        safe.locked = True
    else:
        other = PlainKeyring() if broken == "plain" else keyring.backends.fail.Keyring()
        keyring.set_keyring(other)
    types_key(API_KEY)
    assert "until it ends" in repr(ody.login(service.url))
    assert resolve_target().url == service.url
    assert not login_note().exists()
    assert ody.logout().urls == (service.url,)
    assert resolve_target().url is None


def test_a_keyring_that_is_locked_later(
    service: Service, safe: Safe, types_key: Callable[[str], None]
) -> None:
    """Nothing fails but logging out, which says what to do."""
    types_key(API_KEY)
    ody.login(service.url)
    safe.locked = True
    assert resolve_target().url is None
    with pytest.raises(UsageError, match="does not let go") as caught:
        ody.logout()
    assert "Unlock it" in caught.value.hint


def test_from_colab(
    service: Service, safe: Safe, types_key: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The secret is taken and not kept once more; where there is none, the key is asked for."""
    secrets: dict[str, str] = {}
    userdata: Any = types.ModuleType("google.colab.userdata")
    userdata.get = secrets.__getitem__
    for name in ("google", "google.colab"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, "google.colab.userdata", userdata)
    types_key("ody_wrong_key")
    with pytest.raises(AuthError):
        ody.login(service.url)
    secrets["ODYSSEY_API_KEY"] = API_KEY
    assert "until it ends" in repr(ody.login(service.url))
    assert safe.kept == {}
    assert resolve_target().api_key == API_KEY


def test_from_a_terminal(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that nothing could keep beyond the command is an error with the remedy, not a lie."""
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    monkeypatch.setenv("ODYSSEY_API_URL", service.url)
    done = odyssey_nb("logout")
    assert done.stdout == "no key was kept\n"
    done = odyssey_nb("login", stdin=API_KEY + "\n")
    assert done.returncode == 1
    assert "no keyring here" in done.stderr
    assert API_KEY not in done.stdout + done.stderr


def answered(kernel: Kernel, code: str, typed: str | None) -> str:
    """Run a cell whose question is answered so, or cannot be asked; return what it shows."""
    shown: list[str] = []

    def hook(message: dict[str, Any]) -> None:
        content = message["content"]
        shown.append(
            content.get("text") or content.get("data", {}).get("text/plain", "")
            or "\n".join(content.get("traceback", ()))
        )  # fmt: skip

    def stdin(message: dict[str, Any]) -> None:
        assert message["content"]["password"] is True
        kernel.client.input(str(typed))

    kernel.client.execute_interactive(
        code,
        timeout=40,
        output_hook=hook,
        stdin_hook=stdin,
        allow_stdin=typed is not None,
    )
    return "\n".join(shown)


def test_in_a_kernel(service: Service, machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cell asks without an echo and goes to the service; a key in a cell is said once."""
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    kernel = kernel_for(machine, "kernel")
    try:
        assert "AuthError" in answered(kernel, f"ody.login({service.url!r})", "ody_wrong_key")
        told = answered(kernel, f"%odyssey login --url {service.url}", API_KEY)
        assert f"logged in to {service.url}" in told
        assert f"connected to {service.url}" in kernel.run("c = ody.connect()")
        assert API_KEY not in told + kernel.run("c.access, vars(c)")
        assert "Take it out there" not in kernel.run("ody.recordings()")
        assert "nobody is here to type" in answered(kernel, "ody.login()", None)
        shown = kernel.run(f"ody.connect(url={service.url!r}, api_key={API_KEY!r})")
        assert "Take it out there" in shown
        assert API_KEY not in shown
        assert "Take it out there" not in kernel.run("ody.recordings()")
        kernel.run("%odyssey disconnect")
        assert "logged out of" in kernel.run("%odyssey logout")
    finally:
        kernel.stop()
