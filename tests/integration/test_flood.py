"""A flood of logouts of unknown sessions delays itself, never a good event beside it: requests are counted."""

import json
from collections import Counter
from typing import Any

import pytest

from processors import sqs_consumer
from processors.register.searches import SEARCHES_A_MESSAGE
from tests.conftest import at, login, logout, sqs_record
from tests.in_memory_clients import InMemoryDynamoDb, InMemorySqs, use_in_memory_clients

MESSAGES, LOGOUTS = 25, 1_800
KEYS_A_SELECT = 50


@pytest.fixture
def dynamodb(monkeypatch: pytest.MonkeyPatch) -> InMemoryDynamoDb:
    made = InMemoryDynamoDb()
    use_in_memory_clients(monkeypatch, made, InMemorySqs())
    monkeypatch.setenv("DYNAMODB_BATCH_STATEMENTS", "true")
    monkeypatch.setattr("processors.runtime.wiring.CONCURRENCY", 1)
    return made


def flood(fields: dict[str, str], *, messages: int = MESSAGES, receive_count: int = 1) -> list[dict[str, Any]]:
    """Messages that each hold a list of logouts of sessions that nobody knows."""
    records = []
    for message in range(messages):
        logouts = [
            {"event_id": f"e{message}-{number}", "event_type": "logout", "occurred_at": at(0).isoformat()}
            | {"session_id": f"u{message}-{number}"}
            | fields
            for number in range(LOGOUTS)
        ]
        record = sqs_record(json.dumps(logouts), f"flood-{message}")
        record["attributes"]["ApproximateReceiveCount"] = str(receive_count)
        records.append(record)
    return records


def consume(records: list[dict[str, Any]], context: object = None) -> set[str]:
    """Take a batch; the messages to deliver again."""
    answer = sqs_consumer.lambda_handler({"Records": records}, context)
    return {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}


def operations(dynamodb: InMemoryDynamoDb) -> list[str]:
    return [request.operation for request in dynamodb.requests if request.table == "sessions"]


@pytest.mark.parametrize("fields", [{}, {"customer_id": "c"}], ids=["without customer", "with customer"])
def test_a_login_beside_a_flood_of_unknown_logouts_is_written_before_any_of_them_is_searched_for(
    dynamodb: InMemoryDynamoDb, fields: dict[str, str]
) -> None:
    good = sqs_record(login("good"), "good")

    failed = consume([*flood(fields), good])

    # the list of erased customers comes first
    assert operations(dynamodb)[:3] == ["Query", "BatchGetItem", "BatchExecuteStatement"]
    assert {"PK": {"S": "suuid#good"}, "SK": {"S": "c#customer-1"}}.items() <= dynamodb.items("sessions")[0].items()
    assert failed == {f"flood-{number}" for number in range(MESSAGES)}


@pytest.mark.parametrize(
    ("fields", "searches_of_an_event"), [({}, 2), ({"customer_id": "c"}, 1)], ids=["without customer", "with customer"]
)
def test_a_delivery_searches_within_the_budget_of_each_message_and_50_keys_a_request(
    dynamodb: InMemoryDynamoDb, fields: dict[str, str], searches_of_an_event: int
) -> None:
    consume(flood(fields))

    requests = Counter(operations(dynamodb))
    selects = MESSAGES * SEARCHES_A_MESSAGE // KEYS_A_SELECT * searches_of_an_event
    assert requests["ExecuteStatement"] == selects
    assert requests["Query"] == 1  # of the list of erased customers
    assert requests.total() <= (0.03 if searches_of_an_event == 2 else 0.04) * MESSAGES * LOGOUTS


def test_a_flood_that_names_a_customer_is_done_after_four_deliveries(dynamodb: InMemoryDynamoDb) -> None:
    failed = [consume(flood({"customer_id": "c"}, messages=2, receive_count=count)) for count in (1, 2, 3, 4)]

    assert [len(messages) for messages in failed] == [2, 2, 2, 0]
    assert len(dynamodb.items("sessions")) == 2 * LOGOUTS
    assert operations(dynamodb).count("ExecuteStatement") <= 4 * 2 * SEARCHES_A_MESSAGE // KEYS_A_SELECT


def test_where_time_runs_out_during_a_flood_the_login_beside_it_was_written(dynamodb: InMemoryDynamoDb) -> None:
    class Context:
        looks = 6

        def get_remaining_time_in_millis(self) -> int:
            self.looks -= 1
            return 30_000 if self.looks > 0 else 0

    failed = consume([*flood({}), sqs_record(login("good"), "good")], Context())

    assert "good" not in failed
    assert [item["session_id"] for item in dynamodb.items("sessions")] == [{"S": "good"}]


def test_logouts_that_came_before_their_login_cost_at_most_0_2_requests_each(dynamodb: InMemoryDynamoDb) -> None:
    logouts = [sqs_record(logout(f"early-{number}", f"c{number}")) for number in range(200)]

    failed = consume(logouts)

    assert failed == set()
    assert len(dynamodb.items("sessions")) == 200
    assert len(operations(dynamodb)) <= 0.2 * 200
