"""Asynchronous invocation: what EventBridge hands to a function."""

import json
from typing import Any

import pytest

from tests.simulation.event_sources.asynchronous import AsyncPoller, AsyncSettings, DiscardedEvent
from tests.simulation.event_sources.failure_records import asynchronous_invocation
from tests.simulation.in_memory_sources import FAILURE, NOON, Clock, Function, Queue, poll_until_idle

EVENT = {"id": "e-1", "detail-type": "Login", "detail": {}}


def run(function: Function, settings: AsyncSettings | None = None) -> tuple[list[DiscardedEvent], Clock, Queue]:
    queue, clock, discarded = Queue(json.dumps(EVENT)), Clock(), list[DiscardedEvent]()
    poller = AsyncPoller(settings or AsyncSettings(), queue, function, clock, discarded.append)
    poll_until_idle(poller, clock)
    return discarded, clock, queue


def test_the_function_gets_the_event_once_and_its_answer_goes_nowhere() -> None:
    function = Function("anything")

    discarded, _, queue = run(function)

    assert (function.events, discarded, queue.left) == ([EVENT], [], [])


def test_a_failed_event_is_tried_again_after_one_minute_and_after_two_more() -> None:
    times: list[float] = []
    clock = Clock()

    def respond(_: Any) -> Any:
        times.append(clock.now - NOON)
        return FAILURE if len(times) < 3 else None

    poller = AsyncPoller(AsyncSettings(), Queue(json.dumps(EVENT)), Function(respond), clock)
    poll_until_idle(poller, clock)

    assert times == [0, 60, 180]


def test_after_two_retries_the_event_goes_to_the_on_failure_destination() -> None:
    function = Function(FAILURE)

    discarded, clock, _ = run(function)

    assert len(function.events) == 3
    assert discarded == [DiscardedEvent(EVENT, "RetriesExhausted", 3, "RuntimeError: broken", clock.now)]


def test_the_number_of_retries_is_the_mappings() -> None:
    function = Function(FAILURE)

    discarded, _, _ = run(function, AsyncSettings(maximum_retry_attempts=0))

    assert (len(function.events), len(discarded)) == (1, 1)


def test_an_event_that_is_too_old_is_given_up_instead_of_retried() -> None:
    function = Function(FAILURE)

    discarded, _, _ = run(function, AsyncSettings(maximum_event_age_seconds=100))

    assert len(function.events) == 2
    assert [event.condition for event in discarded] == ["EventAgeExceeded"]


def test_an_event_is_kept_while_its_destination_cannot_be_reached() -> None:
    def unreachable(_: DiscardedEvent) -> None:
        raise ConnectionError

    settings = AsyncSettings(maximum_retry_attempts=0)
    poller = AsyncPoller(settings, Queue(json.dumps(EVENT)), Function(FAILURE), Clock(), unreachable)

    with pytest.raises(ConnectionError):
        poller.poll_once()

    assert not poller.is_idle


def test_the_destination_gets_the_event_and_the_error() -> None:
    discarded = DiscardedEvent(EVENT, "RetriesExhausted", 3, "RuntimeError: broken", NOON + 180.25)

    record = asynchronous_invocation(discarded, function_arn="arn:f", request_id="r-1")

    assert record == {
        "version": "1.0",
        "timestamp": "2026-03-01T12:03:00.250Z",
        "requestContext": {
            "requestId": "r-1",
            "functionArn": "arn:f:$LATEST",
            "condition": "RetriesExhausted",
            "approximateInvokeCount": 3,
        },
        "requestPayload": EVENT,
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "responsePayload": {"errorMessage": "RuntimeError: broken"},
    }
