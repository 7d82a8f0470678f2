"""docs/security.md names a test or a file for each of its claims, and each is there."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
SHOWN = re.compile(r"`((?:tests/|docs/|\.checkov|requirements)[^`]*)`")
V7 = {"7.1": 3, "7.2": 4, "7.3": 2, "7.4": 5, "7.5": 3, "7.6": 2}
V16 = {"16.1": 1, "16.2": 5, "16.3": 4, "16.4": 3, "16.5": 4}
"""Requirements of each section. Source: OWASP ASVS 5.0, chapters V7 and V16."""


def rows() -> list[list[str]]:
    """Cells of each row of a table that ends with what shows it."""
    found = []
    is_shown = False
    for line in PAGE.splitlines():
        if not line.startswith("|"):
            is_shown = False
            continue
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if cells[-1].strip(" |") == "shown by":
            is_shown = True
        elif is_shown and not line.startswith("|---"):
            found.append(cells)
    return found


@cache
def functions_of(path: Path) -> set[str]:
    return {
        node.name for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.FunctionDef)
    }


def is_there(named: str) -> bool:
    file, _, function = named.partition("::")
    path = ROOT / file
    return path.exists() and (not function or function in functions_of(path))


def test_each_row_names_what_shows_it() -> None:
    assert len(rows()) > 70
    assert [row for row in rows() if not SHOWN.search(row[-1])] == []


def test_each_test_and_file_that_is_named_is_there() -> None:
    named = SHOWN.findall(PAGE)

    assert len(named) > 100
    assert sorted({name for name in named if not is_there(name)}) == []


@pytest.mark.parametrize("name", ["tests/unit/test_events.py::test_that_is_not_there", "docs/not-there.md"])
def test_what_is_not_there_would_be_found(name: str) -> None:
    assert not is_there(name)


@pytest.mark.parametrize("sections", [V7, V16], ids=["sessions", "logging"])
def test_every_requirement_of_the_chapter_has_its_row_once(sections: dict[str, int]) -> None:
    chapter = next(iter(sections)).partition(".")[0]
    expected = [f"{section}.{number}" for section, count in sections.items() for number in range(1, count + 1)]

    given = [cell for cell, *_ in rows() if cell.startswith(f"{chapter}.")]

    assert given == expected
