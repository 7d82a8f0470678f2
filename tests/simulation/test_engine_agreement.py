"""The simulated DynamoDB answers as the real engine does: the same random requests on both, answer for answer."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from random import Random
from typing import Any
from uuid import uuid4

import boto3
import pytest
from botocore.exceptions import ClientError

from ops.dynamodb_double.client import Client
from ops.dynamodb_double.service import Service
from ops.dynamodb_double.stream import Stream
from ops.dynamodb_double.tables import Table
from processors.aws.conditional_writes import Write, put_request, statement, update_request
from schemas.item_mapping import OWNED_ATTRIBUTES
from schemas.keys import Key
from tests.conftest import create_tables, read_stream

pytestmark = pytest.mark.engine

KEYS = [("p1", "a"), ("p1", "b"), ("p2", "a"), ("child#p3", "a"), ("p10", "b")]


class Both:
    """The same table, simulated and real."""

    def __init__(self, endpoint: str) -> None:
        self.name = f"agreement-{uuid4().hex}"
        settings: dict[str, Any] = {
            "region_name": "eu-west-1",
            "aws_access_key_id": "testing",
            "aws_secret_access_key": "testing",
            "endpoint_url": endpoint,
        }
        self.real = boto3.client("dynamodb", **settings)
        self.streams = boto3.client("dynamodbstreams", **settings)
        create_tables(self.real, self.name, f"{self.name}-projections")
        self.stream = Stream(1, lambda: 0.0)
        self.table = Table(self.name, stream=self.stream)
        moment = datetime(2026, 3, 1, tzinfo=UTC).timestamp()
        self.simulated = Client(Service({self.name: self.table}.__getitem__, clock=lambda: moment))

    def ask(self, operation: str, **request: Any) -> tuple[Any, Any]:
        """Make a request of both, and give what matters in their answers: the real one's last."""
        return _answer(self.simulated, operation, request), _answer(self.real, operation, request)

    def changes(self) -> tuple[list[Any], list[Any]]:
        """What both streams recorded, by item: name and images. Items of one batch have no order among themselves."""
        records = read_stream(self.real, self.streams, self.name)
        return _in_order_by_item(self.stream.shards[0].records), _in_order_by_item(records)

    def drop(self) -> None:
        for name in (self.name, f"{self.name}-projections"):
            self.real.delete_table(TableName=name)


def _in_order_by_item(records: Iterable[Any]) -> list[Any]:
    return sorted((_change(record) for record in records), key=lambda change: _place(change[1]))


def _change(record: Any) -> Any:
    change = record["dynamodb"]
    return record["eventName"], change["Keys"], change.get("OldImage"), change.get("NewImage")


def _answer(client: Any, operation: str, request: dict[str, Any]) -> Any:
    if operation == "query":
        pages = client.get_paginator("query").paginate(**request)
        return [item for page in pages for item in page["Items"]]
    try:
        response = getattr(client, operation)(**request)
    except client.exceptions.ConditionalCheckFailedException:
        return "condition failed"
    except ClientError as error:
        return error.response["Error"]["Code"]
    if operation == "batch_get_item":
        [items] = response["Responses"].values() or [[]]
        return _by_key(items), response["UnprocessedKeys"]
    items = response.get("Items", [])
    while "NextToken" in response:
        response = client.execute_statement(**request, NextToken=response["NextToken"])
        items += response["Items"]
    return response.get("Item"), _by_key(items), _codes(response)


def _by_key(items: list[Any]) -> list[Any]:
    return sorted(items, key=_place)


def _place(item: Any) -> tuple[str, str]:
    return item["PK"]["S"], item["SK"]["S"]


def _codes(response: Any) -> list[Any]:
    return [answer.get("Error", {}).get("Code") for answer in response.get("Responses", [])]


@pytest.fixture
def both(dynamodb_local: str, request: pytest.FixtureRequest) -> Iterator[Both]:
    made = Both(dynamodb_local)
    yield made
    made.drop()


def _item(source: Random, key: tuple[str, str]) -> dict[str, Any]:
    item: dict[str, Any] = {"PK": {"S": key[0]}, "SK": {"S": key[1]}}
    for name in source.sample(("session_state", "country", "source"), source.randint(0, 3)):
        item[name] = {"S": source.choice("xyz")}
    if source.random() < 0.5:
        item["ttl"] = {"N": str(source.randint(0, 3))}
    if source.random() < 0.3:
        item["sessions"] = {"M": {"s1": {"L": [{"N": str(source.randint(0, 2))}]}}}
    return item


def _write(source: Random, key: tuple[str, str], last_seen: dict[str, Any] | None) -> Write:
    """A write as the tables make it, on a belief that is often wrong."""
    old = source.choice((None, last_seen, last_seen, _item(source, key)))
    if old is not None and source.random() < 0.3:
        old = {**old, "version": {"N": str(source.randint(1, 3))}}
    return Write(Key(*key), old, _item(source, key), {**OWNED_ATTRIBUTES, "sessions": "M"})


def _request(source: Random, name: str, last_seen: dict[Any, Any]) -> tuple[str, dict[str, Any]]:
    kind = source.choice(("statements", "statements", "put", "put", *_KINDS))
    if kind in _MORE:
        return _MORE[kind](source, name)
    if kind == "statements":
        keys = source.sample(KEYS, source.randint(1, 4))
        writes = [_write(source, key, last_seen.get(key)) for key in keys]
        return "batch_execute_statement", {"Statements": [statement(name, write, at_least=1) for write in writes]}
    key = source.choice(KEYS)
    if kind == "put":
        write = _write(source, key, last_seen.get(key))
        operation, make = ("put_item", put_request) if write.old is None else ("update_item", update_request)
        return operation, {"TableName": name, **make(write, at_least=1)}
    if kind == "get":
        keys = source.sample(KEYS, source.randint(1, len(KEYS)))
        wanted = [{"PK": {"S": pk}, "SK": {"S": sk}} for pk, sk in keys]
        return "batch_get_item", {"RequestItems": {name: {"Keys": wanted, "ConsistentRead": True}}}
    if kind == "query":
        return "query", {
            "TableName": name,
            "KeyConditionExpression": "PK = :pk",
            "ExpressionAttributeValues": {":pk": {"S": key[0]}},
            "ConsistentRead": True,
        }
    key_condition, more = source.choice(
        (
            ("SK = :sk", {}),
            ("SK = :sk AND PK = :pk", {":pk": {"S": key[0]}}),
            ("SK = :sk AND begins_with(PK, :prefix)", {":prefix": {"S": "p1"}}),
        )
    )
    return "query", {
        "TableName": name,
        "IndexName": "GSI1_inverse",
        "KeyConditionExpression": key_condition,
        "ExpressionAttributeValues": {":sk": {"S": key[1]}, **more},
    }


def _key(key: tuple[str, str]) -> dict[str, Any]:
    return {"PK": {"S": key[0]}, "SK": {"S": key[1]}}


def _update(source: Random, name: str) -> tuple[str, dict[str, Any]]:
    """Attributes set, removed and added to, under a condition that often does not hold."""
    number = {"N": str(source.randint(0, 3))}
    expression, values = source.choice(
        (
            ("SET country = :a, #s = :b REMOVE session_state", {":a": {"S": "x"}, ":b": {"S": "y"}}),
            ("REMOVE country, #s", {}),
            ("SET version = if_not_exists(version, :a), #s = :b", {":a": number, ":b": {"S": "z"}}),
            ("ADD version :a SET #s = :b", {":a": number, ":b": {"S": "z"}}),
            ("SET version = version + :a REMOVE #s", {":a": number}),
            ("SET ttl = :a REMOVE #s", {":a": number}),  # a reserved word
        )
    )
    condition, more = source.choice(
        (
            ("attribute_exists(PK)", {}),
            ("attribute_exists(PK) AND attribute_not_exists(version)", {}),
            ("version = :v OR (attribute_not_exists(PK) AND NOT attribute_exists(#s))", {":v": number}),
            ("version < :v", {":v": number}),
            ("country <> :v", {":v": {"S": "x"}}),
            ("begins_with(country, :v)", {":v": {"S": "x"}}),
        )
    )
    request: dict[str, Any] = {
        "TableName": name,
        "Key": _key(source.choice(KEYS)),
        "UpdateExpression": expression,
        "ConditionExpression": condition,
        "ExpressionAttributeNames": {"#s": "source"},
    }
    return "update_item", request | ({"ExpressionAttributeValues": values | more} if values | more else {})


def _conditional_delete(source: Random, name: str) -> tuple[str, dict[str, Any]]:
    return "delete_item", {
        "TableName": name,
        "Key": _key(source.choice(KEYS)),
        "ConditionExpression": "version = :v",
        "ExpressionAttributeValues": {":v": {"N": str(source.randint(1, 3))}},
    }


def _delete(source: Random, name: str) -> tuple[str, dict[str, Any]]:
    return "delete_item", {"TableName": name, "Key": _key(source.choice(KEYS))}


def _get(source: Random, name: str) -> tuple[str, dict[str, Any]]:
    return "get_item", {"TableName": name, "Key": _key(source.choice(KEYS)), "ConsistentRead": True}


def _select(source: Random, name: str) -> tuple[str, dict[str, Any]]:
    """Partitions of the table or of the index, whole or in part."""
    values = sorted({key[0] for key in source.sample(KEYS, source.randint(1, 4))})
    text = f'SELECT * FROM "{name}" WHERE "PK" IN [{", ".join("?" * len(values))}]'  # noqa: S608 # a name of this test's
    last = source.choice(("", ' AND begins_with("SK", ?)', ' AND "SK" = ?'))
    is_consistent = source.random() < 0.7
    if not is_consistent:
        values = sorted({key[1] for key in source.sample(KEYS, source.randint(1, 4))})
        places = ", ".join("?" * len(values))
        text = f'SELECT "PK", "SK" FROM "{name}"."GSI1_inverse" WHERE "SK" IN [{places}]'  # noqa: S608
        last = source.choice(("", ' AND begins_with("PK", ?)'))
    more = [source.choice(("a", "b") if is_consistent else ("p1", "child#"))] if last else []
    return "execute_statement", {
        "Statement": text + last,
        "Parameters": [{"S": value} for value in values + more],
        "ConsistentRead": is_consistent,
    }


def _write_batch(source: Random, name: str) -> tuple[str, dict[str, Any]]:
    """Puts and deletions of up to four items, one of them twice at times."""
    keys = source.sample(KEYS, source.randint(1, 4))
    if source.random() < 0.1:
        keys.append(keys[0])
    writes = [
        {"PutRequest": {"Item": _item(source, key)}} if source.random() < 0.6 else {"DeleteRequest": {"Key": _key(key)}}
        for key in keys
    ]
    return "batch_write_item", {"RequestItems": {name: writes}}


_MORE = {
    "batch-write": _write_batch,
    "delete": _delete,
    "update": _update,
    "conditional-delete": _conditional_delete,
    "get-one": _get,
    "select": _select,
}
_KINDS = ("get", "query", "index", *_MORE)


@pytest.mark.parametrize("seed", range(10))
def test_random_requests_get_the_same_answers_and_leave_the_same_stream(both: Both, seed: int) -> None:
    source = Random(seed)
    last_seen: dict[Any, Any] = {}

    for number in range(120):
        operation, request = _request(source, both.name, last_seen)
        simulated, real = both.ask(operation, **request)
        assert simulated == real, f"request {number}: {operation} {request}"
        for key in KEYS:
            last_seen[key] = source.choice((last_seen.get(key), both.table.items.get(key)))

    simulated_changes, real_changes = both.changes()
    assert simulated_changes == real_changes
    assert len(real_changes) > 10


def test_one_item_twice_refuses_the_whole_request(both: Both) -> None:
    writes = [Write(Key(*KEYS[0]), None, _item(Random(seed), KEYS[0]), OWNED_ATTRIBUTES) for seed in (1, 2)]
    statements = [statement(both.name, write, at_least=1) for write in writes]

    simulated, real = both.ask("batch_execute_statement", Statements=statements)

    assert simulated == real == "ValidationException"
