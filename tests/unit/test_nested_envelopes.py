"""Envelopes that people put around events, in any nesting; and what the reason says where there is no event."""

import base64
import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.envelopes import IgnoredEvent, RejectedEvent, read_body, read_events
from providers.texts import MAX_DECOMPRESSED_BYTES
from schemas.errors import RejectedEventError

LOGIN = {
    "event_id": "login-1",
    "event_type": "login",
    "occurred_at": "2026-03-01T10:20:30Z",
    "customer_id": "customer-1",
    "session_id": "session-1",
}


def base64_of(text: str, *, compressed: bool = False) -> str:
    content = gzip.compress(text.encode()) if compressed else text.encode()
    return base64.b64encode(content).decode()


def token_of(text: str) -> str:
    parts = (json.dumps({"alg": "RS256"}), text, "signature")
    return ".".join(base64.urlsafe_b64encode(part.encode()).rstrip(b"=").decode() for part in parts)


def log_batch(*messages: str, kind: str = "DATA_MESSAGE") -> dict[str, Any]:
    events = [{"id": f"log-{n}", "timestamp": 1772360430000, "message": text} for n, text in enumerate(messages)]
    return {"messageType": kind, "owner": "123456789012", "logGroup": "g", "logStream": "s", "logEvents": events}


WRAPPERS: dict[str, Callable[[str], str]] = {
    "CloudWatch Logs batch": lambda text: json.dumps(log_batch(text)),
    "CloudWatch Logs data": lambda text: json.dumps(
        {"awslogs": {"data": base64_of(json.dumps(log_batch(text)), compressed=True)}}
    ),
    "base64 of gzip": lambda text: base64_of(text, compressed=True),
    "API Gateway": lambda text: json.dumps({"body": text, "isBase64Encoded": False, "requestContext": {}}),
    "function URL": lambda text: json.dumps({"body": base64_of(text), "isBase64Encoded": True, "requestContext": {}}),
    "SQS record": lambda text: json.dumps({"messageId": "m", "body": text, "eventSource": "aws:sqs"}),
    "Kinesis record of Lambda": lambda text: json.dumps({"kinesis": {"data": base64_of(text)}}),
    "Kinesis record of Pipes": lambda text: json.dumps({"partitionKey": "k", "data": base64_of(text)}),
    "Firehose request": lambda text: json.dumps({"requestId": "r", "records": [{"data": base64_of(text)}]}),
    "CloudEvent": lambda text: json.dumps({"specversion": "1.0", "type": "x", "source": "/s", "id": "c", "data": text}),
    "EventBridge event, detail as text": lambda text: json.dumps({"source": "s", "detail-type": "x", "detail": text}),
    "SNS notification": lambda text: json.dumps({"Type": "Notification", "Message": text}),
    "token of a webhook": lambda text: json.dumps({"payload": token_of(text)}) if text.startswith("{") else text,
    "token of a webhook, with its event": lambda text: (
        json.dumps({"token": token_of(text), "event": "x"}) if text.startswith("{") else text
    ),
    "array": lambda text: f"[{text}]" if text.startswith("{") else text,
}


@pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=WRAPPERS)
def test_an_event_is_the_same_in_every_envelope(wrap: Any) -> None:
    assert read_body(wrap(json.dumps(LOGIN)), sent_at=None) == read_body(json.dumps(LOGIN), sent_at=None)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(sorted(WRAPPERS)), min_size=2, max_size=3))
def test_envelopes_nest_in_any_order(names: list[str]) -> None:
    text = json.dumps(LOGIN)
    for name in names:
        text = WRAPPERS[name](text)

    assert read_body(text, sent_at=None) == read_body(json.dumps(LOGIN), sent_at=None)


def test_nesting_has_a_bound() -> None:
    text = json.dumps(LOGIN)
    for _ in range(10):
        text = WRAPPERS["Kinesis record of Pipes"](text)

    with pytest.raises(RejectedEventError, match="wrapped too many times"):
        read_body(text, sent_at=None)


@pytest.mark.parametrize("layers", [1, 2])
def test_a_gzip_bomb_is_rejected(layers: int) -> None:
    text = json.dumps([LOGIN["event_id"]]) + " " * MAX_DECOMPRESSED_BYTES * 4
    for _ in range(layers):
        text = base64_of(text, compressed=True)

    with pytest.raises(RejectedEventError, match="decompresses to more than"):
        read_body(text, sent_at=None)


def test_many_small_bombs_share_one_budget() -> None:
    bomb = base64_of(" " * (MAX_DECOMPRESSED_BYTES // 2), compressed=True)

    results = read_events(json.dumps({"records": [{"data": bomb}] * 4}), sent_at=None)

    reasons = [result.error.reason for result in results if isinstance(result, RejectedEvent)]
    assert sum("decompresses to more than" in reason for reason in reasons) == 2


@pytest.mark.parametrize("data", ["!", "H4sIAAAA", base64.b64encode(b"\xff\xfe").decode()])
def test_data_that_cannot_be_decoded_is_rejected(data: str) -> None:
    with pytest.raises(RejectedEventError):
        read_body(json.dumps({"partitionKey": "k", "data": data}), sent_at=None)


def test_json_texts_one_after_another_are_events_of_their_own() -> None:
    results = read_events(json.dumps(LOGIN) + json.dumps(LOGIN | {"customer_id": 5}) + json.dumps(LOGIN), sent_at=None)

    assert [isinstance(result, RejectedEvent) for result in results] == [False, True, False]


@pytest.mark.parametrize("fault", ['"customer_id": "x"', '"n": NaN', '"n": 1e999'])
def test_a_fault_in_one_member_of_an_array_costs_that_member_only(fault: str) -> None:
    good = json.dumps(LOGIN)

    results = read_events(f"[{good}, {good[:-1]}, {fault}}}, {good}]", sent_at=None)

    assert [isinstance(result, RejectedEvent) for result in results] == [False, True, False]


@pytest.mark.parametrize(
    "body",
    [
        [],
        {"Records": []},
        {"kind": "admin#reports#activities"},
        {"cursor": "c", "has_more": False, "items": []},
        {"object": "list", "data": [], "list_metadata": {}},
        log_batch("ping", kind="CONTROL_MESSAGE"),
    ],
    ids=json.dumps,
)
def test_an_empty_page_is_ignored(body: object) -> None:
    [result] = read_events(json.dumps(body), sent_at=None)

    assert isinstance(result, IgnoredEvent)


TRAIL = {"eventSource": "s3.amazonaws.com", "eventName": "GetObject", "eventID": "e"}
AZURE = {"time": "2026-03-01T10:00:00Z", "category": "AuditLogs", "operationName": "Add user"}


@pytest.mark.parametrize("wrap", [lambda e: e, lambda e: [e], lambda e: {"Records": [e]}, lambda e: {"records": [e]}])
@pytest.mark.parametrize(("event", "family"), [(TRAIL, "cloudtrail"), (AZURE, "azure")])
def test_an_event_of_a_known_family_is_ignored_and_counted_wherever_it_stands(
    event: object, family: str, wrap: Any
) -> None:
    [result] = read_events(json.dumps(wrap(event)), sent_at=None)

    assert isinstance(result, IgnoredEvent)
    assert (result.provider, result.event_type) in {("cloudtrail", "GetObject"), ("azure", "AuditLogs")}
    assert result.provider == family


def test_a_plain_line_of_a_log_is_ignored_and_counted() -> None:
    assert read_events(json.dumps(log_batch("server started")), sent_at=None) == [
        IgnoredEvent("cloudwatch_logs", "line of text")
    ]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"Type": "SubscriptionConfirmation", "Token": "t", "SubscribeURL": "u"}, "SNS SubscriptionConfirmation"),
        ({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b"}, "S3 test notification"),
        (json.dumps(LOGIN), "encoded twice"),
        ({"requestContext": {}, "body": None}, "HTTP request without a body"),
        ({"hello": "world"}, "no event of \\d+ identity systems"),
        ({"eventType": "user.session.start", "published": "2026-03-01T10:00:00Z"}, "looks most like okta, but actor"),
    ],
    ids=range(6),
)
def test_a_reason_names_what_was_seen(body: object, reason: str) -> None:
    with pytest.raises(RejectedEventError, match=reason):
        read_body(json.dumps(body), sent_at=None)
