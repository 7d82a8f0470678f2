"""The simulated DynamoDB answers as the real engine does: the same random requests on both, answer for answer."""

from collections.abc import Iterator
from datetime import UTC, datetime
from random import Random
from typing import Any
from uuid import uuid4

import boto3
import pytest
from botocore.exceptions import ClientError

from processors.aws.conditional_writes import Write, condition, statement
from schemas.keys import Key
from tests.conftest import create_tables, read_stream
from tests.simulation.dynamodb_client import DynamoDbClient
from tests.simulation.faults import Faults
from tests.simulation.network import Network
from tests.simulation.scheduler import Scheduler
from tests.simulation.tables import Stream, Table

pytestmark = pytest.mark.engine

KEYS = [("p1", "a"), ("p1", "b"), ("p2", "a"), ("child#p3", "a"), ("p10", "b")]


class Both:
    """The same table, simulated and real."""

    def __init__(self, endpoint: str, source: Random) -> None:
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
        faults = Faults(source, [])
        faults.is_quiet = True
        scheduler = Scheduler(datetime(2026, 3, 1, tzinfo=UTC).timestamp())
        self.stream = Stream(1, lambda: 0.0)
        table = Table(self.name, stream=self.stream)
        network = Network(scheduler, source, faults)
        self.simulated = DynamoDbClient([table], network, source, faults, lambda: scheduler.now)

    def ask(self, operation: str, **request: Any) -> tuple[Any, Any]:
        """Make a request of both, and give what matters in their answers: the real one's last."""
        return _answer(self.simulated, operation, request), _answer(self.real, operation, request)

    def changes(self) -> tuple[list[Any], list[Any]]:
        """What both streams recorded: name and images."""
        records = read_stream(self.real, self.streams, self.name)
        return [_change(record) for record in self.stream.shards[0].records], [_change(record) for record in records]

    def drop(self) -> None:
        for name in (self.name, f"{self.name}-projections"):
            self.real.delete_table(TableName=name)


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
        return sorted(items, key=lambda item: (item["PK"]["S"], item["SK"]["S"])), response["UnprocessedKeys"]
    return [answer.get("Error", {}).get("Code") for answer in response.get("Responses", [])]


@pytest.fixture
def both(dynamodb_local: str, request: pytest.FixtureRequest) -> Iterator[Both]:
    made = Both(dynamodb_local, Random(1))
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


def _write(source: Random, key: tuple[str, str], believed: dict[str, Any] | None) -> Write:
    """A write as the tables make it, on a belief that is often wrong."""
    old = source.choice((None, believed, believed, _item(source, key)))
    if old is not None and source.random() < 0.3:
        old = {**old, "version": {"N": str(source.randint(1, 3))}}
    return Write(Key(*key), old, _item(source, key))


def _request(source: Random, name: str, believed: dict[Any, Any]) -> tuple[str, dict[str, Any]]:
    kind = source.choice(("statements", "statements", "put", "put", "delete", "get", "query", "index"))
    if kind == "statements":
        keys = source.sample(KEYS, source.randint(1, 4))
        writes = [_write(source, key, believed.get(key)) for key in keys]
        return "batch_execute_statement", {"Statements": [statement(name, write) for write in writes]}
    key = source.choice(KEYS)
    if kind == "put":
        write = _write(source, key, believed.get(key))
        return "put_item", {"TableName": name, "Item": write.versioned, **condition(write)}
    if kind == "delete":
        return "delete_item", {"TableName": name, "Key": {"PK": {"S": key[0]}, "SK": {"S": key[1]}}}
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


@pytest.mark.parametrize("seed", range(10))
def test_random_requests_get_the_same_answers_and_leave_the_same_stream(both: Both, seed: int) -> None:
    source = Random(seed)
    believed: dict[Any, Any] = {}

    for number in range(120):
        operation, request = _request(source, both.name, believed)
        simulated, real = both.ask(operation, **request)
        assert simulated == real, f"request {number}: {operation} {request}"
        for key in KEYS:
            believed[key] = source.choice((believed.get(key), both.simulated._tables[both.name].items.get(key)))

    simulated_changes, real_changes = both.changes()
    assert simulated_changes == real_changes
    assert len(real_changes) > 10


def test_one_item_twice_refuses_the_whole_request(both: Both) -> None:
    writes = [statement(both.name, Write(Key(*KEYS[0]), None, _item(Random(seed), KEYS[0]))) for seed in (1, 2)]

    simulated, real = both.ask("batch_execute_statement", Statements=writes)

    assert simulated == real == "ValidationException"
