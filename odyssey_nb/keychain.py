"""The key that `login` keeps: in the system's keyring, else in this process; never in plain text.

A note in the data directory says for which service there is one in the keyring. It is no secret,
and who has not logged in is spared the keyring, which may ask to be unlocked.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import types
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from odyssey_nb.private import write_private

if TYPE_CHECKING:
    from pathlib import Path

    from keyring.backend import KeyringBackend

log = logging.getLogger(__name__)

NAME = "odyssey-nb"  # what the keyring files it under; the user's name is the service's URL
KEYRING, HERE = "the system's keyring", "this program, until it ends"
_HELD = "_odyssey_nb_keys"  # a module without a file, which reloading ours leaves alone
_PLAIN = re.compile(r"plain|insecure|null|fail", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class KeptKey:
    """A key and the one service that it is for; `where` says who keeps it."""

    url: str
    api_key: str = field(repr=False)
    where: str


def kept_key(note: Path) -> KeptKey | None:
    """Return the key of the last login, if there is one that can be had."""
    held = _held()
    for url, key in held.items():
        return KeptKey(url, key, HERE)
    url = _noted(note)
    if not url:
        return None
    backend = _backend()
    try:
        secret = backend.get_password(NAME, url) if backend is not None else None
    except Exception as error:  # a stranger's code, and a locked keyring is no reason to fail
        log.warning("the system's keyring gives no key (%s)", type(error).__name__)
        return None
    return KeptKey(url, secret, KEYRING) if secret else None


def keep(url: str, api_key: str, note: Path, *, lasting: bool) -> str:
    """Keep the key of the service at `url`, and no other; return who keeps it.

    Args:
        url: The service.
        api_key: Its key.
        note: The file that says that there is one.
        lasting: Whether the keyring is to keep it, where there is one.
    """
    backend = _backend() if lasting else None
    if backend is not None:
        try:
            forget(note)
            backend.set_password(NAME, url, api_key)
        except Exception as error:  # as above
            log.warning("the system's keyring takes no key (%s)", type(error).__name__)
        else:
            note.parent.mkdir(parents=True, exist_ok=True)
            write_private(note, json.dumps({"url": url}))
            return KEYRING
    held = _held()
    held.clear()
    held[url] = api_key
    return HERE


def forget(note: Path) -> list[str]:
    """Remove what is kept; return for which services.

    Raises:
        Exception: The keyring's own, where it does not let go of it.
    """
    held, url = _held(), _noted(note)
    urls = list(held)
    held.clear()
    backend = _backend() if url else None
    if backend is not None:
        from keyring.errors import PasswordDeleteError

        with suppress(PasswordDeleteError):  # somebody else has removed it
            backend.delete_password(NAME, url)
        urls.append(url)
    note.unlink(missing_ok=True)
    return urls


def _noted(note: Path) -> str:
    """Return the service whose key the keyring has; empty for none."""
    try:
        return str(json.loads(note.read_text())["url"])
    except (OSError, ValueError, TypeError, KeyError):
        return ""


def _held() -> dict[str, str]:
    """Return the keys that this process holds, by service."""
    module = sys.modules.setdefault(_HELD, types.ModuleType(_HELD))
    held: dict[str, str] = vars(module).setdefault("keys", {})
    return held


def _backend() -> KeyringBackend | None:
    """Return the system's keyring, if there is one that keeps secrets secret."""
    try:
        from keyring import get_keyring
        from keyring.core import recommended
    except ModuleNotFoundError:
        return None
    backend = get_keyring()
    kind = type(backend)
    if not recommended(backend) or _PLAIN.search(f"{kind.__module__}.{kind.__qualname__}"):
        return None
    return backend
