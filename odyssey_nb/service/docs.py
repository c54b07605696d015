"""The page at ``/docs``: the OpenAPI document as HTML, without scripts and without the network."""

from __future__ import annotations

from html import escape
from typing import Any

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
  :root {{ color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }}
  body {{ max-width: 50rem; margin: 2rem auto; padding: 0 1rem; }}
  summary {{ cursor: pointer; padding: .25rem 0; }}
  summary b {{ display: inline-block; width: 4.5rem; }}
  code {{ font: .875rem/1.5 ui-monospace, monospace; }}
  table {{ border-collapse: collapse; }}
  th, td {{ text-align: left; vertical-align: top; padding: .1rem 1.5rem .1rem 0; }}
</style>
<h1>{title} <small>{version}</small></h1>
<p>Machines read <a href="openapi.json">openapi.json</a>. A request with a lock needs the header
<code>Authorization: Bearer TOKEN</code>, with the token of <code>POST /auth/token</code>.</p>
<h2>Requests</h2>
{operations}
<h2>Bodies</h2>
{schemas}
</html>
"""


def page(document: dict[str, Any]) -> str:
    """Return an OpenAPI document as a page for people."""
    operations = [
        _operation(method.upper(), path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    schemas = [
        _schema(name, schema) for name, schema in sorted(document["components"]["schemas"].items())
    ]
    return _PAGE.format(
        title=escape(document["info"]["title"]),
        version=escape(document["info"]["version"]),
        operations="\n".join(operations),
        schemas="\n".join(schemas),
    )


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    lock = " 🔒" if operation.get("security") else ""
    rows = [
        (f"<code>{escape(each['name'])}</code>", f"{each['in']}, {_kind(each['schema'])}")
        for each in operation.get("parameters", ())
    ]
    if "requestBody" in operation:
        rows.append(("body", _content(operation["requestBody"])))
    rows += [
        (status, f"{_content(answer)} {escape(answer['description'])}")
        for status, answer in operation["responses"].items()
    ]
    return (
        f"<details><summary><b>{method}</b> <code>{escape(path)}</code>{lock}</summary>"
        f"<p>{escape(operation.get('description', ''))}</p>{_table(rows)}</details>"
    )


def _schema(name: str, schema: dict[str, Any]) -> str:
    required = set(schema.get("required", ()))
    rows = [
        (
            f"<code>{escape(field)}</code>",
            _kind(kind) + ("" if field in required else ", may be missing"),
        )
        for field, kind in schema.get("properties", {}).items()
    ]
    return (
        f'<details id="{escape(name)}"><summary><code>{escape(name)}</code></summary>'
        f"<p>{escape(schema.get('description', ''))}</p>{_table(rows)}</details>"
    )


def _content(holder: dict[str, Any]) -> str:
    return ", ".join(
        _kind(each["schema"]) if media == "application/json" else escape(media)
        for media, each in holder.get("content", {}).items()
    )


def _kind(schema: dict[str, Any]) -> str:
    """Say in a word or two what a schema allows."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(_kind(each) for each in schema["anyOf"])
    if "enum" in schema:
        return " or ".join(f"<code>{escape(str(each))}</code>" for each in schema["enum"])
    kind = escape(str(schema.get("type", "anything")))
    if "items" in schema:
        return f"{kind} of {_kind(schema['items'])}"
    return kind


def _table(rows: list[tuple[str, str]]) -> str:
    cells = "".join(f"<tr><th>{name}</th><td>{text}</td></tr>" for name, text in rows)
    return f"<table>{cells}</table>"
