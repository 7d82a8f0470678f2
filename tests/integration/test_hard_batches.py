"""Batches in which everything goes wrong at once: the right result all the same, and no event lost.

Faults are injected in front of the engine, through the event hooks of the handlers' own clients.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from processors import sqs_consumer, stream_projector
from processors.runtime import wiring
from schemas.outcomes import Outcome
from schemas.times import to_epoch_milliseconds
from tests.conftest import NOW, Backend, login, logout, sqs_record

pytestmark = pytest.mark.usefixtures("clock_of_the_tests")

WRITES = ("BatchExecuteStatement", "PutItem", "UpdateItem")


def consume(*events: Any) -> list[str]:
    """Hand events to the consumer; the ids of the messages to deliver again."""
    records = [sqs_record(event, message_id=f"message-{number}") for number, event in enumerate(events)]
    answer = sqs_consumer.lambda_handler({"Records": records}, None)
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def operation_of(request: Any) -> str:
    return str(request.headers["X-Amz-Target"], "ascii").partition(".")[2]


@contextmanager
def before_sending(intervene: Callable[[Any], None]) -> Iterator[None]:
    """Let a function see every DynamoDB request of the handlers; what it raises comes in place of the answer."""
    events = wiring.client("dynamodb").meta.events

    def hook(request: Any, **_: Any) -> None:
        intervene(request)

    events.register_first("before-send.dynamodb", hook)
    try:
        yield
    finally:
        events.unregister("before-send.dynamodb", hook)


@pytest.fixture
def without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries at once: botocore's, and the write loop's."""
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda seconds: None)
    monkeypatch.setattr("processors.aws.item_store.random.uniform", lambda low, high: 0.0)


def test_a_batch_of_what_is_known_already_is_read_once_and_not_written(backend: Backend) -> None:
    events = [login(f"s{number}", f"customer-{number % 7}") for number in range(120)]
    consume(*events)
    asked: list[str] = []

    with before_sending(lambda request: asked.append(operation_of(request))):
        failures = consume(*events)

    assert failures == []
    assert asked == ["BatchGetItem"] * 2
    assert len(backend.stream_records()) == 120


def test_a_batch_in_which_every_condition_fails_is_decided_anew(backend: Backend) -> None:
    logouts = [logout(f"s{number}") for number in range(60)]
    consume(*(login(f"s{number}") for number in range(60)))
    rivals = [[login(f"s{number}", minute=5) for number in range(60)]]
    lock = Lock()
    asked: list[str] = []

    def overtake(request: Any) -> None:
        asked.append(operation_of(request))
        if operation_of(request) in WRITES:
            with lock:  # no write goes out before the rival's are done
                if rivals:
                    backend.sessions.apply(rivals.pop())

    with before_sending(overtake):
        failures = consume(*logouts)

    assert failures == []
    assert asked.count("BatchGetItem") == 2
    assert len([name for name in asked if name in WRITES]) == 2 * (3 if backend.batch_statements else 60)
    states = {(item["session_state"]["S"], item["last_login_event_id"]["S"][-2:]) for item in backend.items()}
    assert states == {("closing", "-5")}


@pytest.mark.usefixtures("without_waiting")
def test_a_request_that_is_throttled_whole_fails_its_own_events_and_no_other(backend: Backend) -> None:
    events = [login(f"s{number:02}") for number in range(60)]

    def throttle(request: Any) -> None:
        if operation_of(request) in WRITES and b"suuid#s30" in request.body:
            raise ClientError({"Error": {"Code": "ThrottlingException"}}, operation_of(request))

    with before_sending(throttle):
        failures = consume(*events)

    assert "message-30" in failures
    assert len(failures) == (25 if backend.batch_statements else 1)
    assert len(backend.items()) == 60 - len(failures)
    assert consume(*events) == []
    assert len(backend.items()) == 60


@pytest.mark.usefixtures("without_waiting")
def test_a_request_that_times_out_after_it_was_applied_ends_in_the_same_items(backend: Backend) -> None:
    events = [login(f"s{number:02}") for number in range(60)]
    lost: list[Any] = []

    def apply_and_lose_the_answer(request: Any) -> None:
        if operation_of(request) in WRITES and b"suuid#s30" in request.body and not lost:
            lost.append(request)
            backend.sessions.apply(events)
            raise ReadTimeoutError(endpoint_url=request.url)

    with before_sending(apply_and_lose_the_answer):
        failures = consume(*events)

    assert len(lost) == 1
    assert failures == []
    assert [item["version"]["N"] for item in backend.items()] == [str(to_epoch_milliseconds(NOW))] * 60


@pytest.mark.usefixtures("without_waiting")
def test_a_table_that_never_answers_in_time_leaves_every_event_to_be_delivered_again(backend: Backend) -> None:
    def lose(request: Any) -> None:
        raise ReadTimeoutError(endpoint_url=request.url)

    with before_sending(lose):
        failures = consume(*(login(f"s{number}") for number in range(30)))

    assert sorted(failures) == sorted(f"message-{number}" for number in range(30))
    assert backend.items() == []


def project(records: list[dict[str, Any]]) -> list[str]:
    """Hand records to the projector; the sequence numbers to deliver again from."""
    answer = stream_projector.lambda_handler({"Records": records}, None)
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


@pytest.mark.usefixtures("without_waiting")
def test_projections_whose_write_is_throttled_whole_are_delivered_again_and_come_out_right(backend: Backend) -> None:
    consume(*(login(f"s{number:02}", f"customer-{number:02}") for number in range(60)))
    records = backend.stream_records()
    [failing] = [r["dynamodb"]["SequenceNumber"] for r in records if r["dynamodb"]["Keys"]["PK"]["S"] == "suuid#s30"]

    def throttle(request: Any) -> None:
        if operation_of(request) in WRITES and b"customer-30" in request.body:
            raise ClientError({"Error": {"Code": "ThrottlingException"}}, operation_of(request))

    with before_sending(throttle):
        failures = project(records)

    written = len(backend.items(backend.projections_table))
    assert len(failures) == 1
    assert int(failures[0]) <= int(failing)
    assert written == (60 - 25 if backend.batch_statements else 59)
    assert project(records) == []
    assert {item["session_count"]["N"] for item in backend.items(backend.projections_table)} == {"1"}
    assert len(backend.items(backend.projections_table)) == 60


@pytest.mark.usefixtures("without_waiting")
def test_a_projection_whose_write_times_out_after_it_was_applied_counts_once(backend: Backend) -> None:
    consume(*(login(f"s{number:02}") for number in range(60)))
    records = backend.stream_records()
    lost: list[Any] = []

    def apply_and_lose_the_answer(request: Any) -> None:
        if operation_of(request) in WRITES and not lost:
            lost.append(request)
            assert project(records) == []
            raise ReadTimeoutError(endpoint_url=request.url)

    with before_sending(apply_and_lose_the_answer):
        failures = project(records)

    [projection] = backend.items(backend.projections_table)
    assert len(lost) == 1
    assert failures == []
    assert projection["session_count"]["N"] == "60"


def test_a_batch_of_six_megabytes_is_applied_whole(backend: Backend) -> None:
    padding = "x" * 61_000
    bodies = [
        login(f"s{number}").model_dump(mode="json", exclude_none=True) | {"future_field": padding}
        for number in range(100)
    ]
    assert sum(len(json.dumps(body)) for body in bodies) > 6_000_000

    assert consume(*bodies) == []
    assert len(backend.items()) == 100


def test_items_of_the_largest_events_are_written_though_a_request_is_larger(backend: Backend) -> None:
    events = [
        login(
            f"{number:03}" + "é" * 160,
            "c" * 256,
            client={"user_agent": "u" * 256, "device_id": "d" * 256, "ip": "i" * 64, "country": "c" * 64},
            source="s" * 128,
            event_id=f"{number:03}" + "e" * 250,
        )
        for number in range(60)
    ]

    assert backend.sessions.apply(events) == [Outcome.APPLIED] * 60
    assert backend.sessions.apply(events) == [Outcome.DUPLICATE] * 60
