"""Whom to ask, and for how much."""

from __future__ import annotations

from typing import TYPE_CHECKING

from odyssey_nb.kernel.runtime import get_manager

if TYPE_CHECKING:
    from odyssey_nb.config import Target


def target_of(local: bool | None, url: str | None, api_key: str | None) -> Target:  # noqa: FBT001
    """Return whom to ask: who is named, else where the default connection goes or went."""
    return get_manager().target_of("default", local=local, url=url, api_key=api_key)


def check_limit(limit: int) -> None:
    """Raise a ValueError unless so many may be asked for."""
    if not 1 <= limit <= 100:
        raise ValueError(f"limit is 1 to 100, not {limit}")
