"""Where a client goes that is not told, or not everything."""

from __future__ import annotations

from pathlib import Path

from odyssey_nb import errors
from odyssey_nb.config import local_key, resolve_target
from odyssey_nb.discovery import published_service


def address(url: str | None, api_key: str | None) -> tuple[str, str]:
    """Return URL and key: those given, else those of the environment, else the local service's.

    Raises:
        ConnectError: There is no local service to find.
    """
    if url is not None and api_key is not None:
        return url.rstrip("/"), api_key
    target = resolve_target(url=url, api_key=api_key)
    if target.url is not None and target.api_key is not None:
        return target.url, target.api_key
    found = published_service()
    if found is None:
        raise errors.ConnectError(
            "no local service runs",
            hint="Start one with odyssey-nb serve, or give url and api_key.",
        )
    return found.url, local_key(Path(found.data_dir))
