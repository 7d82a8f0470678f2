"""What stayed behind: rejected events, dead letters, and tokens where none may be."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from moto import mock_aws

from ops.demo.token_search import places_with_tokens
from ops.inspection.leftovers import read_dead_letters, read_rejections
from processors.intake.rejections import rejection
from processors.intake.vocabulary import vocabulary
from schemas.errors import RejectedEventError

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
VOCABULARY = vocabulary()
LOGOUT = '{"event_id": "e-1", "event_type": "logout", "occurred_at": "2026-03-02T09:00:00Z", "session_id": "session-1"}'


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "example")
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SQS", "AWS_ENDPOINT_URL_DYNAMODB"):
        monkeypatch.delenv(name, raising=False)
    with mock_aws():
        yield


@pytest.fixture
def sqs() -> Any:
    return boto3.client("sqs", region_name="eu-west-1")


def queue_with(sqs: Any, *bodies: str) -> str:
    url: str = sqs.create_queue(QueueName="queue")["QueueUrl"]
    for body in bodies:
        sqs.send_message(QueueUrl=url, MessageBody=body)
    return url


def test_every_rejection_is_read_once_and_stays_in_the_queue(sqs: Any) -> None:
    errors = [RejectedEventError("customer_id is missing", event_id=f"e-{number}") for number in range(25)]
    url = queue_with(
        sqs, *(rejection(error, message_id="m", body="{}", now=NOW, vocabulary=VOCABULARY) for error in errors)
    )

    rejections = read_rejections(sqs, url)

    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    left = int(attributes["ApproximateNumberOfMessages"]) + int(attributes["ApproximateNumberOfMessagesNotVisible"])
    assert sorted(r.event_id or "" for r in rejections) == sorted(f"e-{number}" for number in range(25))
    assert {r.reason for r in rejections} == {"customer_id is missing"}
    assert left == 25


def test_a_dead_letter_shows_its_event_without_the_token(sqs: Any) -> None:
    login = json.loads(LOGOUT) | {"event_type": "login", "customer_id": "customer-1", "access_token": "example-token-1"}
    url = queue_with(sqs, LOGOUT, json.dumps(login))

    logout, with_token = read_dead_letters(sqs, url)

    assert json.loads(logout.event)["session_id"] == "session-1"
    assert "example-token" not in with_token.event


def test_a_dead_letter_that_is_no_event_says_what_is_wrong(sqs: Any) -> None:
    url = queue_with(sqs, "{", '{"event_type": "password_changed"}')

    broken, other = read_dead_letters(sqs, url)

    assert broken.event.startswith("no event: the body is not valid JSON")
    assert other.event == "an event of another kind"


def test_a_token_is_found_in_tables_and_texts_and_the_places_are_named() -> None:
    client = boto3.client("dynamodb", region_name="eu-west-1")
    for table, value in {"leaking": "example-token-1", "tight": "8f434346648f6b96"}.items():
        client.create_table(
            TableName=table,
            KeySchema=[{"AttributeName": "PK", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "PK", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        client.put_item(TableName=table, Item={"PK": {"S": "1"}, "nested": {"M": {"deep": {"S": value}}}})
    texts = {"log": ["fine", "got example-token-7"], "rejected": ["fine"]}

    places = places_with_tokens(client, ["leaking", "tight"], texts)

    assert places == ["table leaking", "log"]
