"""Rows of a list in the form that was asked for: a table, every column, names, CSV or JSON.

A row is what `--json` shows of it: a mapping with text, numbers and RFC 3339 times. Columns say how people see it.
"""

# ruff: noqa: PLC0415 (rich is slow to import, and only tables need it)

import csv
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeAlias

import typer

from ops.sessionctl.options import Form
from ops.sessionctl.screen import answers

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

Row: TypeAlias = Mapping[str, Any]

_ROWS_OF_A_TABLE = 1_000
"""A longer list is shown as several tables, so that it is read as it comes."""
_TEXT_WIDTH = 16
"""Columns that text needs at least; it wraps."""
_GAP = 3
"""Columns between two cells."""
_NO_BOUND = 1_000_000
"""Columns of a terminal that is wide enough."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a list.

    Attributes:
        heading: What people read above it.
        key: The member of the row, which is the heading in CSV.
        shown: Writes a value that is not None for people, plain or as rich `Text`; None: as it stands.
        drawn: The same, of the whole row, instead of `shown`.
        priority: 0 stays in any terminal; of the others the greatest is dropped first where there is no room.
        is_wide: Whether tables show it with `-o wide` only.
        is_text: Whether it is free text, which may wrap. Ids never do.
        is_number: Whether it is aligned on the right.
    """

    heading: str
    key: str
    shown: "Callable[[Any], str | Text] | None" = None
    drawn: "Callable[[Row], str | Text] | None" = None
    priority: int = 0
    is_wide: bool = False
    is_text: bool = False
    is_number: bool = False


def show_rows(rows: Iterable[Row], columns: Sequence[Column], form: Form, *, title: str = "") -> int:
    """Show a list on standard output, as it comes.

    A table drops columns in a terminal that is too narrow, and is as wide as it needs where the output is piped.

    Args:
        rows: The rows, each with the members that the columns name; CSV and tables leave the others out.
        columns: The columns; the first one is the name of a row.
        form: What was asked for.
        title: Stands above the table.

    Returns:
        How many rows there were.
    """
    counted = _Counted(rows)
    match form:
        case Form.NAME:
            for row in counted:
                typer.echo(_plain(row.get(columns[0].key)))
        case Form.CSV:
            _show_csv(counted, columns)
        case Form.JSON:
            _show_json(counted)
        case _:
            _show_tables(counted, columns, form, title)
    return counted.count


class _Counted(Iterator[Row]):
    """Iterate, and count."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self.count = 0
        self._rows = iter(rows)

    def __next__(self) -> Row:
        row = next(self._rows)
        self.count += 1
        return row


def _show_csv(rows: Iterable[Row], columns: Sequence[Column]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow([column.key for column in columns])
    for row in rows:
        writer.writerow([_plain(row.get(column.key)) for column in columns])


def _show_json(rows: Iterable[Row]) -> None:
    """Write one array, a row a line, so that it can be read as it comes."""
    separator = "[\n"
    for row in rows:
        typer.echo(separator + json.dumps(row), nl=False)
        separator = ",\n"
    typer.echo("[]" if separator == "[\n" else "\n]")


def _show_tables(rows: Iterator[Row], columns: Sequence[Column], form: Form, title: str) -> None:
    wanted = [column for column in columns if form is Form.WIDE or not column.is_wide]
    console = answers()
    room = console.width if console.is_terminal and form is not Form.WIDE else None
    while chunk := list(islice(rows, _ROWS_OF_A_TABLE)):
        if title:
            console.print(title, style="bold", markup=False, soft_wrap=not console.is_terminal)
            title = ""
        _print(table_of(chunk, wanted, room), room, is_terminal=console.is_terminal)


def table_of(rows: Sequence[Row], columns: Sequence[Column], room: int | None) -> "Table":
    """Make a table of rows.

    Args:
        rows: The rows.
        columns: The columns that are wanted.
        room: Columns of the terminal; None: all the room there can be.
    """
    from rich import box
    from rich.table import Table

    cells = {column.key: [_cell(row, column) for row in rows] for column in columns}
    if room is not None:
        widths = {key: max(text.cell_len for text in texts) for key, texts in cells.items()}
        columns = _fitting(columns, widths, room)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        table.add_column(
            column.heading,
            justify="right" if column.is_number else "left",
            no_wrap=not column.is_text,
            min_width=None if column.is_text else max(text.cell_len for text in cells[column.key]),
            overflow="fold",
        )
    for number in range(len(rows)):
        table.add_row(*(cells[column.key][number] for column in columns))
    return table


def _fitting(columns: Sequence[Column], widths: Mapping[str, int], room: int) -> list[Column]:
    """Drop columns, the least important first, until the rest has room or is all that must stay."""
    kept = list(columns)

    def needed(column: Column) -> int:
        width = max(widths[column.key], len(column.heading))
        return min(width, max(_TEXT_WIDTH, len(column.heading))) if column.is_text else width

    while sum(map(needed, kept)) + _GAP * (len(kept) - 1) > room:
        least = max(reversed(kept), key=lambda column: column.priority)
        if least.priority == 0:
            break
        kept.remove(least)
    return kept


def _print(table: "Table", room: int | None, *, is_terminal: bool) -> None:
    """Print a table without cutting or wrapping an id, however narrow the terminal is."""
    console = answers()
    console.width = _NO_BOUND
    size = console.measure(table)
    console.width = size.maximum if room is None else max(size.minimum, min(size.maximum, room))
    if is_terminal:
        console.print(table)
        return
    with console.capture() as capture:
        console.print(table)
    for line in capture.get().splitlines():
        typer.echo(line.rstrip())


def _cell(row: Row, column: Column) -> "Text":
    from rich.text import Text

    value = row.get(column.key)
    if column.drawn is not None:
        value = column.drawn(row)
    elif value is not None and column.shown is not None:
        value = column.shown(value)
    return value if isinstance(value, Text) else Text(printable(_plain(value)))


def printable(text: str) -> str:
    """Replace what a terminal would obey: control characters in what strangers sent."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "�" for c in text)


def _plain(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return json.dumps(value)
