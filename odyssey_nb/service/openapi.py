"""What the API says of itself: bodies are described by the very types that read and write them.

Routes read and write with msgspec, which FastAPI does not see; a route's decorator tells it with
`described`. The page at ``/docs`` shows the result, and needs nothing from elsewhere.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import msgspec
from fastapi.openapi.utils import get_openapi

from odyssey_nb.wire.control import Invalid, Refusal, UsageRefusal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fastapi import FastAPI

JSON = "application/json"
REFERENCE = "#/components/schemas/{name}"
BEARER = "bearer"

_REFUSALS: dict[int, tuple[str, type]] = {
    401: ("The key or the access token is missing, wrong or expired.", Refusal),
    403: ("This is not allowed.", Refusal),
    404: ("There is no such thing, or it is somebody else's.", Refusal),
    422: ("The request is malformed.", Invalid),
    429: ("A limit of the account refuses it.", UsageRefusal),
    503: ("Not now; try again in a moment.", Refusal),
}
_kinds: dict[str, type] = {kind.__name__: kind for _, kind in _REFUSALS.values()}


def described(
    gives: type | str | None = None,
    *,
    status: int = 200,
    takes: type | str | None = None,
    refuses: Iterable[int] = (),
    secured: bool = True,
    also: dict[int, type] | None = None,
) -> dict[str, Any]:
    """Return what a route's decorator is to know.

    Args:
        gives: The body of a good answer, or its media type if it is no JSON.
        status: The status of a good answer.
        takes: The body of a request, or its media type if it is no JSON.
        refuses: Statuses of refusals, of those that have a form of their own.
        secured: Whether the request needs an access token; one without is refused with 401.
        also: Further answers, by status.
    """
    responses = {status: _answer("Done.", gives)}
    # 429: whoever shows a token is counted, wherever they ask.
    refusals = {
        *refuses,
        429,
        *({401} if secured else ()),
        *({422} if isinstance(takes, type) else ()),
    }
    for each in sorted(refusals):
        responses[each] = _answer(*_REFUSALS[each])
    for each, kind in (also or {}).items():
        responses[each] = _answer("Not as hoped.", kind)
    extra: dict[str, Any] = {"security": [{BEARER: []}] if secured else []}
    if takes is not None:
        extra["requestBody"] = {"required": _is_needed(takes), **_content(takes)}
    return {"status_code": status, "responses": responses, "openapi_extra": extra}


def describe(app: FastAPI) -> dict[str, Any]:
    """Return the application's OpenAPI document."""
    document = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes
    )
    _, schemas = msgspec.json.schema_components(
        _kinds.values(), schema_hook=_anything, ref_template=REFERENCE
    )
    components = document.setdefault("components", {})
    components["schemas"] = components.get("schemas", {}) | schemas
    components["securitySchemes"] = {
        BEARER: {
            "type": "http",
            "scheme": "bearer",
            "description": "The access token of POST /auth/token.",
        }
    }
    return document


def _anything(kind: type) -> dict[str, Any]:
    """Describe what is passed on unread."""
    assert kind is object, kind
    return {"description": "Anything."}


def _answer(text: str, gives: type | str | None) -> dict[str, Any]:
    return {"description": text, **_content(gives)}


def _content(kind: type | str | None) -> dict[str, Any]:
    if kind is None:
        return {}
    if isinstance(kind, str):
        return {"content": {kind: {"schema": {"type": "string"}}}}
    _kinds[kind.__name__] = kind
    return {"content": {JSON: {"schema": {"$ref": REFERENCE.format(name=kind.__name__)}}}}


def _is_needed(kind: type | str) -> bool:
    """Whether a request without a body lacks something."""
    missing = dataclasses.MISSING
    return isinstance(kind, str) or any(
        each.default is missing and each.default_factory is missing
        for each in dataclasses.fields(kind)
    )
