"""The handlers on a real engine, by several threads at once, with the races they lose counted."""

import json
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from random import Random
from threading import Barrier, Lock
from typing import Any
from uuid import uuid4

import boto3
import pytest
from botocore.config import Config

from processors import sqs_consumer, stream_projector
from processors.projection_table import ProjectionTable
from processors.session_table import SessionTable
from schemas.events import Event
from schemas.items import Session
from schemas.keys import Key
from tests.conftest import REGION, create_tables, read_stream, sqs_record
from tests.in_memory_clients import InMemorySqs

REDELIVERIES = 20
"""Of a batch, on average: more than any needs, and far less than for ever."""


class Races:
    """Counts the conditional writes that were refused because somebody else had written since the read."""

    def __init__(self, client: Any) -> None:
        self._lock = Lock()
        self.lost: Counter[str] = Counter()
        """By table."""
        counted = {
            "BatchExecuteStatement": self._count_statements,
            "PutItem": self._count_item,
            "UpdateItem": self._count_item,
        }
        for operation, count in counted.items():
            client.meta.events.register(f"before-parameter-build.dynamodb.{operation}", self._remember)
            client.meta.events.register(f"after-call.dynamodb.{operation}", count)

    def _remember(self, params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        context["parameters"] = params

    def _count_statements(self, parsed: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        for statement, answer in zip(context["parameters"]["Statements"], parsed.get("Responses", ()), strict=False):
            if "Error" in answer:
                self._count(statement["Statement"].split('"')[1], answer["Error"]["Code"])

    def _count_item(self, parsed: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        if "Error" in parsed:
            self._count(context["parameters"]["TableName"], parsed["Error"]["Code"])

    def _count(self, table: str, code: str) -> None:
        assert code in ("ConditionalCheckFailed", "ConditionalCheckFailedException", "DuplicateItem"), code
        with self._lock:
            self.lost[table] += 1


def at_once(tasks: Sequence[Callable[[], None]]) -> None:
    """Run tasks, each in a thread of its own, all beginning in the same moment. Whatever one raises is raised."""
    gate = Barrier(len(tasks))

    def run(task: Callable[[], None]) -> None:
        gate.wait(timeout=30)
        task()

    with ThreadPoolExecutor(len(tasks)) as pool:
        for future in [pool.submit(run, task) for task in tasks]:
            future.result()


def _record(event: Event | dict[str, Any]) -> dict[str, Any]:
    """A message sent now, by the wall clock, which TTL goes by too."""
    record = sqs_record(event)
    sent_at = max(int(record["attributes"]["SentTimestamp"]), int(time.time() * 1000))
    return record | {"attributes": {"SentTimestamp": str(sent_at)}}


@dataclass
class Engine:
    """Tables on a real engine; queues in memory, as no thread of a test may wait for another's."""

    dynamodb: Any
    streams: Any
    sqs: InMemorySqs
    sessions_table: str
    projections_table: str
    races: Races
    retries: Counter[str] = field(default_factory=Counter)
    """Redeliveries by transport."""

    @property
    def sessions(self) -> SessionTable:
        return SessionTable(self.dynamodb, self.sessions_table)

    @property
    def projections(self) -> ProjectionTable:
        return ProjectionTable(self.dynamodb, self.projections_table)

    def consume(self, batches: Sequence[Sequence[Event | dict[str, Any]]], *, threads: int = 8) -> None:
        """Give batches to the consumer, several at a time, and again later what it did not settle, as SQS does."""
        queue = deque([_record(event) for event in batch] for batch in batches)
        left = REDELIVERIES * len(queue)

        def work() -> None:
            nonlocal left
            while queue:
                try:
                    records = queue.popleft()
                except IndexError:  # another thread took the last one
                    return
                response = sqs_consumer.lambda_handler({"Records": records}, None)
                failed = {failure["itemIdentifier"] for failure in response["batchItemFailures"]}
                left -= 1
                assert left > 0, f"{len(failed)} messages are never settled"
                if failed:
                    self.retries["messages"] += len(failed)
                    queue.append([record for record in records if record["messageId"] in failed])

        at_once([work] * threads)

    def project(self, records: list[dict[str, Any]]) -> None:
        """Give a batch of stream records to the projector, and again from the first failure on, as Lambda does."""
        for _ in range(REDELIVERIES):
            response = stream_projector.lambda_handler({"Records": records}, None)
            if not response["batchItemFailures"]:
                return
            numbers = [record["dynamodb"]["SequenceNumber"] for record in records]
            records = records[numbers.index(response["batchItemFailures"][0]["itemIdentifier"]) :]
            self.retries["records"] += len(records)
        raise AssertionError("stream records were never settled")

    def project_by_threads(self, threads: int = 8) -> None:
        """Project the whole stream once in each of several threads, all at once, each in batches of its own."""
        records = self.stream_records()
        at_once([partial(self.project_again_and_again, records, Random(number)) for number in range(threads)])

    def project_again_and_again(self, records: list[dict[str, Any]], source: Random) -> None:
        """Project records in batches of any size; now and then from an earlier one on, as after a lost checkpoint."""
        position = 0
        while position < len(records):
            size = source.randrange(1, 26)
            self.project(records[position : position + size])
            position += size
            if source.random() < 0.15:
                position = max(0, position - source.randrange(1, 60))

    def settle(self) -> None:
        """Let what the projector commands be done, until it commands nothing more; old records come last of all."""
        source = Random(1)
        for _ in range(10):
            records = self.stream_records()
            self.project(records)
            for _ in range(10):
                start = source.randrange(len(records))
                self.project(records[start : start + source.randrange(1, 26)])
            commands = self.sqs.take("events")
            if not commands:
                return
            self.consume([commands], threads=1)
        raise AssertionError("there is no end of commands")

    def stream_records(self) -> list[dict[str, Any]]:
        """Every record so far of the sessions table's stream, as Lambda hands it over; per shard in order."""
        return read_stream(self.dynamodb, self.streams, self.sessions_table)

    def stored_sessions(self) -> dict[str, Session]:
        """Every session item, by id."""
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=self.sessions_table, ConsistentRead=True)
        keys = [(item["PK"]["S"], item["SK"]["S"]) for page in pages for item in page["Items"]]
        sessions = self.sessions.reader.read_items([Key(*key) for key in keys]).sessions.values()
        return {session.session_id: session for session in sessions}


@pytest.fixture(params=["statements", "items"])
def engine(request: pytest.FixtureRequest, dynamodb_local: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """Fresh tables on the real engine, with either way of writing."""
    settings: dict[str, Any] = {
        "region_name": REGION,
        "aws_access_key_id": "testing",
        "aws_secret_access_key": "testing",
        "endpoint_url": dynamodb_local,
        "config": Config(max_pool_connections=32, retries={"mode": "standard"}),
    }
    name = uuid4().hex
    client = boto3.client("dynamodb", **settings)
    made = Engine(
        dynamodb=client,
        streams=boto3.client("dynamodbstreams", **settings),
        sqs=InMemorySqs(),
        sessions_table=f"sessions-{name}",
        projections_table=f"projections-{name}",
        races=Races(client),
    )
    create_tables(client, made.sessions_table, made.projections_table)
    monkeypatch.setattr("processors.runtime.wiring.client", {"dynamodb": client, "sqs": made.sqs}.__getitem__)
    for variable, value in {
        "SESSIONS_TABLE": made.sessions_table,
        "PROJECTIONS_TABLE": made.projections_table,
        "SESSION_EVENTS_QUEUE_URL": "https://queue/events",
        "REJECTED_EVENTS_QUEUE_URL": "https://queue/rejected",
        "DYNAMODB_BATCH_STATEMENTS": json.dumps(request.param == "statements"),
    }.items():
        monkeypatch.setenv(variable, value)
    yield made
    assert made.sqs.take("rejected") == []
    for table in (made.sessions_table, made.projections_table):
        client.delete_table(TableName=table)
