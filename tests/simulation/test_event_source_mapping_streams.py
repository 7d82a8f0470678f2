"""Event source mapping from DynamoDB streams: order, batches, retries, bisecting, on-failure destination."""

import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.validation.filters import FilterCriteria
from tests.simulation.event_sources.failure_records import stream_object_key, stream_position, stream_records
from tests.simulation.event_sources.invocation import Progress
from tests.simulation.event_sources.stream_batches import Batch, DiscardedBatch, RetryPolicy
from tests.simulation.event_sources.streams import StreamMapping, StreamPoller
from tests.simulation.in_memory_sources import (
    FAILURE,
    NOON,
    STREAM_ARN,
    Clock,
    Function,
    Stream,
    fails_on,
    failures,
    poll_until_idle,
    sequence_number,
    stream_record,
)

MAPPING = StreamMapping(STREAM_ARN, report_batch_item_failures=True)


class Run:
    """A poller with everything around it."""

    def __init__(self, stream: Stream, response: Any = None, **settings: Any) -> None:
        retry = RetryPolicy(**{name: settings.pop(name) for name in list(settings) if name in RetryPolicy.__slots__})
        self.clock = Clock()
        self.function = Function(response)
        self.discarded: list[DiscardedBatch] = []
        mapping = replace(MAPPING, retry=retry, **settings)
        self.poller = StreamPoller(mapping, stream, self.function, self.clock, self.discarded.append)

    def to_the_end(self) -> "Run":
        poll_until_idle(self.poller, self.clock)
        return self

    @property
    def lost(self) -> list[list[str]]:
        """Sequence numbers of each discarded batch."""
        return [[record.sequence_number for record in batch.records] for batch in self.discarded]


def numbered(*numbers: int) -> Stream:
    return Stream(*[stream_record(number, key=f"item-{number}") for number in numbers])


# Shape


def test_a_record_reaches_the_function_in_the_shape_of_a_lambda_event() -> None:
    record = stream_record(
        7, eventName="REMOVE", userIdentity={"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"}
    )
    record["dynamodb"]["ApproximateCreationDateTime"] = datetime.fromtimestamp(NOON, UTC)
    record["dynamodb"]["OldImage"] = {"hash": {"B": b"\x00\x01"}, "set": {"BS": [b"\x02"]}, "on": {"BOOL": True}}

    run = Run(Stream(record)).to_the_end()

    assert run.function.events == [
        {
            "Records": [
                {
                    "eventID": "event-7",
                    "eventName": "REMOVE",
                    "eventVersion": "1.1",
                    "eventSource": "aws:dynamodb",
                    "awsRegion": "eu-west-1",
                    "dynamodb": {
                        "ApproximateCreationDateTime": NOON,
                        "Keys": {"PK": {"S": "item"}},
                        "NewImage": {"PK": {"S": "item"}, "n": {"N": "7"}},
                        "OldImage": {"hash": {"B": "AAE="}, "set": {"BS": ["Ag=="]}, "on": {"BOOL": True}},
                        "SequenceNumber": "7",
                        "SizeBytes": 20,
                        "StreamViewType": "NEW_AND_OLD_IMAGES",
                    },
                    "eventSourceARN": STREAM_ARN,
                    "userIdentity": {"type": "Service", "principalId": "dynamodb.amazonaws.com"},
                }
            ]
        }
    ]


# Reading


def test_records_arrive_in_order_and_in_batches() -> None:
    run = Run(numbered(1, 2, 3, 4, 5), batch_size=2).to_the_end()

    assert run.function.batches == [["1", "2"], ["3", "4"], ["5"]]


def test_latest_skips_what_was_there_before() -> None:
    stream = numbered(1, 2)
    run = Run(stream, starting_position="LATEST")

    run.poller.poll_once()
    stream.records["shard-1"].append(stream_record(3))
    run.to_the_end()

    assert run.function.batches == [["3"]]


def test_latest_skips_nothing_of_a_shard_that_appears_later() -> None:
    stream = numbered(1)
    run = Run(stream, starting_position="LATEST")

    run.poller.poll_once()
    stream.add_shard("shard-2", "shard-1", stream_record(2))
    stream.closed.add("shard-1")
    run.to_the_end()

    assert run.function.batches == [["2"]]


def test_a_child_shard_waits_until_its_parent_is_processed() -> None:
    stream = numbered(1)
    stream.add_shard("shard-2", "shard-1", stream_record(2))
    stream.closed.add("shard-1")
    answers = iter([FAILURE, None, None])
    run = Run(stream, lambda _: next(answers))

    run.to_the_end()

    assert run.function.batches == [["1"], ["1"], ["2"]]


def test_a_shard_whose_parent_is_gone_is_read_at_once() -> None:
    stream = Stream()
    stream.add_shard("shard-2", "trimmed", stream_record(2))

    run = Run(stream).to_the_end()

    assert run.function.batches == [["2"]]


def test_a_shard_that_no_parent_announced_is_found_within_a_minute() -> None:
    stream = numbered(1)
    run = Run(stream).to_the_end()

    stream.add_shard("shard-2", None, stream_record(2))
    run.poller.poll_once()
    batches_at_once = list(run.function.batches)
    run.clock.advance(60)
    run.poller.poll_once()

    assert batches_at_once == [["1"]]
    assert run.function.batches == [["1"], ["2"]]


def test_a_batch_that_is_not_full_waits_for_the_end_of_its_window() -> None:
    stream = numbered(1)
    run = Run(stream, batch_size=10, maximum_batching_window_seconds=2)

    run.poller.poll_once()
    run.clock.advance(1.5)
    stream.records["shard-1"].append(stream_record(2))
    run.poller.poll_once()
    batches_before_the_end = list(run.function.batches)
    run.clock.advance(0.5)
    run.poller.poll_once()

    assert batches_before_the_end == []
    assert run.function.batches == [["1", "2"]]


def test_a_full_batch_does_not_wait_for_its_window() -> None:
    run = Run(numbered(1, 2, 3), batch_size=2, maximum_batching_window_seconds=60)

    run.poller.poll_once()

    assert run.function.batches == [["1", "2"]]


def test_a_batch_holds_six_megabytes_at_most() -> None:
    large = {"text": {"S": "x" * 390_000}}
    records = [stream_record(number) for number in range(1, 21)]
    for record in records:
        record["dynamodb"]["NewImage"] = large

    run = Run(Stream(*records), maximum_batching_window_seconds=5)
    run.poller.poll_once()
    batches_at_once = [len(batch) for batch in run.function.batches]
    run.to_the_end()

    assert batches_at_once == [16]
    assert [len(batch) for batch in run.function.batches] == [16, 4]
    assert len(json.dumps(run.function.events[0])) < 6 * 1024 * 1024


def test_records_filtered_out_are_skipped() -> None:
    stream = Stream(stream_record(1), stream_record(2, eventName="REMOVE"), stream_record(3))

    run = Run(stream, filters=FilterCriteria(['{"eventName": ["INSERT", "MODIFY"]}'])).to_the_end()

    assert run.function.batches == [["1", "3"]]


def test_partitions_keep_the_order_of_each_item_and_do_not_wait_for_each_other() -> None:
    records = [stream_record(number, key=f"item-{number % 5}") for number in range(1, 41)]
    run = Run(Stream(*records), fails_on("1"), parallelization_factor=4, maximum_retry_attempts=3).to_the_end()

    delivered = [int(number) for batch in run.function.batches[:4] for number in batch]
    lost = {int(number) for batch in run.lost for number in batch}

    assert sorted(delivered) == list(range(1, 41))
    assert 1 in lost < set(range(1, 41))
    for item in range(5):
        of_item = [number for number in delivered if number % 5 == item]
        assert of_item == sorted(of_item)


# Failing


def test_without_limits_a_failed_batch_blocks_its_shard_until_it_succeeds() -> None:
    answers = iter([FAILURE] * 20 + [None, None])

    run = Run(numbered(1, 2), lambda _: next(answers), batch_size=1).to_the_end()

    assert run.function.batches == [["1"]] * 21 + [["2"]]
    assert run.discarded == []


def test_retries_wait_twice_as_long_each_time() -> None:
    times: list[float] = []

    def fail(_: object) -> Any:
        times.append(run.clock.now - NOON)
        return FAILURE

    run: Run = Run(numbered(1), fail, maximum_retry_attempts=4)

    run.to_the_end()

    assert times == [0, 1, 3, 7, 15]


def test_after_its_retries_a_batch_is_discarded_and_the_shard_goes_on() -> None:
    run = Run(numbered(1, 2, 3), fails_on("1"), batch_size=2, maximum_retry_attempts=2).to_the_end()

    assert run.function.batches == [["1", "2"]] * 3 + [["3"]]
    assert run.lost == [["1", "2"]]
    assert (run.discarded[0].condition, run.discarded[0].batch.invocations) == ("RetryAttemptsExhausted", 3)


def test_records_that_are_too_old_are_discarded_without_an_invocation() -> None:
    records = [stream_record(number) for number in (1, 2, 3)]
    records[0]["dynamodb"]["ApproximateCreationDateTime"] = NOON - 61
    records[1]["dynamodb"]["ApproximateCreationDateTime"] = NOON - 60

    run = Run(Stream(*records), maximum_record_age_seconds=60).to_the_end()

    assert run.function.batches == [["2", "3"]]
    assert run.lost == [["1"]]
    assert (run.discarded[0].condition, run.discarded[0].batch.invocations) == ("RecordAgeExceeded", 0)


def test_a_batch_that_grows_too_old_between_retries_is_discarded() -> None:
    run = Run(numbered(1), FAILURE, maximum_record_age_seconds=10).to_the_end()

    assert [batch.condition for batch in run.discarded] == ["RecordAgeExceeded"]
    assert run.discarded[0].batch.invocations == len(run.function.events) == 4


# Partial responses


@pytest.mark.parametrize("response", [None, {}, failures(), {"batchItemFailures": None}])
def test_an_empty_response_means_that_all_records_are_done(response: Any) -> None:
    run = Run(numbered(1, 2), response, maximum_retry_attempts=0).to_the_end()

    assert (len(run.function.events), run.discarded) == (1, [])


def test_the_lowest_failed_sequence_number_is_where_it_goes_on() -> None:
    answers = iter([failures("1000", "99"), None])

    run = Run(numbered(98, 99, 1000), lambda _: next(answers)).to_the_end()

    assert run.function.batches == [["98", "99", "1000"], ["99", "1000"]]


@pytest.mark.parametrize("response", [failures("2", "7"), failures(None), failures(""), "2", {"batchItemFailures": 2}])
def test_the_whole_batch_fails_on_a_malformed_response(response: Any) -> None:
    run = Run(numbered(1, 2), response, maximum_retry_attempts=1).to_the_end()

    assert run.function.batches == [["1", "2"], ["1", "2"]]
    assert run.lost == [["1", "2"]]


def test_the_response_is_ignored_where_the_mapping_does_not_ask_for_it() -> None:
    run = Run(numbered(1, 2), failures("1"), report_batch_item_failures=False).to_the_end()

    assert run.function.batches == [["1", "2"]]


def test_progress_within_a_batch_does_not_reset_its_retries() -> None:
    answers = iter([failures("2"), failures("3")])

    run = Run(numbered(1, 2, 3), lambda _: next(answers), maximum_retry_attempts=1).to_the_end()

    assert run.function.batches == [["1", "2", "3"], ["2", "3"]]
    assert run.lost == [["3"]]


# Bisecting


def test_a_failed_batch_is_halved_until_the_bad_record_stands_alone() -> None:
    run = Run(
        numbered(*range(1, 9)), fails_on("3"), bisect_batch_on_function_error=True, maximum_retry_attempts=0
    ).to_the_end()

    assert run.function.batches == [
        ["1", "2", "3", "4", "5", "6", "7", "8"],
        ["1", "2", "3", "4"],
        ["1", "2"],
        ["3", "4"],
        ["3"],
        ["4"],
        ["5", "6", "7", "8"],
    ]
    assert run.lost == [["3"]]


def test_splitting_does_not_use_up_retries() -> None:
    run = Run(
        numbered(1, 2, 3, 4), fails_on("1"), bisect_batch_on_function_error=True, maximum_retry_attempts=2
    ).to_the_end()

    assert Counter(map(tuple, run.function.batches))[("1",)] == 3
    assert run.lost == [["1"]]
    assert run.discarded[0].batch.invocations == 5


def test_with_a_partial_response_the_batch_is_split_at_the_returned_sequence_number() -> None:
    def respond(event: dict[str, Any]) -> Any:
        bad = [number for number in map(sequence_number, event["Records"]) if number == "6"]
        return failures(*bad)

    run = Run(
        numbered(*range(1, 9)), respond, bisect_batch_on_function_error=True, maximum_retry_attempts=0
    ).to_the_end()

    assert run.function.batches == [[*"12345678"], [*"678"], ["6"], ["7", "8"]]
    assert run.lost == [["6"]]


# On-failure destination


def test_a_batch_is_not_given_up_while_its_destination_cannot_be_reached() -> None:
    run = Run(numbered(1), FAILURE, maximum_retry_attempts=0)
    is_reachable = False

    def discard(batch: DiscardedBatch) -> None:
        if not is_reachable:
            raise ConnectionError
        run.discarded.append(batch)

    poller = StreamPoller(
        replace(MAPPING, retry=RetryPolicy(maximum_retry_attempts=0)), numbered(1), run.function, run.clock, discard
    )
    with pytest.raises(ConnectionError):
        poller.poll_once()
    is_reachable = True
    poll_until_idle(poller, run.clock)

    assert run.lost == [["1"]]


def test_a_read_that_failed_is_repeated_from_the_same_place() -> None:
    class Flaky(Stream):
        broken = True

        def read(self, iterator: str, limit: int) -> Any:
            if self.broken:
                self.broken = False
                raise ConnectionError
            return super().read(iterator, limit)

    run = Run(Flaky(stream_record(1)))

    with pytest.raises(ConnectionError):
        run.poller.poll_once()
    run.to_the_end()

    assert run.function.batches == [["1"]]


def discarded_batch() -> DiscardedBatch:
    run = Run(numbered(11, 12), FAILURE, maximum_retry_attempts=0).to_the_end()
    return replace(run.discarded[0], discarded_at=NOON + 5.25)


def test_a_queue_gets_the_position_of_the_batch() -> None:
    record = stream_position(discarded_batch(), function_arn="arn:f", request_id="r-1")

    assert record == {
        "requestContext": {
            "requestId": "r-1",
            "functionArn": "arn:f",
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": 1,
        },
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "version": "1.0",
        "timestamp": "2026-03-01T12:00:05.250Z",
        "DDBStreamBatchInfo": {
            "shardId": "shard-1",
            "startSequenceNumber": "11",
            "endSequenceNumber": "12",
            "approximateArrivalOfFirstRecord": "2026-03-01T12:00:00Z",
            "approximateArrivalOfLastRecord": "2026-03-01T12:00:00Z",
            "batchSize": 2,
            "streamArn": STREAM_ARN,
        },
    }


def test_what_was_never_invoked_has_no_response() -> None:
    never_invoked = replace(discarded_batch(), batch=Batch(tuple(discarded_batch().records)))

    record = stream_position(never_invoked, function_arn="arn:f", request_id="r-1")

    assert "responseContext" not in record


def test_a_bucket_gets_the_event_of_the_function_as_well() -> None:
    batch = discarded_batch()

    record = stream_records(batch, function_arn="arn:f", request_id="r-1")

    assert json.loads(record.pop("payload")) == {"Records": [entry.event for entry in batch.records]}
    assert record == stream_position(batch, function_arn="arn:f", request_id="r-1")


def test_objects_are_named_by_mapping_shard_and_time() -> None:
    key = stream_object_key(discarded_batch(), mapping_id="m-1", object_id="o-1")

    assert key == "aws/lambda/m-1/shard-1/2026/03/01/2026-03-01T12.00.05-o-1"


# Whatever happens


@given(
    bad=st.sets(st.integers(1, 40)),
    settings=st.fixed_dictionaries(
        {
            "batch_size": st.integers(1, 50),
            "parallelization_factor": st.integers(1, 4),
            "bisect_batch_on_function_error": st.booleans(),
            "maximum_retry_attempts": st.integers(0, 2),
            "maximum_batching_window_seconds": st.sampled_from([0, 3]),
        }
    ),
    how=st.sampled_from(["raises", "lowest", "all"]),
)
def test_every_record_is_either_acknowledged_or_in_the_destination_whatever_fails(
    bad: set[int], settings: dict[str, Any], how: str
) -> None:
    acknowledged: set[str] = set()

    def respond(event: dict[str, Any]) -> Any:
        numbers = [sequence_number(record) for record in event["Records"]]
        failed = [number for number in numbers if int(number) in bad]
        if failed and how == "raises":
            return FAILURE
        done = numbers[: numbers.index(failed[0])] if failed else numbers
        acknowledged.update(done)
        return failures(*(failed[:1] if how == "lowest" else failed))

    records = [stream_record(number, key=f"item-{number % 7}") for number in range(1, 41)]
    run = Run(Stream(*records), respond, **settings).to_the_end()
    lost = [number for batch in run.lost for number in batch]

    assert run.poller.poll_once() is Progress.NONE
    assert acknowledged.isdisjoint(lost)
    assert acknowledged | set(lost) == {str(number) for number in range(1, 41)}
    assert len(lost) == len(set(lost))
    if settings["bisect_batch_on_function_error"]:
        assert {int(number) for number in lost} == bad
