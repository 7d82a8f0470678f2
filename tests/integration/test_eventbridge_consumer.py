"""The EventBridge consumer through its handler."""

from typing import Any

import pytest

from processors import eventbridge_consumer
from processors.eventbridge_consumer import RetryLaterError
from tests.conftest import Backend


def event(detail_type: str = "Login", **detail: Any) -> dict[str, Any]:
    fields = {"event_id": "e1", "occurred_at": "2026-03-01T12:00:00Z", "customer_id": "c", "session_id": "s1"}
    return {
        "version": "0",
        "id": "envelope-id",
        "source": "example.identity",
        "detail-type": detail_type,
        "time": "2026-03-01T12:00:01Z",
        "detail": fields | detail,
    }


@pytest.mark.parametrize(
    ("given", "outcome"),
    [
        (event(), "applied"),
        (event("Logout"), "applied"),
        (event("LogoutAll"), "applied"),
        (event("Something else"), "ignored"),
        (event(event_type="logout"), "rejected"),
        (event(occurred_at="2026-03-01T12:05:01Z"), "rejected"),
        (event(occurred_at="2035-03-01T12:00:00Z") | {"time": "2035-03-01T12:00:01Z"}, "rejected"),
        (event(occurred_at="2026-02-14T12:00:00Z"), "applied"),
        (event(occurred_at="2026-02-14T11:59:59.999Z"), "rejected"),
        (event("Logout", occurred_at="2020-02-14T12:00:00Z"), "stale"),
        (event(occurred_at="2026-03-01T12:05:00Z"), "applied"),
        ({"detail": {}}, "rejected"),
    ],
)
def test_the_outcome_is_the_answer(backend: Backend, given: dict[str, Any], outcome: str) -> None:
    assert eventbridge_consumer.lambda_handler(given, None) == outcome
    assert len(backend.messages(backend.rejected_queue)) == (outcome == "rejected")


def test_a_second_delivery_is_a_duplicate(backend: Backend) -> None:
    eventbridge_consumer.lambda_handler(event(), None)

    assert eventbridge_consumer.lambda_handler(event() | {"id": "another", "replay-name": "r"}, None) == "duplicate"


def test_only_a_retry_raises(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RetryLaterError):
        eventbridge_consumer.lambda_handler(event("Logout", customer_id=None), None)
    monkeypatch.setenv("REJECTED_EVENTS_QUEUE_URL", backend.rejected_queue + "-gone")
    with pytest.raises(RetryLaterError):
        eventbridge_consumer.lambda_handler({"detail": {}}, None)

    assert backend.items() == []
