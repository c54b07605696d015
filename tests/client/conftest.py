"""Fixtures for tests of the client that can share a service."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.service.running import running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Service


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service with two streamers for a module; each test leaves it without sessions."""
    with running(tmp_path_factory.mktemp("shared"), "--streamers", "2") as service:
        yield service
