"""A section of the page: what is found, in one sentence; a picture, its numbers, and the SQL that made them."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Table:
    """Numbers. The first column names the row; the other columns are numbers, but for the `texts` ones after the first.

    Args:
        caption: What is counted.
        head: Names of the columns.
        rows: The cells, as they are shown.
        texts: How many columns, from the left, hold text.
    """

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    texts: int = 1


@dataclass(frozen=True, slots=True)
class Picture:
    """A place for a picture.

    Args:
        name: Its chart's name in `charts.SPECS`.
        title: What is shown.
        text: What a person hears who does not see it.
    """

    name: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page.

    Args:
        id: Its anchor.
        title: Its heading.
        finding: The most important of it, in a sentence.
        pictures: Its pictures, side by side where there is room.
        tables: Its numbers.
        queries: Names of the queries that made them.
        note: How to read it.
        is_filtered: Whether its pictures follow the choice of source and country.
        parts: Sections within it.
    """

    id: str
    title: str
    finding: str
    pictures: Sequence[Picture]
    tables: Sequence[Table]
    queries: Sequence[str]
    note: str = ""
    is_filtered: bool = True
    parts: Sequence["Section"] = ()
