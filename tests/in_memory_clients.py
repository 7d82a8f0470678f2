"""boto3's clients in memory, for tests with more records than an engine can take. Requests are counted with their size.

The tables are the double's (`ops.dynamodb_double`): nothing fails here of itself, but what DynamoDB refuses is refused.
"""

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ops.dynamodb_double.client import Client
from ops.dynamodb_double.conduct import Meter
from ops.dynamodb_double.service import Service
from ops.dynamodb_double.sizes import item_size as item_bytes
from ops.dynamodb_double.tables import Item, Table
from tests.conftest import NOW

__all__ = ["InMemoryDynamoDb", "InMemorySqs", "Request", "item_bytes", "use_in_memory_clients"]


@dataclass(slots=True)
class Request:
    """One request: what was asked, of which table, and the bytes of the items sent and received."""

    operation: str
    table: str
    sent: int = 0
    received: int = 0


class _Ledger(Meter):
    """Keeps every request."""

    def __init__(self) -> None:
        self.requests: list[Request] = []

    def begin(self, operation: str, table_name: str) -> None:
        self.requests.append(Request(operation, table_name))

    def read(self, items: Sequence[Item], *, consistent: bool) -> None:
        self.requests[-1].received += sum(map(item_bytes, items))

    def wrote(self, table: Table, before: Item | None, after: Item | None) -> None:
        self.requests[-1].sent += item_bytes(after or {})


class InMemoryDynamoDb(Client):
    """Tables that appear when they are first named; one called projections has no sort key."""

    def __init__(self) -> None:
        self._ledger = _Ledger()
        self._tables: dict[str, Table] = {}
        super().__init__(Service(self.table, clock=time.time, meter=self._ledger))

    @property
    def requests(self) -> list[Request]:
        """Every request so far."""
        return self._ledger.requests

    def table(self, name: str) -> Table:
        keys = ("PK",) if "projections" in name else ("PK", "SK")
        return self._tables.setdefault(name, Table(name, key_names=keys))

    def items(self, table_name: str) -> list[Item]:
        return list(self.table(table_name).items.values())

    def replace_all(self, table_name: str, items: Iterable[Item]) -> None:
        """Make these the items of a table, uncounted."""
        self._tables.pop(table_name, None)
        self.table(table_name).load(items)


@dataclass
class InMemorySqs:
    """Queues that keep what is sent to them, by the last part of their URLs."""

    bodies: dict[str, list[str]] = field(default_factory=dict)

    def send_message_batch(self, *, QueueUrl: str, Entries: list[dict[str, str]]) -> dict[str, Any]:  # noqa: N803 # boto3's names
        sizes = [len(entry["MessageBody"].encode()) for entry in Entries]
        if not 0 < len(Entries) <= 10 or sum(sizes) > 262_144:
            code = "AWS.SimpleQueueService.BatchRequestTooLong"
            raise ClientError({"Error": {"Code": code, "Message": ""}}, "SendMessageBatch")
        self.bodies.setdefault(QueueUrl.rpartition("/")[2], []).extend(entry["MessageBody"] for entry in Entries)
        return {"Successful": [{"Id": entry["Id"]} for entry in Entries], "Failed": []}

    def take(self, queue: str) -> list[dict[str, Any]]:
        """Take every message off a queue and read its JSON body."""
        return [json.loads(body) for body in self.bodies.pop(queue, [])]


def use_in_memory_clients(monkeypatch: pytest.MonkeyPatch, dynamodb: InMemoryDynamoDb, sqs: InMemorySqs) -> None:
    """Let the handlers run on these, with their clock at the tests' noon."""
    monkeypatch.setattr("processors.runtime.wiring.client", {"dynamodb": dynamodb, "sqs": sqs}.__getitem__)
    monkeypatch.setattr("processors.runtime.clock.utc_now", lambda: NOW)
    for name, value in {
        "SESSIONS_TABLE": "sessions",
        "PROJECTIONS_TABLE": "projections",
        "SESSION_EVENTS_QUEUE_URL": "https://queue/events",
        "REJECTED_EVENTS_QUEUE_URL": "https://queue/rejected",
        "DYNAMODB_BATCH_STATEMENTS": "false",
    }.items():
        monkeypatch.setenv(name, value)
