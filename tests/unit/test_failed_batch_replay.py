"""Failed batches: listed, and replayed to where they belong."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from moto import mock_aws

from ops.recovery import replay
from ops.recovery.failed_batches import Kind, UnreadableBatchError, lines_of, list_batches, record_in_words, records_of
from ops.recovery.replay import FunctionFailedError, Replayer, invoker
from processors.aws.batch_sending import Failures
from processors.aws.failed_batches import FailedBatches

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
BUCKET = "failed-batches"
PROJECTOR = "projector-1"


class Context:
    function_name = PROJECTOR
    invoked_function_arn = f"arn:aws:lambda:eu-west-1:000000000000:function:{PROJECTOR}"
    aws_request_id = "r-1"
    function_version = "$LATEST"


class Side:
    """A bus or an archive that refuses what it is told to."""

    def __init__(self, refused: Mapping[int, str] | None = None) -> None:
        self.taken: list[Any] = []
        self._refused = dict(refused or {})

    def put(self, details: Any) -> Failures:
        self.taken += [detail for position, detail in enumerate(details) if position not in self._refused]
        return Failures(self._refused, {})


class Agenda:
    def __init__(self) -> None:
        self.items: list[Any] = []

    def put(self, items: Any) -> bool:
        self.items += items
        return True


@pytest.fixture(autouse=True)
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "example")
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    with mock_aws():
        client = boto3.client("s3", region_name="eu-west-1")
        client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        yield client


def record(number: int, filler: str = "") -> dict[str, Any]:
    keys = {"PK": {"S": f"suuid#s-{number}"}, "SK": {"S": "c#c-1"}}
    change = {"SequenceNumber": str(100 + number), "Keys": keys, "NewImage": keys | {"filler": {"S": filler}}}
    return {"eventName": "INSERT", "dynamodb": change, "eventSourceARN": "arn"}


def by_lambda(*records: Any, function: str = PROJECTOR, condition: str = "RetryAttemptsExhausted") -> str:
    """An object as Lambda writes it."""
    return json.dumps(
        {
            "requestContext": {
                "requestId": "r-1",
                "functionArn": f"arn:aws:lambda:eu-west-1:000000000000:function:{function}",
                "condition": condition,
                "approximateInvokeCount": 31,
            },
            "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
            "version": "1.0",
            "timestamp": "2026-03-02T09:30:00.000Z",
            "DDBStreamBatchInfo": {"shardId": "shardId-1", "batchSize": len(records)},
            "payload": json.dumps({"Records": list(records)}),
        }
    )


def keys(s3: Any) -> list[str]:
    return [found["Key"] for found in s3.list_objects_v2(Bucket=BUCKET).get("Contents", ())]


def batches(s3: Any) -> list[Any]:
    return list_batches(s3, BUCKET).batches


class Invoked:
    """A function that remembers its payloads, and answers as told."""

    def __init__(self, answer: Mapping[str, Any] | Exception | None = None) -> None:
        self.payloads: list[list[Any]] = []
        self._answer = answer if answer is not None else {"batchItemFailures": []}

    def __call__(self, function: str, payload: str) -> Mapping[str, Any]:
        assert function == PROJECTOR
        assert len(payload) <= replay.MAX_INVOCATION_BYTES
        self.payloads.append(json.loads(payload)["Records"])
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


def replayer(s3: Any, invoke: Any = None, **sides: Any) -> Replayer:
    return Replayer(s3=s3, bucket=BUCKET, invoke=invoke or Invoked(), functions=frozenset({PROJECTOR}), **sides)


def put(s3: Any, key: str, text: str) -> None:
    s3.put_object(Bucket=BUCKET, Key=key, Body=text.encode())


def test_each_object_says_what_it_holds_whose_it_is_and_why_it_is_there(s3: Any) -> None:
    put(s3, "aws/lambda/uuid-1/shard/2026/03/02/x", by_lambda(record(1)))
    put(s3, "bus/2026/03/02/a.json", "{}\n")
    put(s3, "holiday.jpg", "x")

    listing = list_batches(s3, BUCKET)

    found = {batch.key: (batch.kind, batch.function, batch.reason) for batch in listing.batches}
    assert found["aws/lambda/uuid-1/shard/2026/03/02/x"] == (
        Kind.RECORDS,
        PROJECTOR,
        "the function failed every attempt",
    )
    assert found["bus/2026/03/02/a.json"] == (Kind.BUS, "", "life-cycle events that the bus refused")
    assert found["holiday.jpg"][0] is Kind.OTHER
    assert (listing.total, listing.is_total_exact) == (3, True)


def test_no_more_objects_are_read_than_told_and_all_are_counted(s3: Any) -> None:
    for number in range(5):
        put(s3, f"bus/2026/03/02/{number}.json", "{}\n")

    listing = list_batches(s3, BUCKET, most=2)

    assert (len(listing.batches), listing.total) == (2, 5)


def test_records_go_to_the_function_that_failed_and_the_object_is_deleted(s3: Any) -> None:
    put(s3, "aws/lambda/uuid-1/x", by_lambda(record(1), record(2)))
    invoked = Invoked()

    [result] = [replayer(s3, invoked).replay(batch) for batch in batches(s3)]

    assert result.is_done
    assert invoked.payloads == [[record(1), record(2)]]
    assert keys(s3) == []


def test_a_batch_too_large_for_an_invocation_goes_in_parts_and_none_of_it_is_left_out(
    s3: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay, "MAX_INVOCATION_BYTES", 2_000)
    records = [record(number, "x" * 500) for number in range(7)]
    put(s3, "aws/lambda/uuid-1/x", by_lambda(*records))
    invoked = Invoked()

    [result] = [replayer(s3, invoked).replay(batch) for batch in batches(s3)]

    assert result.is_done
    assert len(invoked.payloads) > 1
    assert [each for payload in invoked.payloads for each in payload] == records


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ({"batchItemFailures": [{"itemIdentifier": "101"}]}, "could not process the record 101"),
        (FunctionFailedError("no rights"), "projector-1 failed again: no rights"),
    ],
)
def test_what_fails_again_stays_and_says_why(s3: Any, answer: Any, problem: str) -> None:
    put(s3, "aws/lambda/uuid-1/x", by_lambda(record(1)))

    [result] = [replayer(s3, Invoked(answer)).replay(batch) for batch in batches(s3)]

    assert not result.is_done
    assert problem in result.problem
    assert keys(s3) == ["aws/lambda/uuid-1/x"]


def test_what_the_function_sets_aside_again_under_the_same_key_is_not_deleted(s3: Any) -> None:
    unreadable = record(1) | {"eventName": "?"}
    aside = FailedBatches(s3, BUCKET, context=Context(), clock=lambda: NOW)
    aside.put([unreadable])

    def set_aside_again(_: str, payload: str) -> Mapping[str, Any]:
        later = Context()
        later.aws_request_id = "r-2"
        FailedBatches(s3, BUCKET, context=later, clock=lambda: NOW).put(json.loads(payload)["Records"])
        return {"batchItemFailures": []}

    [batch] = batches(s3)
    result = replayer(s3, set_aside_again).replay(batch)

    assert batch.reason == "records that this release cannot read"
    assert not result.is_done
    assert "it still cannot read it" in result.problem
    assert keys(s3) == [batch.key]


@pytest.mark.parametrize(
    "text", ["{cut", "{}", json.dumps({"payload": "[]"}), json.dumps({"payload": '{"Records": 1}'})]
)
def test_an_object_that_is_not_what_its_key_says_stays(s3: Any, text: str) -> None:
    put(s3, "aws/lambda/uuid-1/x", text)

    [result] = [replayer(s3).replay(batch) for batch in batches(s3)]

    assert not result.is_done
    assert len(keys(s3)) == 1


def test_records_of_a_function_that_is_not_of_the_stack_stay(s3: Any) -> None:
    put(s3, "aws/lambda/uuid-1/x", by_lambda(record(1), function="another"))

    [result] = [replayer(s3).replay(batch) for batch in batches(s3)]

    assert "another is not of this stack" in result.problem


@pytest.mark.parametrize("name", ["bus", "archive"])
def test_life_cycle_events_go_to_where_they_were_refused(s3: Any, name: str) -> None:
    details = [{"id": "1", "kind": "ended"}, {"id": "2", "kind": "started"}]
    FailedBatches(s3, BUCKET, context=None, clock=lambda: NOW).put_lines(name, [json.dumps(each) for each in details])
    refusing, taking = Side({1: "Throttled"}), Side()

    [first] = [replayer(s3, **{name: refusing}).replay(batch) for batch in batches(s3)]
    [second] = [replayer(s3, **{name: taking}).replay(batch) for batch in batches(s3)]

    assert "refused 1 of 2: Throttled" in first.problem
    assert second.is_done
    assert taking.taken == details
    assert keys(s3) == []


def test_life_cycle_events_stay_where_the_stack_has_no_bus_any_more(s3: Any) -> None:
    put(s3, "bus/2026/03/02/a.json", json.dumps({"kind": "ended"}))

    [result] = [replayer(s3).replay(batch) for batch in batches(s3)]

    assert "the stack has no event bus any more" in result.problem


def test_entries_that_name_a_session_go_back_to_the_agenda_and_others_stay(s3: Any) -> None:
    put(s3, "agenda/2026/03/02/a.json", '["suuid#s-1", "c#c-1", 1795600003]\n')
    put(s3, "agenda/2026/03/02/b.json", '{"PK": {"S": "due#0"}}\n')
    agenda = Agenda()

    first, second = [replayer(s3, agenda=agenda).replay(batch) for batch in batches(s3)]

    [item] = agenda.items
    assert (item.slot, item.entries) == (1795600000, (("suuid#s-1", "c#c-1", 1795600003),))
    assert item.key.pk.startswith("due#")
    assert first.is_done
    assert "1 of 1 entries name no session" in second.problem
    assert keys(s3) == ["agenda/2026/03/02/b.json"]


def test_a_record_is_shown_by_its_keys_and_never_by_its_images() -> None:
    assert record_in_words(record(1, "secret")) == {
        "event": "INSERT",
        "sequence_number": "101",
        "PK": "suuid#s-1",
        "SK": "c#c-1",
    }
    assert record_in_words({}) == {"event": "", "sequence_number": "", "PK": "", "SK": ""}


def test_contents_that_cannot_be_read_say_so() -> None:
    with pytest.raises(UnreadableBatchError, match="no list of records"):
        records_of(json.dumps({"payload": json.dumps({"Records": {}})}))
    with pytest.raises(UnreadableBatchError, match="not valid JSON"):
        lines_of("{}\n{cut\n")


def test_a_function_that_raised_is_told_by_its_message() -> None:
    class Body:
        def __init__(self, text: str) -> None:
            self._text = text

        def read(self) -> bytes:
            return self._text.encode()

    class Lambda:
        def invoke(self, **_: Any) -> Mapping[str, Any]:
            return {"FunctionError": "Unhandled", "Payload": Body('{"errorMessage": "no rights"}')}

    with pytest.raises(FunctionFailedError, match="no rights"):
        invoker(Lambda())("f", "{}")
