"""The SQL files, and text in SQL."""

from pathlib import Path

QUERIES = Path(__file__).parent / "queries"
"""One SELECT a file, in SQL that DuckDB and Athena share, each usable alone."""


def query(name: str) -> str:
    """Return the text of a query, for example `sessions`."""
    return (QUERIES / f"{name}.sql").read_text(encoding="utf-8").strip().removesuffix(";")


def literal(text: object) -> str:
    """Write text as a string of SQL."""
    return "'" + str(text).replace("'", "''") + "'"
