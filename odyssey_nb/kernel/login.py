"""Logging in: a key is asked for without an echo, tried at its service, and then kept."""

from __future__ import annotations

import getpass
import importlib
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from odyssey_nb import keychain
from odyssey_nb.config import api_key_set, login_note, login_url
from odyssey_nb.errors import UsageError
from odyssey_nb.kernel.runtime import runtime
from odyssey_nb.kernel.survey import apart

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

SECRET = "ODYSSEY_API_KEY"  # what it is called among Colab's secrets
INSTALL = 'pip install "odyssey-nb[keyring]"'
SHORTEST = 8  # letters of a key; anything shorter stands in many a cell
IN_A_CELL = (
    "The API key stands in a cell, and is saved and shared with the notebook. Take it out there, "
    "write ody.login() once in its place, and revoke the key if somebody may have seen it."
)


@dataclass(frozen=True, slots=True)
class Login:
    """Where one is logged in, and who keeps the key; the key is not in it."""

    url: str
    where: str
    overruled: bool = False  # ODYSSEY_API_KEY is set, and goes first

    def __repr__(self) -> str:
        text = f"logged in to {self.url}; the key is kept by {self.where}"
        if self.where == keychain.HERE:
            text += f" ({INSTALL} keeps it for longer)"
        return f"{text}; ODYSSEY_API_KEY is set too, and goes first" if self.overruled else text


@dataclass(frozen=True, slots=True)
class Logout:
    """What was forgotten."""

    urls: tuple[str, ...]
    still_set: bool = False  # ODYSSEY_API_KEY

    def __repr__(self) -> str:
        text = f"logged out of {', '.join(self.urls)}" if self.urls else "no key was kept"
        return f"{text}; ODYSSEY_API_KEY is still set" if self.still_set else text


def login(url: str | None) -> Login:
    """Ask for a key, try it and keep it: `odyssey_nb.login`."""
    url = login_url(url)
    key = _from_colab()
    lasting = not key  # Colab's secrets last by themselves
    key = key or _typed()
    if not key:
        raise UsageError("no key was given", hint="Paste it at the prompt; it is not shown.")
    apart(_try(url, key))
    where = keychain.keep(url, key, login_note(), lasting=lasting)
    if where == keychain.HERE and runtime().terminal:  # which ends now
        raise UsageError(
            "there is no keyring here that could keep the key",
            hint=f"Set ODYSSEY_API_KEY; or {INSTALL}, where the desktop has a keyring.",
        )
    return Login(url, where, overruled=api_key_set())


def logout() -> Logout:
    """Forget the key: `odyssey_nb.logout`."""
    try:
        urls = keychain.forget(login_note())
    except Exception as error:
        raise UsageError(
            "the system's keyring does not let go of the key",
            hint="Unlock it and try again, or remove the entry odyssey-nb there.",
        ) from error
    return Logout(tuple(urls), still_set=api_key_set())


async def _try(url: str, key: str) -> None:
    """Exchange the key for a token.

    Raises:
        AuthError: It is refused.
        ConnectError: The service does not answer.
    """
    from odyssey_nb.client.control import Control

    async with Control.open(url, key) as control:
        await control.authenticate()


def _from_colab() -> str:
    """Return the key of Colab's secrets; empty where there is none, or it is not granted."""
    if "google.colab" not in sys.modules:
        return ""
    try:
        return str(importlib.import_module("google.colab.userdata").get(SECRET)).strip()
    except Exception:  # each of Colab's refusals is an error of its own
        return ""


def _typed() -> str:
    """Let the user type the key, which is not shown."""
    if runtime().terminal and not sys.stdin.isatty():
        return sys.stdin.readline().strip()  # as in `odyssey-nb login < file`
    try:
        return getpass.getpass("API key (not shown): ").strip()
    except (EOFError, NotImplementedError) as error:  # nbclient and papermill have nobody to ask
        raise UsageError(
            "nobody is here to type a key", hint="Set ODYSSEY_API_KEY, which programs can."
        ) from error


def warn_of_literal(api_key: str | None) -> None:
    """Say once that the key in use was written into a cell; the key is not repeated."""
    state = runtime()
    if state.warned or not api_key or len(api_key) < SHORTEST:
        return
    ipython = sys.modules.get("IPython")
    shell: InteractiveShell | None = ipython.get_ipython() if ipython is not None else None
    if shell is not None and any(api_key in cell for cell in shell.user_ns.get("In", ())):
        state.warned = True
        print(IN_A_CELL, file=sys.stderr)  # noqa: T201 - beside the cell's output
