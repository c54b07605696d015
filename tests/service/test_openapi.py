"""The API against its own description: schemathesis asks whatever the description allows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

if TYPE_CHECKING:
    from tests.conftest import Service

# Fields that are not known are ignored, as the protocol wants it (section 11).
EXCLUDED = [negative_data_rejection]
RULED = {"POST /simulation-jobs"}  # scripts keep rules that no schema can tell
schemathesis.serializer.alias("application/sdp", "text/plain")


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_answers_are_as_described(shared: Service, mode: GenerationMode) -> None:
    """Whatever is asked, rightly or wrongly, the answer is one that the description has."""
    document = schemathesis.openapi.from_url(shared.url + "/openapi.json")
    headers = {"Authorization": f"Bearer {shared.token()}"}
    failures = []
    for found in document.get_all_operations():
        operation = found.ok()

        @given(case=operation.as_strategy(generation_mode=mode))
        @settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
        def ask(case: Any) -> None:
            ruled = [positive_data_acceptance] if case.operation.label in RULED else []
            case.call_and_validate(headers=headers, excluded_checks=EXCLUDED + ruled)

        try:
            ask()
        except Unsatisfiable:
            continue  # it takes nothing that could be wrong
        except FailureGroup as failure:
            failures.append(f"{operation.label}: {failure.exceptions}")
    assert failures == []


def test_every_operation_is_described(shared: Service) -> None:
    """Each says what a good answer holds, whether it needs a token, and how it refuses."""
    document = shared.ask("GET", "/openapi.json")
    schemas = document["components"]["schemas"]
    assert schemas["SessionGrant"]["required"] == ["session_id", "signalling_url"]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            where = f"{method} {path}"
            assert "security" in operation, f"{where} is not `described`"
            good = [code for code in operation["responses"] if code.startswith("2")]
            assert len(good) == 1, where
            assert good == ["204"] or "content" in operation["responses"][good[0]], where
            assert ("401" in operation["responses"]) >= bool(operation["security"]), where
            assert operation["description"], where


def test_docs_need_nothing_from_elsewhere(shared: Service) -> None:
    """The page names every operation and every body, and loads nothing."""
    document = shared.ask("GET", "/openapi.json")
    with urlopen(shared.url + "/docs", timeout=5) as response:
        assert response.headers["Content-Type"].startswith("text/html")
        page = response.read().decode()
    for path in document["paths"]:
        assert f"<code>{path}</code>" in page
    for name in document["components"]["schemas"]:
        assert f'id="{name}"' in page
    assert "<script" not in page
    assert "src=" not in page
    assert "://" not in page
