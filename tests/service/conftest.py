"""Fixtures for tests of the service that can share one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.service.running import running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Service


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service with default options for a module; each test leaves it without sessions."""
    with running(tmp_path_factory.mktemp("shared")) as service:
        yield service
