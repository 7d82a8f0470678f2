"""The SQS consumer through its handler: every record one outcome, whatever else is in the batch."""

import json
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError

from processors import sqs_consumer
from processors.runtime import wiring
from tests.conftest import Backend, at, login, logout, sqs_record

TOKEN = "tok-3f1c9a77-secret"


class Context:
    """A Lambda context with so many milliseconds left."""

    def __init__(self, milliseconds: int = 30_000) -> None:
        self.milliseconds = milliseconds

    def get_remaining_time_in_millis(self) -> int:
        return self.milliseconds


def consume(*records: dict[str, Any], context: Context | None = None) -> dict[str, Any]:
    return sqs_consumer.lambda_handler({"Records": list(records)}, context or Context())


def test_one_bad_record_among_a_hundred_changes_nothing_for_the_others(
    backend: Backend, capsys: pytest.CaptureFixture[str]
) -> None:
    records = [sqs_record(login(f"s{number}", access_token=TOKEN)) for number in range(99)]
    bad = sqs_record({"event_id": "bad-1", "event_type": "login", "customer_id": "c", "access_token": TOKEN})

    response = consume(*records[:50], bad, *records[50:])

    assert response == {"batchItemFailures": []}
    assert len(backend.items()) == 99
    [rejected] = backend.messages(backend.rejected_queue)
    assert rejected["reason"] == "occurred_at is missing; session_id is missing"
    assert (rejected["event_id"], rejected["message_id"]) == ("bad-1", bad["messageId"])
    assert TOKEN not in json.dumps(rejected)
    assert TOKEN not in "".join(capsys.readouterr())


def test_outcomes_are_counted_as_metrics(backend: Backend, capsys: pytest.CaptureFixture[str]) -> None:
    far = at(60 * 24 * 30)

    consume(sqs_record(login(expires_at=far)), sqs_record(login(expires_at=far)), sqs_record("no json"))

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    [metrics] = [line for line in lines if "_aws" in line]
    assert metrics["service"] == "sqs_consumer"
    counts = {name: metrics[name] for name in ("applied", "duplicate", "rejected", "expiry_clipped", "logins")}
    assert counts == {
        "applied": [1.0],
        "duplicate": [1.0],
        "rejected": [1.0],
        "expiry_clipped": [1.0],
        "logins": [2.0],
    }


def test_a_logout_whose_session_is_not_here_yet_is_the_only_retry(backend: Backend) -> None:
    early = sqs_record(logout("unknown", None))

    response = consume(sqs_record(login("a")), early, sqs_record(login("b")))

    assert response == {"batchItemFailures": [{"itemIdentifier": early["messageId"]}]}
    assert len(backend.items()) == 2


def test_an_event_of_another_kind_is_ignored(backend: Backend) -> None:
    record = sqs_record({"event_id": "e", "event_type": "password_changed", "occurred_at": "2026-03-01T12:00:00Z"})

    assert consume(record) == {"batchItemFailures": []}
    assert backend.items() == []
    assert backend.messages(backend.rejected_queue) == []


def test_a_rejected_queue_that_cannot_be_reached_makes_the_record_a_retry(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REJECTED_EVENTS_QUEUE_URL", backend.rejected_queue + "-gone")
    bad = sqs_record("no json")

    response = consume(sqs_record(login()), bad)

    assert response == {"batchItemFailures": [{"itemIdentifier": bad["messageId"]}]}
    assert len(backend.items()) == 1


def test_a_child_session_that_another_customer_claims_is_rejected_with_a_reason(backend: Backend) -> None:
    mine, other = (login("child", customer, parent_session_id="s1") for customer in ("customer-1", "customer-2"))

    assert consume(sqs_record(mine), sqs_record(other)) == {"batchItemFailures": []}

    [rejected] = backend.messages(backend.rejected_queue)
    assert "another customer" in rejected["reason"]


def test_near_the_deadline_the_rest_is_reported_as_retries(backend: Backend) -> None:
    records = [sqs_record(login(f"s{number}")) for number in range(3)]

    response = consume(*records, context=Context(milliseconds=500))

    assert [failure["itemIdentifier"] for failure in response["batchItemFailures"]] == [
        record["messageId"] for record in records
    ]
    assert backend.items() == []


@pytest.mark.parametrize(
    "operation", ["BatchGetItem", "PutItem", "UpdateItem", "Query", "BatchExecuteStatement", "ExecuteStatement"]
)
@pytest.mark.parametrize(
    "failure",
    [
        ClientError({"Error": {"Code": "ThrottlingException", "Message": "slow down"}}, "any"),
        ConnectTimeoutError(endpoint_url="http://192.0.2.1"),
    ],
    ids=["throttled", "unreachable"],
)
def test_a_failing_table_makes_retries_and_no_exception(backend: Backend, operation: str, failure: Exception) -> None:
    client = wiring.client("dynamodb")
    backend.sessions.create_session(login("known"))

    def fail(**_: Any) -> None:
        raise failure

    event_name = f"before-call.dynamodb.{operation}"
    client.meta.events.register(event_name, fail)
    try:
        response = consume(sqs_record(login("new")), sqs_record(logout("known")), sqs_record(logout("new", None)))
    finally:
        client.meta.events.unregister(event_name, fail)

    used = {"BatchGetItem", "Query"}
    used |= {"BatchExecuteStatement", "ExecuteStatement"} if backend.batch_statements else {"PutItem", "UpdateItem"}
    if operation not in used:
        assert response["batchItemFailures"] == []
    else:
        assert response["batchItemFailures"] != []
    again = consume(sqs_record(login("new")), sqs_record(logout("known")), sqs_record(logout("new", None)))
    assert again == {"batchItemFailures": []}
    assert {item["session_state"]["S"] for item in backend.items()} == {"closing"}


def test_every_envelope_is_taken(backend: Backend) -> None:
    detail = {"event_id": "e1", "occurred_at": "2026-03-01T12:00:00Z", "customer_id": "c", "session_id": "s1"}
    eventbridge = {
        "version": "0",
        "id": "envelope-id",
        "source": "example.identity",
        "detail-type": "Login",
        "time": "2026-03-01T12:00:01Z",
        "detail": detail,
    }
    notification = {"Type": "Notification", "MessageId": str(uuid4()), "Message": json.dumps(eventbridge)}
    bare_in_sns = {
        "Type": "Notification",
        "Message": json.dumps(detail | {"event_type": "login", "session_id": "s2"}),
    }
    without_id = eventbridge | {
        "detail": {name: detail[name] for name in detail if name != "event_id"} | {"session_id": "s3"}
    }

    response = consume(*(sqs_record(body) for body in (eventbridge, notification, bare_in_sns, without_id)))

    assert response == {"batchItemFailures": []}
    assert backend.sessions.get_session_ids_by_customer_id("c") == ["s1", "s2", "s3"]
    third = backend.sessions.get_session_by_session_id("s3", "c")
    assert third is not None
    assert third.last_login_event_id == "envelope-id"


def test_a_missing_setting_is_named_before_anything_is_done(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SESSIONS_TABLE")

    with pytest.raises(ValueError, match="SESSIONS_TABLE is not set"):
        consume(sqs_record(login()))

    assert backend.items() == []


def test_ten_thousand_records_are_one_invocation(backend: Backend) -> None:
    record = sqs_record(login())

    response = consume(*({**record, "messageId": str(number)} for number in range(10_000)))

    assert response == {"batchItemFailures": []}
    assert len(backend.items()) == 1
