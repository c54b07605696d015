"""What a data directory keeps secret: the local key, and the tokens that it signs."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from typing import TYPE_CHECKING, Any

import jwt

from odyssey_nb.private import write_private

if TYPE_CHECKING:
    from pathlib import Path

PREFIX = "ody_"
LOCAL_KEY = "local.key"  # the key that a notebook on this machine finds by itself
_ALGORITHM = "HS256"


def new_key() -> str:
    """Return an API key: 256 random bits, so that hashing it once is enough."""
    return PREFIX + secrets.token_urlsafe(32)


class KeyRing:
    """The secrets of one data directory. ``token.secret`` lets tokens outlive a restart."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._local = directory / LOCAL_KEY
        secret = directory / "token.secret"
        if not secret.exists():
            write_private(secret, secrets.token_hex(32))
        self._secret = secret.read_text().strip()
        # What it signs elsewhere is signed with another key, or a token could pass for it.
        self.secret = hmac.new(self._secret.encode(), b"media", hashlib.sha256).hexdigest()

    def local_key(self) -> str:
        """Return the local default key, made at the first call and kept in a private file."""
        if not self._local.exists():
            write_private(self._local, new_key())
        return self._local.read_text().strip()

    def issue(self, audience: str, seconds: float, **claims: str) -> str:
        """Return a signed JWT for `audience` that is good for `seconds`."""
        now = int(time.time())
        payload = {**claims, "aud": audience, "iat": now, "exp": now + int(seconds)}
        return jwt.encode(payload, self._secret, algorithm=_ALGORITHM)

    def verify(self, token: str, audience: str) -> dict[str, Any] | None:
        """Return the claims of `token`; ``None`` if it is forged, expired or for another use."""
        try:
            return jwt.decode(token, self._secret, algorithms=[_ALGORITHM], audience=audience)
        except (jwt.InvalidTokenError, RecursionError):  # the latter from a deeply nested header
            return None
