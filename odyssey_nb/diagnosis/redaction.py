"""Taking secrets out of what is shown to others: those that are known, and what looks like one."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

HIDDEN = "[hidden]"
SHORTEST = 6  # letters of a secret; anything shorter is in many words
_LOOKS = (
    re.compile(r"\bey[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?"),  # JWT (RFC 7519)
    re.compile(r"\body_[\w-]+"),  # API keys
    re.compile(r"(?<=://)[^/\s@\"']+@"),  # who a URL is asked as
    re.compile(r"(?<=\?)(?:[\w.~%+-]+=[^\s\"'<>]*)"),  # what a URL is signed with
    re.compile(r"(?<=#me=)[\w-]+|(?<=#join=)[\w-]+"),  # who takes part in a crowd
    re.compile(r"(?i)(?<=bearer )\S+"),
)
# What is called so, in settings, JSON and Python; the name stays.
_NAMED = re.compile(
    r"(?i)((?:api[_-]?key|token|secret|password|credential|signature)[\"']?\s*[=:]\s*)"
    r"(?:([\"'])(?!set, ).*?\2|(?![\"'])[^\s\"',;&)}]+)"
)


class Redaction:
    """Knows secrets, and hides them and their like wherever they stand."""

    def __init__(self, secrets: Iterable[str]) -> None:
        known = {each for each in secrets if len(each) >= SHORTEST}
        known |= {json.dumps(each)[1:-1] for each in known}  # as JSON spells it
        # The longest first: one may be a part of another.
        self._known = sorted(known, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        """Return `text` without them."""
        for each in self._known:
            text = text.replace(each, HIDDEN)
        for look in _LOOKS:
            text = look.sub(HIDDEN, text)
        return _NAMED.sub(rf"\1\2{HIDDEN}\2", text)
