"""The dashboard's files, as any browser gets them; what they do is tested in one."""

from __future__ import annotations

import urllib.error
import urllib.request

import pytest

from odyssey_nb.service.routes.dashboard import FILES
from tests.conftest import Service


def test_the_page_loads_nothing_from_elsewhere(service: Service) -> None:
    """The page is never kept, and may only use what this service hands out."""
    with urllib.request.urlopen(f"{service.url}/") as answer:
        page, headers = answer.read().decode(), answer.headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert "http" not in policy + page
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-content-type-options"] == "nosniff"


def test_every_file_has_its_type(service: Service) -> None:
    """A browser that must not guess is told what each file is."""
    kinds = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
    for name, file in FILES.items():
        with urllib.request.urlopen(f"{service.url}/dashboard/{name}") as answer:
            assert answer.headers["content-type"].partition(";")[0] == kinds[file.suffix]
            assert answer.headers["cache-control"] == "no-cache"


def test_nothing_else_is_handed_out(service: Service) -> None:
    """Names that lead elsewhere are unknown."""
    for name in ("index.html", "..%2fapp.py", "none.js"):
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"{service.url}/dashboard/{name}")
