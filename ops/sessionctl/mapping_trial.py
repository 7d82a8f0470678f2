"""What a mapping makes of a folder of samples: a row for each event, and which are wrong or matched by no rule."""

import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.text import Text

from ops.inspection.tables import plain_table
from ops.sessionctl.mapping_samples import Reading, Sample, readings, with_bundled
from providers.mapping_format import MappingFile

_DROPPED = ("parent", "reason", "session", "customer", "type")
"""Columns that are left out where the terminal is too narrow, in that order; ids are never wrapped or cut."""

_BETWEEN = 3
"""Columns between two of the table."""

_ANY_WIDTH = 100_000


@dataclass(frozen=True, slots=True)
class Row:
    """What became of one event of a sample.

    Attributes:
        sample: The sample.
        reading: What was made of the event.
        problem: What is wrong with that; empty for nothing.
        is_unmatched: Whether the problem is that no rule, or no mapping, matched.
    """

    sample: str
    reading: Reading
    problem: str = ""
    is_unmatched: bool = False

    def cells(self) -> dict[str, str]:
        """Return the columns of the table."""
        document = self.reading.document
        event = document.get("event", {})
        return {
            "sample": self.sample,
            "outcome": event.get("event_type", document["outcome"]),
            "type": self.reading.event_type or document.get("type", ""),
            "customer": event.get("customer_id", ""),
            "session": event.get("session_id", ""),
            "parent": event.get("parent_session_id", ""),
            "reason": self.problem or document.get("reason", "") or event.get("reason", ""),
        }

    def document(self) -> dict[str, Any]:
        """Return the row for programs."""
        document = {"sample": self.sample, "type": self.reading.event_type} | self.reading.document
        verdict = "unmatched" if self.is_unmatched else "wrong" if self.problem else "right"
        return document | {"verdict": verdict} | ({"problem": self.problem} if self.problem else {})


def try_samples(file: MappingFile, samples: Iterable[Sample]) -> list[Row]:
    """Read each sample with a mapping, beside the bundled ones.

    What is expected of a sample stands in `x.expected.json` beside it. Without that an event is wrong where it is
    rejected, and unmatched where no rule is for its type, which the mapping's `ignored` does not list either.
    """
    mappings = with_bundled(file)
    return [row for sample in samples for row in _judged(file, sample, readings(sample, mappings))]


def show_rows(rows: Sequence[Row]) -> None:
    """Show rows as a table, and name below it what is wrong and what no rule matched."""
    console = Console(file=sys.stdout, highlight=False, width=None if _has_width() else _ANY_WIDTH)
    cells = [row.cells() for row in rows]
    columns = list(cells[0])
    widths = {name: max(len(name), *(len(row[name]) for row in cells)) for name in columns}
    for name in _DROPPED:
        if sum(widths[column] + _BETWEEN for column in columns) > console.width:
            columns.remove(name)
    table = plain_table(f"{len(rows)} events")
    for name in columns:
        table.add_column(name.capitalize(), no_wrap=True, overflow="ignore")
    for row, texts in zip(rows, cells, strict=True):
        table.add_row(*(Text(texts[name], style="red" if row.problem else "") for name in columns))
    console.print(table, crop=False)
    for heading, wanted in (("Wrong", False), ("No rule matched", True)):
        found = [row for row in rows if row.problem and row.is_unmatched is wanted]
        if found:
            console.print(f"{heading}:", style="bold")
        for row in found:
            console.print(f"  {row.sample}: {row.problem}", markup=False, soft_wrap=True)


def _has_width() -> bool:
    """Whether somebody looks who has so many columns; into a file or a pipe goes everything."""
    return sys.stdout.isatty() or "COLUMNS" in os.environ


def _judged(file: MappingFile, sample: Sample, found: Sequence[Reading]) -> list[Row]:
    if sample.expected is None:
        return [_row(file, sample, reading) for reading in found]
    expected = sample.expected + [{"outcome": "nothing more"}] * (len(found) - len(sample.expected))
    rows = [
        Row(sample.name, reading, "" if _is_as(reading, wanted) else f"expected: {_in_words(wanted)}")
        for reading, wanted in zip(found, expected, strict=False)
    ]
    missing = [Reading({"outcome": "nothing"}) for _ in expected[len(found) :]]
    return rows + [Row(sample.name, none, "an event is expected that is not there") for none in missing]


def _row(file: MappingFile, sample: Sample, reading: Reading) -> Row:
    document = reading.document
    if file.provider not in reading.providers:
        other = (
            document.get("reason") or f"it is of {' '.join(reading.providers) or document['provider'] or 'no system'}"
        )
        return Row(sample.name, reading, f"{file.provider} does not recognise it: {other}", is_unmatched=True)
    if document["outcome"] == "rejected":
        return Row(sample.name, reading, document["reason"])
    if document["outcome"] == "ignored" and document["type"] not in file.ignored:
        named = f"type {document['type']!r}" if document["type"] else "an event without a type"
        return Row(sample.name, reading, f"no rule is for {named}, and `ignored` does not list it", is_unmatched=True)
    return Row(sample.name, reading)


def _is_as(reading: Reading, wanted: dict[str, Any]) -> bool:
    document = dict(reading.document)
    if document["outcome"] != "read":
        return document == wanted
    expected = wanted.get("event", {})
    event = {name: value for name, value in document["event"].items() if name in expected or name != "event_id"}
    return bool(expected) and event == expected


def _in_words(wanted: dict[str, Any]) -> str:
    event = wanted.get("event", {})
    words = (event.get("event_type"), event.get("customer_id"), event.get("session_id"), wanted.get("reason"))
    return " ".join(str(word) for word in words if word) or str(wanted.get("outcome"))
