"""What can be compared."""

from __future__ import annotations

import pytest

import odyssey_nb as ody
from odyssey_nb.errors import NotConnectedError, UsageError


def test_what_cannot_be_compared() -> None:
    """Too few, too many and what is not there are refused in one line, with an example."""
    for names in ((), ("left",), tuple("abcde")):
        with pytest.raises(UsageError) as refused:
            ody.compare(*names)
        assert str(refused.value).endswith(f"not {len(names)}")
        assert 'on="right"' in refused.value.hint
    with pytest.raises(NotConnectedError):
        ody.compare("left", "right")
