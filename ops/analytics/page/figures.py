"""The figures of the page: what its queries answer."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

QUERIES = Path(__file__).parent / "queries"
"""One SELECT a file."""

TABLES = ("period", "customers", "labelled")
"""Queries that the others read as tables, in the order in which they are made: each is read by several."""

Row = Mapping[str, Any]


class Step(NamedTuple):
    """A step of the range.

    Attributes:
        begins: Epoch seconds.
        started: Sessions that started in it.
        over: Sessions that were over in it.
        live: Sessions that were live just before its end.
    """

    begins: int
    started: int
    over: int
    live: int


@dataclass(frozen=True, slots=True)
class Figures:
    """What the queries of the page answered, each a list of rows, by the name of its file."""

    answers: Mapping[str, Sequence[Row]]

    def rows(self, name: str) -> Sequence[Row]:
        """Return all rows of a query."""
        return self.answers[name]

    def row(self, name: str) -> Row:
        """Return the row of a query that answers exactly one."""
        (only,) = self.answers[name]
        return only


@cache
def sql_of(name: str) -> str:
    """Return the text of a query, for example `peak`."""
    return (QUERIES / f"{name}.sql").read_text(encoding="utf-8").strip()


NAMES = tuple(sorted(path.stem for path in QUERIES.glob("*.sql") if path.stem not in {"customers", "labelled"}))
"""The queries whose answers the page shows."""


def read_figures(connection: "DuckDBPyConnection", names: Iterable[str] = NAMES) -> Figures:
    """Run the queries of the page.

    Args:
        connection: A database with `sessions`, `transitions` and `report_range`.
        names: Those that are needed.
    """
    for table in TABLES:
        connection.execute(f"create or replace table {table} as {sql_of(table)}")
    return Figures({name: _answer(connection, name) for name in names})


def _answer(connection: "DuckDBPyConnection", name: str) -> list[Row]:
    cursor = connection.execute(sql_of(name))
    columns = [column[0] for column in cursor.description or ()]
    return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]


def sums_by(rows: Iterable[Row], name: str, number: str) -> dict[str, int]:
    """Sum a column by another one, the greatest first, of equal ones by name."""
    sums: Counter[str] = Counter()
    for row in rows:
        sums[row[name]] += row[number]
    return dict(sorted(sums.items(), key=lambda item: (-item[1], item[0])))


def live_series(figures: Figures) -> list[Step]:
    """Return the steps of the range, in order."""
    period = figures.row("period")
    step = period["step_seconds"]
    started: Counter[int | None] = Counter()
    over: Counter[int | None] = Counter()
    for row in figures.rows("concurrency"):
        started[row["begins_s"]] += row["started"]
        over[row["begins_s"]] += row["over"]
    live = started[None] - over[None]
    series = []
    first = int(period["since_at"].timestamp()) // step * step
    for begins in range(first, int(-(-period["until_at"].timestamp() // 1)), step):
        live += started[begins] - over[begins]
        series.append(Step(begins, started[begins], over[begins], live))
    return series
