"""API keys, kept as hashes, and the tokens that are made from them."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import time
from pathlib import Path
from typing import Any

import jwt

from odyssey_nb.private import write_private

PREFIX = "ody_"
LOCAL_KEY = "local.key"  # the key that a notebook on this machine finds by itself
_ALGORITHM = "HS256"


class KeyRing:
    """The keys that one data directory knows.

    ``keys.json`` holds SHA-256 hashes (keys are 256 random bits, so no slow hash is needed), by
    account; ``token.secret`` signs tokens, so that they outlive a restart of the service.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file = directory / "keys.json"
        self._local = directory / LOCAL_KEY
        self._hashes: dict[str, str] = (
            json.loads(self._file.read_text()) if self._file.exists() else {}
        )
        secret = directory / "token.secret"
        if not secret.exists():
            write_private(secret, secrets.token_hex(32))
        self._secret = secret.read_text().strip()
        # What it signs elsewhere is signed with another key, or a token could pass for it.
        self.secret = hmac.new(self._secret.encode(), b"media", hashlib.sha256).hexdigest()

    def add(self, key: str) -> str:
        """Remember `key` and return its account."""
        digest = _digest(key)
        account = self._hashes.setdefault(digest, f"account-{digest[:12]}")
        write_private(self._file, json.dumps(self._hashes))
        return account

    def local_key(self) -> str:
        """Return the local default key, made at the first call and kept in a private file."""
        if not self._local.exists():
            write_private(self._local, PREFIX + secrets.token_urlsafe(32))
        key = self._local.read_text().strip()
        self.add(key)
        return key

    def account(self, key: str) -> str | None:
        """Return the account of `key`; every known hash is compared, each in constant time."""
        digest, found = _digest(key), None
        for known, account in self._hashes.items():
            if hmac.compare_digest(known, digest):
                found = account
        return found

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


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
