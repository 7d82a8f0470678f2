"""The few calls of boto3 that the handlers make, in memory: for tests with more records than an engine can take.

Nothing fails here of itself, but what DynamoDB refuses is refused: a value that is no attribute value, a number out of
range, an empty name, a key or an item that is too large. Requests are counted with their size.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conftest import NOW

Item = dict[str, dict[str, Any]]

MAX_ITEM_BYTES = 400 * 1024
PAGE_BYTES = 1024 * 1024
"""DynamoDB ends a page of a Query here."""


class ConditionalCheckFailedException(ClientError):  # noqa: N818 # boto3's name
    """The condition of a PutItem does not hold."""


def _error(operation: str, code: str, message: str = "", kind: type[ClientError] = ClientError) -> ClientError:
    return kind({"Error": {"Code": code, "Message": message}}, operation)


def item_bytes(item: Item) -> int:
    """Size of an item. Source: DynamoDB Developer Guide, "DynamoDB item sizes and formats"."""
    return sum(len(name.encode()) + value_bytes(value) for name, value in item.items())


def value_bytes(value: dict[str, Any]) -> int:
    """Size of an attribute value.

    Raises:
        ValueError: DynamoDB takes no such value.
    """
    if not isinstance(value, dict) or len(value) != 1:
        raise ValueError("not one type")
    [(kind, content)] = value.items()
    if kind == "S" and isinstance(content, str):
        return len(content.encode())
    if kind == "N" and isinstance(content, str):
        return _number_bytes(content)
    if kind in ("BOOL", "NULL") and isinstance(content, bool):
        return 1
    if kind == "L" and isinstance(content, list):
        return 3 + sum(1 + value_bytes(element) for element in content)
    if kind == "M" and isinstance(content, dict) and "" not in content:
        return 3 + sum(1 + len(name.encode()) + value_bytes(element) for name, element in content.items())
    raise ValueError(f"not an attribute value of type {kind}")


def _number_bytes(text: str) -> int:
    if not re.fullmatch(r"-?\d+(\.\d+)?", text, re.ASCII):
        raise ValueError("not a number")
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise ValueError("not a number") from None
    digits = text.lstrip("-").replace(".", "").strip("0")
    if len(digits) > 38 or (number and number.adjusted() > 125):
        raise ValueError("a number out of range")
    return (len(digits) + 1) // 2 + 1 + (number < 0)


@dataclass(frozen=True, slots=True)
class Request:
    """One request: what was asked, of which table, and the bytes of the items sent and received."""

    operation: str
    table: str
    sent: int
    received: int


@dataclass
class InMemoryDynamoDb:
    """Tables that appear when they are first named. Of expressions it knows those the tables use.

    Args:
        requests: Every request so far.
        tables: Items by primary key, by table name.
    """

    requests: list[Request] = field(default_factory=list)
    tables: dict[str, dict[tuple[str, str], Item]] = field(default_factory=dict)
    exceptions = SimpleNamespace(ConditionalCheckFailedException=ConditionalCheckFailedException)

    def items(self, table_name: str) -> list[Item]:
        return list(self.tables.get(table_name, {}).values())

    def get_item(self, *, TableName: str, Key: Item, **_: Any) -> dict[str, Any]:  # noqa: N803 # boto3's names
        item = self._table(TableName).get(_key(Key))
        self._count("GetItem", TableName, received=[item] if item else [])
        return {} if item is None else {"Item": item}

    def batch_get_item(self, *, RequestItems: dict[str, Any]) -> dict[str, Any]:  # noqa: N803
        [(name, request)] = RequestItems.items()
        keys = [_key(key) for key in request["Keys"]]
        if not 0 < len(keys) <= 100 or len(set(keys)) < len(keys):
            raise _error("BatchGetItem", "ValidationException", "1 to 100 keys, each once")
        found = [item for key in keys if (item := self._table(name).get(key)) is not None]
        self._count("BatchGetItem", name, received=found)
        return {"Responses": {name: found}, "UnprocessedKeys": {}}

    def put_item(
        self,
        *,
        TableName: str,  # noqa: N803
        Item: Item,  # noqa: N803
        ConditionExpression: str,  # noqa: N803
        ExpressionAttributeValues: Item | None = None,  # noqa: N803
    ) -> dict[str, Any]:
        try:
            size = item_bytes(Item)
        except (ValueError, UnicodeEncodeError) as error:
            raise _error("PutItem", "ValidationException", str(error)) from None
        if size > MAX_ITEM_BYTES:
            raise _error("PutItem", "ValidationException", "the item is too large")
        key = _key(Item)
        stored = self._table(TableName).get(key)
        self._count("PutItem", TableName, sent=[Item])
        if not _holds(ConditionExpression, ExpressionAttributeValues or {}, stored):
            raise _error("PutItem", "ConditionalCheckFailedException", kind=ConditionalCheckFailedException)
        self._table(TableName)[key] = Item
        return {}

    def get_paginator(self, operation: str) -> SimpleNamespace:
        assert operation == "query", operation
        return SimpleNamespace(paginate=self._pages)

    def _pages(
        self,
        *,
        TableName: str,  # noqa: N803
        KeyConditionExpression: str,  # noqa: N803
        ExpressionAttributeValues: Item,  # noqa: N803
        IndexName: str | None = None,  # noqa: N803
        **_: Any,
    ) -> Iterator[dict[str, Any]]:
        sort_name = "SK" if IndexName is None else "PK"
        items = [
            item
            for item in self._table(TableName).values()
            if _matches(KeyConditionExpression, ExpressionAttributeValues, item)
        ]
        page: list[Item] = []
        size = 0
        for item in sorted(items, key=lambda item: item[sort_name]["S"]):
            page.append(item)
            size += item_bytes(item)
            if size >= PAGE_BYTES:
                self._count("Query", TableName, received=page)
                yield {"Items": page}
                page, size = [], 0
        self._count("Query", TableName, received=page)
        yield {"Items": page}

    def _table(self, name: str) -> dict[tuple[str, str], Item]:
        return self.tables.setdefault(name, {})

    def _count(self, operation: str, table: str, *, sent: list[Item] = [], received: list[Item] = []) -> None:  # noqa: B006 # never changed
        self.requests.append(Request(operation, table, sum(map(item_bytes, sent)), sum(map(item_bytes, received))))


def _key(attributes: Item) -> tuple[str, str]:
    texts = [attributes[name]["S"] for name in ("PK", "SK") if name in attributes]
    for text, longest in zip(texts, (2048, 1024), strict=False):
        if not isinstance(text, str) or not 0 < len(text.encode()) <= longest:
            raise _error("any operation", "ValidationException", "a key attribute of a wrong type or size")
    return texts[0], texts[1] if len(texts) > 1 else ""


def _holds(condition: str, values: Item, stored: Item | None) -> bool:
    if condition == "attribute_not_exists(PK)":
        return stored is None
    if condition == "attribute_exists(PK) AND attribute_not_exists(version)":
        return stored is not None and "version" not in stored
    assert condition == "version = :version", condition
    return stored is not None and stored.get("version") == values[":version"]


def _matches(condition: str, values: Item, item: Item) -> bool:
    for term in condition.split(" AND "):
        if match := re.fullmatch(r"(PK|SK) = (:\w+)", term):
            holds = item[match[1]] == values[match[2]]
        else:
            match = re.fullmatch(r"begins_with\((PK|SK), (:\w+)\)", term)
            assert match, f"the key condition {term!r} is not known here"
            holds = item[match[1]]["S"].startswith(values[match[2]]["S"])
        if not holds:
            return False
    return True


@dataclass
class InMemorySqs:
    """Queues that keep what is sent to them."""

    bodies: dict[str, list[str]] = field(default_factory=dict)

    def send_message_batch(self, *, QueueUrl: str, Entries: list[dict[str, str]]) -> dict[str, Any]:  # noqa: N803
        sizes = [len(entry["MessageBody"].encode()) for entry in Entries]
        if not 0 < len(Entries) <= 10 or sum(sizes) > 262_144:
            raise _error("SendMessageBatch", "AWS.SimpleQueueService.BatchRequestTooLong")
        self.bodies.setdefault(QueueUrl, []).extend(entry["MessageBody"] for entry in Entries)
        return {"Successful": [{"Id": entry["Id"]} for entry in Entries], "Failed": []}

    def take(self, queue_url: str) -> list[dict[str, Any]]:
        """Take every message off a queue and read its JSON body."""
        return [json.loads(body) for body in self.bodies.pop(queue_url, [])]


def use_in_memory_clients(monkeypatch: pytest.MonkeyPatch, dynamodb: InMemoryDynamoDb, sqs: InMemorySqs) -> None:
    """Let the handlers run on these, with their clock at the tests' noon."""
    monkeypatch.setattr("processors.runtime.wiring.client", {"dynamodb": dynamodb, "sqs": sqs}.__getitem__)
    monkeypatch.setattr("processors.runtime.clock.utc_now", lambda: NOW)
    for name, value in {
        "SESSIONS_TABLE": "sessions",
        "PROJECTIONS_TABLE": "projections",
        "SESSION_EVENTS_QUEUE_URL": "events",
        "REJECTED_EVENTS_QUEUE_URL": "rejected",
        "DYNAMODB_BATCH_STATEMENTS": "false",
    }.items():
        monkeypatch.setenv(name, value)
