"""Sections and tables of the report."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence


def section(title: str, *paragraphs: str) -> str:
    """Write a section; it ends with a line's end."""
    return "\n\n".join([f"## {title}", *paragraphs]) + "\n"


def table(header: Sequence[str], rows: Iterable[Sequence[str]], *, texts: int = 2) -> str:
    """Write a table.

    Args:
        header: Heading of each column.
        rows: Their cells.
        texts: Columns from the left that hold words; the others hold figures.
    """
    alignment = ["---" if column < texts else "---:" for column in range(len(header))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [header, alignment, *rows])


def with_section(document: str, title: str, text: str) -> str:
    """Replace a section of a document, or add it at the end."""
    found = re.search(rf"^## {re.escape(title)}\n.*?(?=^## |\Z)", document, re.MULTILINE | re.DOTALL)
    if found is None:
        return f"{document.rstrip()}\n\n{text}"
    rest = document[found.end() :]
    return document[: found.start()] + text + (f"\n{rest}" if rest else "")
