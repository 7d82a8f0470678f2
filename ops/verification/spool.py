"""What the scans find, sorted by customer in a temporary file: memory does not grow with the number of customers."""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import groupby
from operator import itemgetter
from types import TracebackType
from typing import Any, NamedTuple

from ops.verification.comparing import Counted
from schemas.projection_items import OWNED_ATTRIBUTES

_SCHEMA = """
CREATE TABLE sessions (customer, session_id, pk, sk, is_live, last_login_ms, version);
CREATE TABLE projections (customer, item);
"""
_STORED = {*OWNED_ATTRIBUTES, "PK", "item_format", "version"}


class Pair(NamedTuple):
    """One customer: what was found in either table."""

    customer_id: str
    counted: list[Counted]
    projection: dict[str, Any] | None
    """The item as stored; None where there is none."""


class Spool:
    """A temporary database; a context manager. SQLite keeps it in a file once it outgrows its cache, and removes it."""

    def __enter__(self) -> "Spool":
        """Open it."""
        self._database = sqlite3.connect("")
        self._database.executescript(_SCHEMA)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Remove it."""
        self._database.close()

    def add_sessions(self, counted: Iterable[tuple[str, Counted]]) -> None:
        """Keep session items, each with its customer."""
        self._database.executemany(
            "INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?)", ((customer, *item) for customer, item in counted)
        )

    def add_projections(self, items: Iterable[tuple[str, dict[str, Any]]]) -> None:
        """Keep projection items, each with its customer; attributes of others are left out."""
        self._database.executemany(
            "INSERT INTO projections VALUES (?, ?)",
            (
                (customer, json.dumps({name: value for name, value in item.items() if name in _STORED}, default=str))
                for customer, item in items
            ),
        )

    def customers(self) -> Iterator[Pair]:
        """Yield every customer of either table, by id."""
        with (
            closing(self._database.execute("SELECT * FROM sessions ORDER BY customer")) as sessions,
            closing(self._database.execute("SELECT * FROM projections ORDER BY customer")) as projections,
        ):
            counted = ((customer, list(rows)) for customer, rows in groupby(sessions, key=itemgetter(0)))
            row, stored = next(counted, None), projections.fetchone()
            while row is not None or stored is not None:
                customer = min(found[0] for found in (row, stored) if found is not None)
                items: list[Counted] = []
                item = None
                if row is not None and row[0] == customer:
                    items, row = [_counted(values) for values in row[1]], next(counted, None)
                if stored is not None and stored[0] == customer:
                    item, stored = json.loads(stored[1]), projections.fetchone()
                yield Pair(customer, items, item)


def _counted(row: tuple[Any, ...]) -> Counted:
    _, session_id, pk, sk, is_live, last_login_ms, version = row
    return Counted(session_id, pk, sk, bool(is_live), last_login_ms, version)
