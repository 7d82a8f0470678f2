"""Event source mapping from SQS: batches, windows, partial responses."""

import json
from dataclasses import replace
from typing import Any

import pytest

from ops.validation.filters import FilterCriteria
from tests.simulation.event_sources.invocation import Progress
from tests.simulation.event_sources.sqs import SqsMapping, SqsPoller
from tests.simulation.in_memory_sources import FAILURE, QUEUE_ARN, Clock, Function, Queue, failures

MAPPING = SqsMapping(QUEUE_ARN, report_batch_item_failures=True)


def poller(
    queue: Queue, function: Function, clock: Clock | None = None, mapping: SqsMapping = MAPPING, **settings: Any
) -> SqsPoller:
    return SqsPoller(replace(mapping, **settings), queue, function, clock or Clock())


def test_a_message_reaches_the_function_in_the_shape_of_a_lambda_event() -> None:
    queue, function = Queue("a"), Function()
    queue.visible[0]["MessageAttributes"] = {
        "text": {"StringValue": "t", "DataType": "String"},
        "data": {"BinaryValue": b"\x00\x01", "DataType": "Binary"},
    }

    poller(queue, function).poll_once()

    assert function.events == [
        {
            "Records": [
                {
                    "messageId": "id-1",
                    "receiptHandle": "handle-1",
                    "body": "a",
                    "attributes": {
                        "ApproximateReceiveCount": "1",
                        "SentTimestamp": "1772366400000",
                        "SenderId": "AIDAEXAMPLE",
                        "ApproximateFirstReceiveTimestamp": "1772366400001",
                    },
                    "messageAttributes": {
                        "text": {
                            "stringValue": "t",
                            "stringListValues": [],
                            "binaryListValues": [],
                            "dataType": "String",
                        },
                        "data": {
                            "binaryValue": "AAE=",
                            "stringListValues": [],
                            "binaryListValues": [],
                            "dataType": "Binary",
                        },
                    },
                    "md5OfBody": "0cc175b9c0f1b6a831c399e269772661",
                    "eventSource": "aws:sqs",
                    "eventSourceARN": QUEUE_ARN,
                    "awsRegion": "eu-west-1",
                }
            ]
        }
    ]


def test_without_a_window_the_function_gets_what_one_receive_brought() -> None:
    queue, function = Queue("a", "b", "c"), Function()
    under_test = poller(queue, function, batch_size=2)

    progress = [under_test.poll_once() for _ in range(3)]

    assert function.batches == [["a", "b"], ["c"]]
    assert progress == [Progress.MORE, Progress.MORE, Progress.NONE]
    assert queue.left == []


def test_a_batch_is_gathered_over_several_receives_until_it_is_full() -> None:
    queue, function, clock = Queue(*map(str, range(25))), Function(), Clock()
    under_test = poller(queue, function, clock, batch_size=20, maximum_batching_window_seconds=5)

    for _ in range(3):
        under_test.poll_once()

    assert [len(batch) for batch in function.batches] == [20]
    assert under_test.next_due_at == clock.now + 5
    assert not under_test.is_idle


def test_a_batch_that_is_not_full_waits_for_the_end_of_its_window() -> None:
    queue, function, clock = Queue("a"), Function(), Clock()
    under_test = poller(queue, function, clock, batch_size=100, maximum_batching_window_seconds=2)

    under_test.poll_once()
    clock.advance(1.5)
    queue.send("b")
    under_test.poll_once()
    batches_before_the_end = list(function.batches)
    clock.advance(0.5)
    under_test.poll_once()

    assert batches_before_the_end == []
    assert function.batches == [["a", "b"]]


def test_a_batch_holds_six_megabytes_at_most() -> None:
    large = "x" * 1_000_000
    queue, function, clock = Queue(*[large] * 8), Function(), Clock()
    under_test = poller(queue, function, clock, batch_size=20, maximum_batching_window_seconds=5)

    under_test.poll_once()
    batches_at_once = [len(batch) for batch in function.batches]
    clock.advance(5)
    under_test.poll_once()

    assert batches_at_once == [6]
    assert [len(batch) for batch in function.batches] == [6, 2]
    assert len(json.dumps(function.events[0])) < 6 * 1024 * 1024


def test_more_than_ten_messages_a_batch_need_a_window_as_in_lambda() -> None:
    with pytest.raises(ValueError, match="BatchSize 11 is above 10, so MaximumBatchingWindowInSeconds has to be at"):
        SqsMapping(QUEUE_ARN, batch_size=11)


def test_messages_filtered_out_are_deleted_without_an_invocation() -> None:
    queue, function = Queue('{"kind": "a"}', '{"kind": "b"}', "no json"), Function()

    poller(queue, function, filters=FilterCriteria(['{"body": {"kind": ["b"]}}'])).poll_once()

    assert function.batches == [['{"kind": "b"}']]
    assert queue.left == []


@pytest.mark.parametrize("response", [None, {}, failures(), {"batchItemFailures": None}, {"something": "else"}])
def test_an_empty_response_means_that_all_messages_are_done(response: Any) -> None:
    queue = Queue("a", "b")

    poller(queue, Function(response)).poll_once()

    assert queue.left == []


def test_only_the_messages_reported_as_failed_stay_in_the_queue() -> None:
    queue = Queue("a", "b", "c")

    poller(queue, Function(failures("id-2"))).poll_once()

    assert queue.left == ["b"]


@pytest.mark.parametrize(
    "response",
    [
        failures("id-2", "unknown"),
        failures(None),
        failures(""),
        failures(2),
        {"batchItemFailures": [{"id": "id-2"}]},
        {"batchItemFailures": ["id-2"]},
        {"batchItemFailures": "id-2"},
        "id-2",
        FAILURE,
    ],
)
def test_the_whole_batch_fails_on_an_error_or_a_malformed_response(response: Any) -> None:
    queue = Queue("a", "b", "c")

    poller(queue, Function(response)).poll_once()

    assert queue.left == ["a", "b", "c"]


def test_the_response_is_ignored_where_the_mapping_does_not_ask_for_it() -> None:
    queue = Queue("a", "b")

    poller(queue, Function(failures("id-1", "unknown")), report_batch_item_failures=False).poll_once()

    assert queue.left == []


def test_when_a_failed_message_comes_back_is_the_queues_business() -> None:
    queue = Queue("a", "b")

    poller(queue, Function(failures("id-1"))).poll_once()

    assert queue.delayed == []


def test_a_local_run_can_have_failed_messages_back_sooner() -> None:
    queue = Queue("a", "b")

    poller(queue, Function(failures("id-1")), retry_after_seconds=3).poll_once()

    assert queue.delayed == [("id-1", 3)]


def test_a_batch_whose_acknowledgement_failed_is_not_held_on_to() -> None:
    class Broken(Queue):
        def delete(self, messages: Any) -> None:
            if messages:
                raise ConnectionError

    queue, function = Broken("a"), Function()
    under_test = poller(queue, function)

    with pytest.raises(ConnectionError):
        under_test.poll_once()

    assert under_test.is_idle
    assert queue.left == ["a"]
