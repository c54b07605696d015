"""TURN servers that relay where UDP does not get through, and the credentials for them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from typing import TYPE_CHECKING

from odyssey_nb.errors import SettingError
from odyssey_nb.wire.control import IceServer

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

CREDENTIAL_SECONDS = 3600.0  # to begin; a relay under way is kept on by its client


def relays(urls: Iterable[str], secret_file: Path | None) -> tuple[tuple[str, ...], str]:
    """Return the URLs of TURN servers and the secret that they share with us.

    Raises:
        SettingError: A URL is none of a TURN server, or the secret is missing.
    """
    found = tuple(urls)
    for each in found:
        if not each.startswith(("turn:", "turns:")):
            raise SettingError(
                f"{each!r} is no TURN server", hint="Write --turn turn:turn.example.org:3478."
            )
    if not found:
        return (), ""
    if secret_file is None:
        raise SettingError(
            "a TURN server needs a secret",
            hint="Write it to a file, and give that with --turn-secret-file.",
        )
    try:
        return found, secret_file.read_text().strip()
    except OSError:
        raise SettingError(f"{secret_file} cannot be read") from None


def relay_servers(urls: tuple[str, ...], secret: str) -> list[IceServer]:
    """Return the TURN servers with credentials that hold for a while.

    They are those of the REST API that coturn knows as ``use-auth-secret``: the name says until
    when, and the password proves that we said so.
    """
    if not urls:
        return []
    name = f"{time.time() + CREDENTIAL_SECONDS:.0f}:odyssey"
    proof = hmac.digest(secret.encode(), name.encode(), hashlib.sha1)
    password = base64.b64encode(proof).decode()
    return [IceServer(urls=list(urls), username=name, credential=password)]
