"""Stream records that nobody here can read are set aside in Lambda's own form, and hold up nothing else."""

import json
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from processors import stream_projector
from tests.conftest import NOW, REGION, Backend, at, login

pytestmark = pytest.mark.usefixtures("clock_of_the_tests")

CONTEXT = SimpleNamespace(
    function_name="projector",
    aws_request_id="request-1",
    invoked_function_arn="arn:aws:lambda:eu-west-1:123456789012:function:projector",
    function_version="$LATEST",
)


@pytest.fixture
def bucket(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> str:
    name = f"failed-{backend.sessions_table[-12:]}"
    boto3.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})  # type: ignore[typeddict-item] # the tests' region
    monkeypatch.setenv("FAILED_BATCHES_BUCKET", name)
    return name


def objects(bucket: str) -> dict[str, Any]:
    s3 = boto3.client("s3")
    keys = [found["Key"] for found in s3.list_objects_v2(Bucket=bucket).get("Contents", ())]
    return {key: json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read()) for key in keys}


def records_with_a_damaged_one(backend: Backend) -> list[dict[str, Any]]:
    backend.sessions.create_session(login("first"))
    stream_projector.lambda_handler({"Records": backend.stream_records()}, None)
    for name in ("a", "b", "c"):
        backend.sessions.create_session(login(name))
    records = backend.stream_records()[1:]
    records[1]["dynamodb"]["NewImage"]["item_format"] = {"N": "2"}
    return records


def test_an_unreadable_record_is_set_aside_whole_and_reported_as_done(backend: Backend, bucket: str) -> None:
    records = records_with_a_damaged_one(backend)

    response = stream_projector.lambda_handler({"Records": records}, CONTEXT)

    assert response == {"batchItemFailures": []}
    [(key, content)] = objects(bucket).items()
    assert key.startswith("aws/lambda/projector/set-aside/20")
    assert json.loads(content["payload"]) == {"Records": [json.loads(json.dumps(records[1], default=str))]}
    number = records[1]["dynamodb"]["SequenceNumber"]
    assert content["requestContext"] == {
        "requestId": "request-1",
        "functionArn": CONTEXT.invoked_function_arn,
        "condition": "RecordUnreadable",
        "approximateInvokeCount": 1,
    }
    info = content["DDBStreamBatchInfo"]
    assert (info["startSequenceNumber"], info["endSequenceNumber"], info["batchSize"]) == (number, number, 1)
    activity = backend.projections.get_customer_activity("customer-1", now=at(1))
    assert activity.session_ids == ["a", "c", "first"]


def test_a_record_delivered_again_is_set_aside_once(backend: Backend, bucket: str) -> None:
    records = records_with_a_damaged_one(backend)

    for _ in range(2):
        stream_projector.lambda_handler({"Records": records}, CONTEXT)

    assert len(objects(bucket)) == 1


def test_a_record_that_cannot_be_set_aside_fails(
    backend: Backend, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = records_with_a_damaged_one(backend)
    monkeypatch.setenv("FAILED_BATCHES_BUCKET", bucket + "-gone")

    response = stream_projector.lambda_handler({"Records": records}, CONTEXT)

    assert response == {"batchItemFailures": [{"itemIdentifier": records[1]["dynamodb"]["SequenceNumber"]}]}


def test_a_record_without_number_fails_its_batch_even_where_others_can_be_set_aside(
    backend: Backend, bucket: str
) -> None:
    records = [*records_with_a_damaged_one(backend), {"eventName": "INSERT"}]

    response = stream_projector.lambda_handler({"Records": records}, CONTEXT)

    assert response == {"batchItemFailures": [{"itemIdentifier": ""}]}
    assert len(objects(bucket)) == 1


def test_a_customer_whose_projection_cannot_be_read_holds_up_no_other(backend: Backend, bucket: str) -> None:
    backend.sessions.apply([login("a"), login("b", "customer-2")])
    backend.dynamodb.put_item(
        TableName=backend.projections_table, Item={"PK": {"S": "c#customer-1"}, "sessions": {"S": "x"}}
    )

    response = stream_projector.lambda_handler({"Records": backend.stream_records()}, CONTEXT)

    assert response == {"batchItemFailures": []}
    assert backend.projections.get_customer_activity("customer-2", now=NOW).session_ids == ["b"]
    [content] = objects(bucket).values()
    [record] = json.loads(content["payload"])["Records"]
    assert record["dynamodb"]["NewImage"]["customer_id"] == {"S": "customer-1"}


def test_a_session_item_that_cannot_be_read_again_holds_up_no_other(backend: Backend, bucket: str) -> None:
    backend.sessions.apply([login("a"), login("b")])
    key = {"PK": {"S": "suuid#a"}, "SK": {"S": "c#customer-1"}}
    records = backend.stream_records()
    backend.dynamodb.update_item(
        TableName=backend.sessions_table,
        Key=key,
        UpdateExpression="SET item_format = :x",
        ExpressionAttributeValues={":x": {"N": "2"}},
    )

    response = stream_projector.lambda_handler({"Records": records}, CONTEXT)

    assert response == {"batchItemFailures": []}
    assert backend.projections.get_customer_activity("customer-1", now=NOW).session_ids == ["b"]
    assert len(objects(bucket)) == 1
