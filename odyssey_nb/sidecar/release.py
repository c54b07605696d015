"""Release from outside: frees a session whose own sidecar is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from odyssey_nb.client.control import Control
from odyssey_nb.client.reservation import release

if TYPE_CHECKING:
    from odyssey_nb.wire.link import Release


async def release_from_outside(request: Release) -> bool:
    """Say goodbye in the place of whoever held the session; return whether the service heard it."""
    async with Control.open(request.url, request.api_key) as control:
        return await release(control, request.session_id, request.signaling_url)
