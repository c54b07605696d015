"""The table in this folder's README names tests that exist, for every section."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
TABLE = (HERE / "README.md").read_text(encoding="utf-8")
SECTIONS = [
    *(f"2.{number}" for number in range(1, 13)),
    *(f"3.{number}" for number in range(1, 8)),
    *(f"4.{number}" for number in range(1, 5)),
    *(f"5.{number}" for number in range(1, 6)),
    "6",
    *(f"7.{number}" for number in range(1, 5)),
    "8",
    "8.1",
    "8.2",
]


@cache
def names(file: Path) -> set[str]:
    """Return what a test file defines or assigns at its top."""
    found = set()
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return found


def test_every_named_test_exists() -> None:
    """A test that is renamed or removed is missed here."""
    named = re.findall(r"`((?:\w+/)?)(\w+)::(\w+)`", TABLE)
    assert len(named) > 100
    files = {
        (folder, module): (HERE.parent / folder if folder else HERE) / f"test_{module}.py"
        for folder, module, _ in named
    }
    missing = [
        f"{folder}{module}::{name}"
        for folder, module, name in named
        if name not in names(files[folder, module])
    ]
    assert missing == []


def test_every_section_has_rows_and_every_row_a_test_or_a_reason() -> None:
    """No section of the protocol's server side is left out silently."""
    rows = re.findall(r"^\| ([\d., ]+) \| (.+?) \| (.+) \|$", TABLE, re.MULTILINE)
    told = {section for sections, _, _ in rows for section in sections.split(", ")}
    assert set(SECTIONS) - told == set()
    for _, what, tests in rows:
        assert "::" in tests or tests.startswith("*"), what
