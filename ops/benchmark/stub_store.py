"""What the stub serves: the double's tables by name, and a queue, a bus and an archive that take everything."""

from __future__ import annotations

import time
from threading import Lock
from typing import Any

from ops.benchmark.due import DueSessions, ItemsAsText, agenda_of
from ops.dynamodb_double.conduct import UnitMeter
from ops.dynamodb_double.service import Service
from ops.dynamodb_double.tables import Item, ItemKey, Table

Fields = dict[str, Any]

_KEYS = {"idempotency": ("id",), "projections": ("PK",), "textbook-projections": ("PK",)}
_SESSION_KEY = ("PK", "SK")
_AGENDA = "agenda"


class StubStore:
    """The tables, and what was asked of them.

    Attributes:
        keep: Whether writes are kept; where they are not, every item is new for ever.
        keys_only: Whether the index of tables that are made from now on holds the keys alone.
        changes: Table, image before and image after of every write of a sessions table.
    """

    def __init__(self) -> None:
        self.keep = True
        self.keys_only = False
        self.changes: list[tuple[str, Item | None, Item | None]] = []
        self._lock = Lock()
        self._tables: dict[str, Table] = {}
        self._meter = UnitMeter()
        self._service = Service(self._table, clock=time.time, meter=self._meter, checks_sizes=False)

    def clear_counts(self) -> None:
        """Begin to count anew."""
        self._meter.clear()
        self.changes = []

    def clear(self) -> None:
        """Forget all items, too."""
        self.clear_counts()
        self._tables = {}

    def counts(self) -> dict[str, Any]:
        """Give what was counted since the last `clear_counts`."""
        meter = self._meter
        return {"requests": meter.requests, "write_units": meter.write_units, "read_units": meter.read_units}

    def load(self, table_name: str, items: list[Item]) -> None:
        """Put items into a table, uncounted."""
        with self._lock:
            self._table(table_name).load(items)

    def fill_due(self, table_name: str, count: int, first_expiry: int) -> None:
        """Put sessions that run out in one minute into a sessions table and onto the agenda, uncounted."""
        with self._lock:
            sessions, agenda = self._table(table_name), self._table(_AGENDA)
            sessions.items = DueSessions(count, first_expiry)
            agenda.items = ItemsAsText()
            agenda.load(agenda_of(count, first_expiry))

    def call(self, operation: str, request: Fields) -> Fields:
        """Answer a request.

        Raises:
            ServiceError: As the service would refuse it.
            NotSimulatedError: It is not known here.
        """
        with self._lock:
            if operation in _OTHER_SERVICES:
                self._meter.begin(operation, "")
                return _OTHER_SERVICES[operation](request)
            return self._service.call(operation, request)

    def _table(self, name: str) -> Table:
        if name not in self._tables:
            self._tables[name] = _StubTable(name, self)
        return self._tables[name]


class _StubTable(Table):
    def __init__(self, name: str, stub: StubStore) -> None:
        super().__init__(
            name, key_names=_KEYS.get(name, _SESSION_KEY), keys_only=stub.keys_only, is_indexed=name != _AGENDA
        )
        self._stub = stub

    def store(self, key: ItemKey, new: Item | None, now: float, *, is_ttl: bool = False) -> None:
        """Keep a change and log it, if changes are kept."""
        if not self._stub.keep:
            return
        if self.has_index:
            self._stub.changes.append((self.name, self.items.get(key), new))
        super().store(key, new, now, is_ttl=is_ttl)


def _sent(request: Fields) -> Fields:
    digest = "0" * 32
    sent = [{"Id": entry["Id"], "MessageId": entry["Id"], "MD5OfMessageBody": digest} for entry in request["Entries"]]
    return {"Successful": sent, "Failed": []}


def _put_events(request: Fields) -> Fields:
    return {"FailedEntryCount": 0, "Entries": [{"EventId": "stub"} for _ in request["Entries"]]}


def _put_records(request: Fields) -> Fields:
    return {"FailedPutCount": 0, "RequestResponses": [{"RecordId": "stub"} for _ in request["Records"]]}


_OTHER_SERVICES = {"SendMessageBatch": _sent, "PutEvents": _put_events, "PutRecordBatch": _put_records}
