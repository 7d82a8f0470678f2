"""The page on upgrades names tests for what it says of formats: each is there."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "upgrading.md").read_text(encoding="utf-8")
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)


def test_every_format_has_its_test_and_every_test_that_is_named_is_there() -> None:
    section = PAGE.partition("## Formats")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| ")][1:]

    found = {
        (path, node.name)
        for path in {path for path, _ in NAMED}
        for node in ast.parse((ROOT / path).read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef)
    }

    assert len(rows) > 10
    assert all("tests/" in row for row in rows)
    assert set(NAMED) <= found, set(NAMED) - found
