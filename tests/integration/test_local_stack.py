"""The local stack at work: every kind of event source, with handlers that fail on demand."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ops.local_stack.stack import LocalStack
from tests.integration import stub_handlers

STUB_TEMPLATE = Path(__file__).with_name("stub-template.yaml")
DRAIN_SECONDS = 20


@pytest.fixture(scope="module")
def stub() -> Iterator[LocalStack]:
    """A stack of stub handlers that retries at once."""
    with LocalStack(template=STUB_TEMPLATE, retry_after_seconds=0, ttl_sweep_seconds=0.1) as stack:
        yield stack


@pytest.fixture(autouse=True)
def _forget_calls() -> None:
    stub_handlers.calls.clear()


def send(stack: LocalStack, *bodies: dict[str, Any]) -> None:
    for start in range(0, len(bodies), 10):
        entries = [{"Id": str(i), "MessageBody": json.dumps(b)} for i, b in enumerate(bodies[start : start + 10])]
        stack.client("sqs").send_message_batch(QueueUrl=stack.outputs["QueueUrl"], Entries=entries)


def put_event(stack: LocalStack, **detail: Any) -> None:
    entry = {
        "EventBusName": stack.outputs["BusName"],
        "Source": "test",
        "DetailType": "Taken",
        "Detail": json.dumps(detail),
    }
    stack.client("events").put_events(Entries=[entry])


def bodies_in(stack: LocalStack, output: str) -> list[dict[str, Any]]:
    response = stack.client("sqs").receive_message(QueueUrl=stack.outputs[output], MaxNumberOfMessages=10)
    return [json.loads(message["Body"]) for message in response.get("Messages", [])]


def objects_in(stack: LocalStack) -> dict[str, Any]:
    s3, bucket = stack.client("s3"), stack.outputs["BucketName"]
    keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]
    return {key: json.load(s3.get_object(Bucket=bucket, Key=key)["Body"]) for key in keys}


def calls_of(handler: str) -> list[Any]:
    return [given for name, given in stub_handlers.calls if name == handler]


@pytest.mark.parametrize("run", range(3))
def test_drained_means_that_every_effect_of_every_message_is_there(stub: LocalStack, run: int) -> None:
    keys = [f"drain-{run}-{number}" for number in range(60)]

    send(stub, *[{"key": key} for key in keys])
    stub.wait_until_drained(DRAIN_SECONDS)

    projected = [key for batch in calls_of("project") for _, key in batch]
    assert sorted(projected) == sorted(keys)


def test_a_poison_message_ends_in_the_dead_letter_queue_and_holds_up_no_other(stub: LocalStack) -> None:
    send(stub, {"key": "poison", "fails": True}, {"key": "good"})
    stub.wait_until_drained(DRAIN_SECONDS)

    attempts = [body for batch in calls_of("consume") for body in batch if body["key"] == "poison"]
    assert len(attempts) == 3
    assert bodies_in(stub, "DeadLettersUrl") == [{"key": "poison", "fails": True}]
    assert ("INSERT", "good") in calls_of("project")[0]


def test_a_stream_record_that_cannot_be_projected_ends_in_the_bucket_alone(stub: LocalStack) -> None:
    send(stub, *[{"key": key} for key in ("before", "unprojectable", "after")])
    stub.wait_until_drained(DRAIN_SECONDS)

    [(name, record)] = objects_in(stub).items()
    [lost] = json.loads(record["payload"])["Records"]
    assert name.startswith("aws/lambda/")
    assert record["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert lost["dynamodb"]["Keys"] == {"PK": {"S": "unprojectable"}}
    assert calls_of("project").count([("INSERT", "unprojectable")]) >= 2


def test_an_event_from_the_bus_reaches_the_function_whole(stub: LocalStack) -> None:
    put_event(stub, key="e", text='<id> "quoted"')
    stub.wait_until_drained(DRAIN_SECONDS)

    [event] = calls_of("take")
    assert event["detail"] == {"key": "e", "text": '<id> "quoted"'}
    assert (event["account"], event["region"]) == ("123456789012", "us-east-1")
    assert set(event) == {
        *("version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail")
    }


def test_an_event_that_a_function_fails_on_is_retried_and_then_discarded(stub: LocalStack) -> None:
    put_event(stub, fails=True)
    stub.wait_until_drained(DRAIN_SECONDS)

    [record] = bodies_in(stub, "DiscardedEventsUrl")
    assert len(calls_of("take")) == 2
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestPayload"]["detail"] == {"fails": True}


def test_an_item_past_its_time_to_live_is_deleted_and_one_before_it_is_not(stub: LocalStack) -> None:
    now = int(time.time())
    send(stub, {"key": "expired", "ttl": now - 5}, {"key": "fresh", "ttl": now + 600}, {"key": "no ttl"})
    give_up_at = time.monotonic() + DRAIN_SECONDS
    while ("REMOVE", "expired") not in [r for batch in calls_of("project") for r in batch]:
        assert time.monotonic() < give_up_at
        time.sleep(0.02)

    items = stub.client("dynamodb").scan(TableName=stub.outputs["TableName"])["Items"]
    keys = {item["PK"]["S"] for item in items}
    assert {"fresh", "no ttl"} <= keys
    assert "expired" not in keys
