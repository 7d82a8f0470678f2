"""A bus, an archive and an agenda for tests of what publishes life-cycle events: on moto, with faults on demand."""

import gzip
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest

from processors.runtime import wiring
from tests.conftest import REGION, Backend

ACCOUNT = "123456789012"


@dataclass
class FaultyClient:
    """A client of which some entries fail: `PutEvents` and `PutRecordBatch` as AWS answers them.

    Args:
        client: The real one.
        code_of: Returns the error code of an entry's text, or None where it is accepted; it may raise.
    """

    client: Any
    code_of: Callable[[str], str | None]
    requests: int = 0

    def put_events(self, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803 # boto3's parameter
        self.requests += 1
        codes = [self.code_of(entry["Detail"]) for entry in Entries]
        good = [entry for entry, code in zip(Entries, codes, strict=True) if code is None]
        if good:
            self.client.put_events(Entries=good)
        return {"Entries": [{"EventId": "1"} if code is None else {"ErrorCode": code} for code in codes]}

    def put_record_batch(self, DeliveryStreamName: str, Records: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803 # boto3's parameters
        self.requests += 1
        codes = [self.code_of(record["Data"].decode()) for record in Records]
        good = [record for record, code in zip(Records, codes, strict=True) if code is None]
        if good:
            self.client.put_record_batch(DeliveryStreamName=DeliveryStreamName, Records=good)
        return {"RequestResponses": [{"RecordId": "1"} if code is None else {"ErrorCode": code} for code in codes]}


@dataclass
class OutletsOfATest:
    """What the handlers publish to, and how to read it back."""

    backend: Backend
    monkeypatch: pytest.MonkeyPatch
    agenda_table: str
    bucket: str
    queue: str
    faulty: dict[str, FaultyClient] = field(default_factory=dict)

    def published(self) -> list[dict[str, Any]]:
        """Take every EventBridge event that the bus delivered."""
        return self.backend.messages(self.queue)

    def details(self) -> list[dict[str, Any]]:
        return [event["detail"] for event in self.published()]

    def kinds(self) -> list[str]:
        return sorted(detail["kind"] for detail in self.details())

    def agenda(self) -> list[dict[str, Any]]:
        return self.backend.items(self.agenda_table)

    def objects(self, prefix: str) -> dict[str, str]:
        """The objects of the bucket under a prefix, as text."""
        s3 = boto3.client("s3")
        keys = [found["Key"] for found in s3.list_objects_v2(Bucket=self.bucket, Prefix=prefix).get("Contents", ())]
        bodies = {key: s3.get_object(Bucket=self.bucket, Key=key)["Body"].read() for key in keys}
        return {key: (gzip.decompress(body) if key.endswith(".gz") else body).decode() for key, body in bodies.items()}

    def lines(self, prefix: str) -> list[Any]:
        return [json.loads(line) for text in self.objects(prefix).values() for line in text.splitlines()]

    def logical_ids(self) -> dict[str, str]:
        """The resources of template.yaml that these stand for, by name."""
        return {
            os.environ["SESSIONS_BUS_NAME"]: "SessionsEventBus",
            os.environ["EXPIRY_AGENDA_TABLE"]: "ExpiryAgendaTable",
            os.environ["ARCHIVE_STREAM_NAME"]: "ArchiveStream",
            os.environ["FAILED_BATCHES_BUCKET"]: "FailedBatchesBucket",
        }

    def fail(self, service: str, code_of: Callable[[str], str | None]) -> FaultyClient:
        """Let entries of the bus (`events`) or the archive (`firehose`) fail."""
        self.faulty[service] = FaultyClient(boto3.client(service), code_of)  # type: ignore[call-overload] # one of two
        real = wiring.client
        self.monkeypatch.setattr(wiring, "client", lambda name: self.faulty.get(name) or real(name))
        return self.faulty[service]


def make_outlets(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> OutletsOfATest:
    """Make bus, archive, agenda and bucket, and point the handlers' environment at them."""
    name = backend.sessions_table[-12:]
    outlets = OutletsOfATest(
        backend,
        monkeypatch,
        f"agenda-{name}",
        f"kept-{name}",
        backend.sqs.create_queue(QueueName=f"out-{name}")["QueueUrl"],
    )
    _make_bus(f"bus-{name}", f"arn:aws:sqs:{REGION}:{ACCOUNT}:out-{name}")
    backend.dynamodb.create_table(
        TableName=outlets.agenda_table,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in ("PK", "SK")],
        KeySchema=[{"AttributeName": "PK", "KeyType": "HASH"}, {"AttributeName": "SK", "KeyType": "RANGE"}],
    )
    boto3.client("s3").create_bucket(
        Bucket=outlets.bucket,
        CreateBucketConfiguration={"LocationConstraint": REGION},  # type: ignore[typeddict-item] # the tests' region
    )
    firehose: Any = boto3.client("firehose")
    firehose.create_delivery_stream(
        DeliveryStreamName=f"archive-{name}",
        ExtendedS3DestinationConfiguration={
            "RoleARN": f"arn:aws:iam::{ACCOUNT}:role/archive",
            "BucketARN": f"arn:aws:s3:::{outlets.bucket}",
            "Prefix": "archived/",
        },
    )
    settings = {
        "SESSIONS_BUS_NAME": f"bus-{name}",
        "EXPIRY_AGENDA_TABLE": outlets.agenda_table,
        "ARCHIVE_STREAM_NAME": f"archive-{name}",
        "FAILED_BATCHES_BUCKET": outlets.bucket,
        "EXPIRY_INTERVAL_SECONDS": "60",
    }
    for variable, value in settings.items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setattr("processors.runtime.clock.sleep", lambda seconds: None)
    return outlets


def _make_bus(bus: str, queue_arn: str) -> None:
    events = boto3.client("events")
    events.create_event_bus(Name=bus)
    events.put_rule(Name=bus, EventBusName=bus, EventPattern=json.dumps({"source": ["session-events"]}))
    events.put_targets(Rule=bus, EventBusName=bus, Targets=[{"Id": "queue", "Arn": queue_arn}])
