"""Tokens: what was not issued here never opens anything."""

from __future__ import annotations

import base64
import json
import time
from typing import TYPE_CHECKING

import jwt
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from odyssey_nb.service.keys import KeyRing

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def ring(tmp_path_factory: pytest.TempPathFactory) -> KeyRing:
    """The secrets of some directory."""
    return KeyRing(tmp_path_factory.mktemp("keys"))


def test_issued_token_verifies(ring: KeyRing) -> None:
    """A token that was issued gives its claims back, for its audience only."""
    token = ring.issue("api", 60, sub="somebody")
    claims = ring.verify(token, "api")
    assert claims is not None
    assert claims["sub"] == "somebody"
    assert claims["exp"] - claims["iat"] == 60
    assert ring.verify(token, "signaling") is None


def test_expired_token(ring: KeyRing) -> None:
    """A token is refused from its last second on."""
    assert ring.verify(ring.issue("api", 0, sub="somebody"), "api") is None
    assert ring.verify(ring.issue("api", -10, sub="somebody"), "api") is None


@given(data=st.data())
def test_tampered_tokens_never_verify(ring: KeyRing, data: st.DataObject) -> None:
    """Changing, inserting or removing characters anywhere makes a token worthless."""
    token = ring.issue("signaling", 60, session_id="s", sub="somebody")
    at = data.draw(st.integers(0, len(token)))
    removed = data.draw(st.integers(0, 3))
    inserted = data.draw(st.text(max_size=3))
    tampered = token[:at] + inserted + token[at + removed :]
    assume(_meaning(tampered) != _meaning(token))
    assert ring.verify(tampered, "signaling") is None


def _meaning(token: str) -> list[bytes | str]:
    """Decode the parts: base64 has last bits without a meaning, and skips odd characters."""
    parts: list[bytes | str] = []
    for part in token.split("."):
        try:
            data = part.encode()
            parts.append(base64.urlsafe_b64decode(data + b"=" * (-len(data) % 4)))
        except ValueError:
            parts.append(part)
    return parts


@given(st.text() | st.binary().map(lambda data: data.decode("latin-1")))
def test_garbage_never_verifies(ring: KeyRing, text: str) -> None:
    """Any text at all is refused, not crashed on."""
    assert ring.verify(text, "api") is None


@given(
    header=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda deeper: st.lists(deeper) | st.dictionaries(st.text(), deeper),
    )
    | st.fixed_dictionaries({"alg": st.sampled_from(["none", "HS256", "RS256", None, 7, []])})
)
def test_made_up_headers_never_verify(ring: KeyRing, header: object) -> None:
    """Whatever the header claims, a payload that we did not sign is refused."""
    claims = {"aud": "api", "sub": "somebody", "exp": int(time.time()) + 60}
    parts = [_part(header), _part(claims), _part("signature")]
    assert ring.verify(".".join(parts), "api") is None
    assert ring.verify(".".join([*parts[:2], ""]), "api") is None


def test_deeply_nested_header_is_refused(ring: KeyRing) -> None:
    """A header that is nested beyond reason is refused like any other."""
    deep = base64.urlsafe_b64encode(b"[" * 20_000).decode().rstrip("=")
    assert ring.verify(f"{deep}.{deep}.{deep}", "api") is None


def _part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def test_other_directories_have_other_secrets(tmp_path: Path, ring: KeyRing) -> None:
    """A token of one service is worth nothing at another, nor is one signed with a guess."""
    other = KeyRing(tmp_path)
    assert ring.verify(other.issue("api", 60, sub="somebody"), "api") is None
    guess = jwt.encode({"aud": "api", "exp": time.time() + 60}, "x" * 64)
    assert ring.verify(guess, "api") is None


def test_audiences_are_not_mixed_up(ring: KeyRing) -> None:
    """Tokens without an audience, or for another than was meant, are refused."""
    secret = ring._secret
    later = int(time.time()) + 60
    for audience in (None, "", "API", ["signaling"], []):
        claims = {"exp": later} if audience is None else {"exp": later, "aud": audience}
        assert ring.verify(jwt.encode(claims, secret), "api") is None


@given(
    cut=st.integers(0, 400),
    seconds=st.integers(-1000, 0),
    audience=st.sampled_from(["signaling", "spectator", "API", "", "ap", "apis"]),
)
def test_no_part_and_no_other_token_verifies(
    ring: KeyRing, cut: int, seconds: int, audience: str
) -> None:
    """A beginning of a token, an expired one and one for another use are all refused."""
    token = ring.issue("api", 60, sub="somebody", key="1")
    assert ring.verify(token[: min(cut, len(token) - 1)], "api") is None
    assert ring.verify(ring.issue("api", seconds, sub="somebody", key="1"), "api") is None
    assert ring.verify(ring.issue(audience, 60, sub="somebody", key="1"), "api") is None


def test_secrets_outlive_the_ring(tmp_path: Path) -> None:
    """Another ring of the same directory has the same local key and takes the same tokens."""
    first = KeyRing(tmp_path / "new" / "directory")
    local = first.local_key()
    token = first.issue("api", 60, sub="somebody")
    second = KeyRing(tmp_path / "new" / "directory")
    assert second.local_key() == local
    assert second.verify(token, "api") is not None
    assert (tmp_path / "new" / "directory" / "local.key").stat().st_mode & 0o777 == 0o600
