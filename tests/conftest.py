"""Tables and queues for tests of everything that talks to AWS, on moto and on DynamoDB Local."""

import gc
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock
from uuid import uuid4

import boto3
import pytest
from botocore.config import Config
from hypothesis import HealthCheck, Phase, settings
from moto import mock_aws

from processors.projection_table import ProjectionTable
from processors.session_table import SessionTable
from schemas.events import Event, LoginEvent, LogoutAllEvent, LogoutEvent
from tests.log_lines import LogLines

_NOT_MEASURED = {"simulation", "model", "fuzz", "test_bounded.py", "test_benchmark.py"}

# what a test says must not depend on how busy the machine is
settings.register_profile("busy machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# a mutant must die, or live, the same way in every run, and soon
settings.register_profile(
    "mutation run",
    settings.get_profile("busy machine"),
    derandomize=True,
    database=None,
    max_examples=25,
    phases=(Phase.explicit, Phase.generate),  # no example is shrunk: nobody reads it
)
IS_MUTATION_RUN = "MUTANT_UNDER_TEST" in os.environ
settings.load_profile("mutation run" if IS_MUTATION_RUN else "busy machine")
if IS_MUTATION_RUN:
    gc.disable()  # each mutant is tried in a process of its own, which does not live long

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
REGION = "eu-west-1"


def at(minutes: float) -> datetime:
    """So many minutes after noon of the day the tests play on."""
    return NOW + timedelta(minutes=minutes)


def login(session_id: str = "s1", customer_id: str = "customer-1", *, minute: float = 0, **fields: Any) -> LoginEvent:
    event_id = fields.pop("event_id", f"login-{session_id}-{minute}")
    return LoginEvent(
        event_id=event_id, occurred_at=at(minute), customer_id=customer_id, session_id=session_id, **fields
    )


def logout(
    session_id: str = "s1", customer_id: str | None = "customer-1", *, minute: float = 30, **fields: Any
) -> LogoutEvent:
    event_id = fields.pop("event_id", f"logout-{session_id}-{minute}")
    return LogoutEvent(
        event_id=event_id, occurred_at=at(minute), customer_id=customer_id, session_id=session_id, **fields
    )


def logout_all(customer_id: str = "customer-1", *, minute: float = 30, **fields: Any) -> LogoutAllEvent:
    event_id = fields.pop("event_id", f"logout-all-{customer_id}-{minute}")
    return LogoutAllEvent(event_id=event_id, occurred_at=at(minute), customer_id=customer_id, **fields)


@dataclass
class Backend:
    """The tables and queues of one test, and the handlers' environment pointing at them."""

    dynamodb: Any
    streams: Any
    sqs: Any
    sessions_table: str
    projections_table: str
    events_queue: str
    commands_queue: str
    rejected_queue: str
    batch_statements: bool

    @property
    def sessions(self) -> SessionTable:
        return SessionTable(
            self.dynamodb, self.sessions_table, batch_statements=self.batch_statements, clock=lambda: NOW
        )

    @property
    def projections(self) -> ProjectionTable:
        return ProjectionTable(
            self.dynamodb,
            self.projections_table,
            sessions=self.sessions,
            batch_statements=self.batch_statements,
            clock=lambda: NOW,
        )

    def items(self, table_name: str | None = None) -> list[dict[str, Any]]:
        """Every item of the sessions table (or the one named), sorted by key."""
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=table_name or self.sessions_table)
        items = [item for page in pages for item in page["Items"]]
        return sorted(items, key=lambda item: (item["PK"]["S"], item.get("SK", {"S": ""})["S"]))

    def stream_records(self) -> list[dict[str, Any]]:
        """Every record of the sessions table's stream, in the form Lambda hands over, in order."""
        records = read_stream(self.dynamodb, self.streams, self.sessions_table)
        return sorted(records, key=lambda record: int(record["dynamodb"]["SequenceNumber"]))

    def messages(self, queue_url: str) -> list[dict[str, Any]]:
        """Take every message off a queue and read its JSON body."""
        bodies = []
        while messages := self.sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10).get("Messages"):
            bodies += [json.loads(message["Body"]) for message in messages]
        return bodies


def read_stream(dynamodb: Any, streams: Any, table_name: str) -> list[dict[str, Any]]:
    """Every record so far of a table's stream, as Lambda hands it over; per shard in order."""
    arn = dynamodb.describe_table(TableName=table_name)["Table"]["LatestStreamArn"]
    records: list[dict[str, Any]] = []
    for shard in streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]:
        position = streams.get_shard_iterator(
            StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        while position:
            page = streams.get_records(ShardIterator=position)
            records += page["Records"]
            position = page.get("NextShardIterator") if page["Records"] else None
    for record in records:
        created_at = record["dynamodb"].get("ApproximateCreationDateTime")
        if isinstance(created_at, datetime):
            record["dynamodb"]["ApproximateCreationDateTime"] = created_at.timestamp()
        if identity := record.get("userIdentity"):
            record["userIdentity"] = {"type": identity["Type"], "principalId": identity["PrincipalId"]}
    return records


def _key_schema(**roles: str) -> Any:
    return [{"AttributeName": name, "KeyType": role} for name, role in roles.items()]


def create_tables(client: Any, sessions_table: str, projections_table: str, *, index_projection: str = "ALL") -> None:
    client.create_table(
        TableName=sessions_table,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("PK", "SK")],
        KeySchema=_key_schema(PK="HASH", SK="RANGE"),
        GlobalSecondaryIndexes=[
            {
                "IndexName": "GSI1_inverse",
                "KeySchema": _key_schema(SK="HASH", PK="RANGE"),
                "Projection": {"ProjectionType": index_projection},
            }
        ],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    client.create_table(
        TableName=projections_table,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "PK", "AttributeType": "S"}],
        KeySchema=_key_schema(PK="HASH"),
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave histories and benchmarks out of the coverage: measured, they take twice as long, and their task is another.

    A mutation run tries each mutant with the tests of single examples first: they take the least time.
    """
    for item in items:
        if _NOT_MEASURED.intersection(item.path.parts):
            item.add_marker("no_cover")
    if IS_MUTATION_RUN:
        items.sort(key=lambda item: item.get_closest_marker("hypothesis") is not None)


@pytest.fixture(autouse=True)
def clock_of_the_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """The handlers' clock stands at the tests' noon: sessions of that day have not run out."""
    monkeypatch.setattr("processors.runtime.clock.utc_now", lambda: NOW)


@pytest.fixture(autouse=True)
def every_log_line_names_what_it_speaks_of() -> Iterator[None]:
    """Whatever a test makes the functions log stands in `tests.log_lines`, with its facts."""
    with LogLines() as lines:
        yield
    assert lines.faults == []


@pytest.fixture(scope="session")
def dynamodb_local() -> Iterator[str]:
    """Endpoint of a real engine: the one AWS_ENDPOINT_URL_DYNAMODB names, or DynamoDB Local, fetched on demand.

    DynamoDB Local answers one request after the other, so that on a busy machine eight requests of fifty statements
    take longer than the handlers wait for AWS: from here on they wait as long as it takes.
    """
    from ops.engines.dynamodb_local import dynamodb_endpoint
    from processors.runtime import wiring

    patient = wiring._CLIENT_CONFIG.merge(Config(connect_timeout=60, read_timeout=60))
    with mock.patch.object(wiring, "_CLIENT_CONFIG", patient), dynamodb_endpoint() as endpoint:
        yield endpoint


@pytest.fixture(
    params=[
        pytest.param("moto", id="moto"),
        pytest.param("local-statements", id="dynamodb-local-statements", marks=pytest.mark.engine),
        pytest.param("local-items", id="dynamodb-local-items", marks=pytest.mark.engine),
    ]
)
def backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Backend]:
    """Fresh tables and queues. On moto, and on the real engine with either way of writing and either index."""
    endpoint = None if request.param == "moto" else request.getfixturevalue("dynamodb_local")
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    environment = {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled",  # moto does not know the account's own endpoints
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    if endpoint is not None:
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", endpoint)
    name = uuid4().hex
    with mock_aws():
        dynamodb = boto3.client("dynamodb")
        streams = boto3.client("dynamodbstreams", **({} if endpoint is None else {"endpoint_url": endpoint}))
        sqs = boto3.client("sqs")
        made = Backend(
            dynamodb=dynamodb,
            streams=streams,
            sqs=sqs,
            sessions_table=f"sessions-{name}",
            projections_table=f"projections-{name}",
            events_queue=sqs.create_queue(QueueName=f"events-{name}")["QueueUrl"],
            commands_queue=sqs.create_queue(QueueName=f"commands-{name}")["QueueUrl"],
            rejected_queue=sqs.create_queue(QueueName=f"rejected-{name}")["QueueUrl"],
            batch_statements=request.param == "local-statements",
        )
        create_tables(
            dynamodb,
            made.sessions_table,
            made.projections_table,
            index_projection="KEYS_ONLY" if request.param == "local-items" else "ALL",
        )
        monkeypatch.setenv("SESSIONS_TABLE", made.sessions_table)
        monkeypatch.setenv("PROJECTIONS_TABLE", made.projections_table)
        monkeypatch.setenv("SESSION_COMMANDS_QUEUE_URL", made.commands_queue)
        monkeypatch.setenv("REJECTED_EVENTS_QUEUE_URL", made.rejected_queue)
        monkeypatch.setenv("DYNAMODB_BATCH_STATEMENTS", str(made.batch_statements).lower())
        yield made
        if endpoint is not None:
            for table_name in (made.sessions_table, made.projections_table):
                dynamodb.delete_table(TableName=table_name)


def sqs_record(event: Event | dict[str, Any] | str, message_id: str | None = None) -> dict[str, Any]:
    """A record of an SQS batch, as Lambda hands it over; sent an hour after the tests' noon."""
    if isinstance(event, str):
        body = event
    elif isinstance(event, dict):
        body = json.dumps(event)
    else:
        fields = event.model_dump(mode="json", exclude_none=True)
        if isinstance(event, LoginEvent) and event.access_token is not None:
            fields["access_token"] = event.access_token.get_secret_value()
        body = json.dumps(fields)
    sent_at = int(at(60).timestamp() * 1000)
    return {
        "messageId": message_id or str(uuid4()),
        "receiptHandle": "handle",
        "body": body,
        "attributes": {"SentTimestamp": str(sent_at), "ApproximateReceiveCount": "1"},
        "messageAttributes": {},
        "md5OfBody": "",
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:{REGION}:123456789012:session-events",
        "awsRegion": REGION,
    }
