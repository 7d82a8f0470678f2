"""At least 10,000 hostile bodies and as many stream records, through the handlers, on every run.

`FUZZ_SEED` plays others than the usual ones: `FUZZ_SEED=7 pytest tests/fuzz`.
"""

import json
import os
import re
from collections import Counter
from dataclasses import dataclass
from random import Random
from typing import Any

import pytest

from processors import eventbridge_consumer, sqs_consumer, stream_projector
from processors.projection_table import ProjectionTable
from providers.envelopes import ReadEvent, read_body, read_events
from schemas.errors import MalformedItemError, RejectedEventError
from schemas.events import LogoutEvent
from schemas.outcomes import Outcome
from schemas.stream import read_record
from tests.conftest import NOW, at, sqs_record
from tests.eventbridge import read_eventbridge_event
from tests.fuzz.hostile import (
    TEXT,
    TOKEN,
    good_image,
    hostile_body,
    hostile_eventbridge_event,
    hostile_record,
    stream_record,
)
from tests.in_memory_clients import InMemoryDynamoDb, InMemorySqs, use_in_memory_clients

FIRST_SEED = int(os.environ.get("FUZZ_SEED", "1"))
SEEDS = range(FIRST_SEED, FIRST_SEED + 10)
BODIES = 1000
"""Of each seed; of stream records as many, of EventBridge events a third."""
BATCH = 50


@dataclass
class World:
    """The handlers over tables and queues in memory, and what they print."""

    dynamodb: InMemoryDynamoDb
    sqs: InMemorySqs
    capsys: pytest.CaptureFixture[str]

    def printed(self) -> Counter[str]:
        """Read what was printed since last asked: the metrics. Nothing of any event may be in it."""
        out, err = self.capsys.readouterr()
        assert err == ""
        assert TOKEN not in out
        assert TEXT not in out
        metrics: Counter[str] = Counter()
        for line in out.splitlines():
            content = json.loads(line)
            for group in content.get("_aws", {}).get("CloudWatchMetrics", ()):
                for metric in group["Metrics"]:
                    value = content[metric["Name"]]
                    metrics[metric["Name"]] += int(sum(value) if isinstance(value, list) else value)
        return metrics


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> World:
    made = World(InMemoryDynamoDb(), InMemorySqs(), capsys)
    use_in_memory_clients(monkeypatch, made.dynamodb, made.sqs)
    monkeypatch.setenv("LOG_LEVEL", "DEBUG")
    return made


def is_logout_without_customer(event: ReadEvent | None) -> bool:
    return isinstance(event, LogoutEvent) and event.customer_id is None


def outcomes_of(metrics: Counter[str]) -> Counter[str]:
    return Counter({outcome: metrics[outcome] for outcome in Outcome if metrics[outcome]})


@pytest.mark.parametrize("seed", SEEDS)
def test_every_hostile_message_ends_in_exactly_one_outcome_and_none_is_retried_for_nothing(
    world: World, seed: int
) -> None:
    source = Random(f"bodies {seed}")
    total: Counter[str] = Counter()
    for _ in range(BODIES // BATCH):
        records = {record["messageId"]: record for record in (sqs_record(hostile_body(source)) for _ in range(BATCH))}

        response = sqs_consumer.lambda_handler({"Records": list(records.values())}, None)

        outcomes = outcomes_of(world.printed())
        retried = {failure["itemIdentifier"] for failure in response["batchItemFailures"]}
        rejected = Counter(message["message_id"] for message in world.sqs.take("rejected"))
        events = {name: read_events(record["body"], sent_at=at(60)) for name, record in records.items()}
        assert outcomes.total() == sum(len(found) for found in events.values())
        assert rejected.total() == outcomes[Outcome.REJECTED]
        assert all(rejected[name] <= len(found) for name, found in events.items())
        assert retried.isdisjoint(rejected)
        assert len(retried) <= outcomes[Outcome.RETRY]
        assert all(any(is_logout_without_customer(event) for event in events[name]) for name in retried)
        total += outcomes
    assert TOKEN not in json.dumps(world.dynamodb.items("sessions"))
    assert min(total[outcome] for outcome in ("applied", "rejected", "ignored")) > 0


@pytest.mark.parametrize("seed", SEEDS)
def test_every_hostile_eventbridge_event_ends_in_exactly_one_outcome(world: World, seed: int) -> None:
    source = Random(f"events {seed}")
    for _ in range(BODIES // 3):
        event = hostile_eventbridge_event(source)

        try:
            outcome = eventbridge_consumer.lambda_handler(event, None)
        except eventbridge_consumer.RetryLaterError:
            outcome = Outcome.RETRY

        assert outcomes_of(world.printed()) == {outcome: 1}
        assert len(world.sqs.take("rejected")) == (outcome is Outcome.REJECTED)
        assert outcome is not Outcome.RETRY or is_logout_without_customer(read_eventbridge_event(event))
    assert TOKEN not in json.dumps(world.dynamodb.items("sessions"))


def deliver_as_lambda_does(records: list[dict[str, Any]], world: World) -> tuple[list[dict[str, Any]], Counter[str]]:
    """Deliver stream records to their end: a batch again from its first failure on, which is then tried alone.

    Returns:
        The records that failed alone, which Lambda sets aside, and the metrics.
    """
    numbers = [record["dynamodb"]["SequenceNumber"] for record in records]
    discarded: list[dict[str, Any]] = []
    metrics: Counter[str] = Counter()
    start = 0
    while start < len(records):
        size = len(records)
        response = stream_projector.lambda_handler({"Records": records[start:]}, None)
        metrics += world.printed()
        if not response["batchItemFailures"]:
            break
        [failure] = response["batchItemFailures"]
        start = numbers.index(failure["itemIdentifier"], start)
        alone = stream_projector.lambda_handler({"Records": [records[start]]}, None)
        metrics += world.printed()
        if alone["batchItemFailures"]:
            assert alone == response
            discarded.append(records[start])
        start += 1
        assert size == len(records)
    return discarded, metrics


def is_readable(record: dict[str, Any]) -> bool:
    try:
        read_record(record)
    except MalformedItemError:
        return False
    return True


@pytest.mark.parametrize("seed", SEEDS)
def test_a_hostile_stream_record_is_merged_or_fails_alone_and_good_ones_beside_it_are_projected(
    world: World, seed: int
) -> None:
    source = Random(f"records {seed}")
    readable = 0
    for first in range(0, BODIES, BATCH):
        records = [hostile_record(source, number) for number in range(first, first + BATCH - 1)]
        image = good_image(Random(1), f"good-{first}", "s1")
        assert image["session_state"] == {"S": "active"}
        world.dynamodb.table("sessions").load([image])
        records.insert(source.randrange(BATCH), stream_record(image, first + BATCH))
        records = [json.loads(json.dumps(record)) for record in records]

        discarded, _ = deliver_as_lambda_does(records, world)

        assert [record for record in discarded if is_readable(record)] == []
        assert [record for record in records if not is_readable(record) and record not in discarded] == []
        activity = ProjectionTable(world.dynamodb, "projections").get_customer_activity(f"good-{first}", now=NOW)  # type: ignore[arg-type] # the calls it makes
        assert (activity.session_count, activity.session_ids) == (1, ["s1"])
        readable += BATCH - len(discarded)
    assert 0 < readable < BODIES


def test_the_marks_are_really_in_what_the_handlers_are_given() -> None:
    source = Random(1)
    bodies = [hostile_body(source) for _ in range(200)]
    records = [json.dumps(hostile_record(source, number)) for number in range(200)]

    assert sum(TOKEN in body for body in bodies) > 100
    assert sum(TEXT in body for body in bodies) > 100
    assert sum(TEXT in record for record in records) > 100


def test_most_hostile_bodies_are_refused_but_not_all() -> None:
    source = Random(1)
    refused = 0
    for _ in range(500):
        try:
            read_body(hostile_body(source), sent_at=at(60))
        except RejectedEventError:
            refused += 1

    assert 150 < refused < 400


# --- what fuzzing found


@pytest.mark.parametrize("number", [None, 5, "", "-1", "1e3", "١٢", "9" * 41, "9" * 5000, ["1"]])
def test_a_record_without_usable_sequence_number_fails_its_batch_from_the_start(world: World, number: Any) -> None:
    failing = stream_record(good_image(Random(1), "customer", "s1") | {"ttl": {"N": "x"}}, 1)
    nameless = stream_record(good_image(Random(1), "other", "s1"), 2)
    nameless["dynamodb"]["SequenceNumber"] = number

    response = stream_projector.lambda_handler({"Records": [failing, nameless]}, None)

    assert response == {"batchItemFailures": [{"itemIdentifier": ""}]}


@pytest.mark.parametrize("created_at", [float("nan"), float("inf"), -1, 1e300, "soon", [1]])
@pytest.mark.parametrize("state", ["active", "closing"])
def test_a_record_with_an_impossible_creation_time_fails_alone(world: World, created_at: Any, state: str) -> None:
    records = [stream_record(good_image(Random(1), "customer", f"s{number}"), number) for number in range(2)]
    records[1]["dynamodb"]["ApproximateCreationDateTime"] = created_at
    records[1]["dynamodb"]["NewImage"]["session_state"] = {"S": state}

    discarded, _ = deliver_as_lambda_does(records, world)

    assert discarded == [records[1]]
    assert len(world.dynamodb.items("projections")) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PK", {"S": 1}),
        ("SK", {"S": ["c#x"]}),
        ("PK", {"S": "suuid#"}),
        ("SK", {"S": "child#suuid#"}),
        ("customer_id", {"S": ""}),
        ("customer_id", {"S": "﷽" * 5000}),
    ],
)
def test_an_image_that_dynamodb_never_makes_fails_alone(world: World, name: str, value: Any) -> None:
    child, good = child_beside_a_good_record(name, value)

    discarded, _ = deliver_as_lambda_does([child, good], world)

    assert discarded == [child]
    assert len(world.dynamodb.items("projections")) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("customer_id", {"S": {"a": 1}}),
        ("customer_id", {"S": 1.5}),
        ("session_state", {"S": []}),
        ("user_agent", {"S": False}),
        ("ttl", {"N": 1e308}),
        ("expires_at", {"N": True}),
        ("expires_at", {"N": "9" * 30}),
    ],
)
def test_an_attribute_that_dynamodb_never_makes_is_read_as_absent(world: World, name: str, value: Any) -> None:
    child, good = child_beside_a_good_record(name, value)

    discarded, _ = deliver_as_lambda_does([child, good], world)

    assert discarded == []
    assert len(world.dynamodb.items("projections")) == 1


def child_beside_a_good_record(name: str, value: Any) -> list[dict[str, Any]]:
    child = stream_record(good_image(Random(1), "customer", "child"), 1)
    child["dynamodb"]["NewImage"] |= {"PK": {"S": "suuid#parent"}, "SK": {"S": "child#suuid#child"}, name: value}
    return [child, stream_record(good_image(Random(1), "customer", "s1"), 2)]


def test_half_a_surrogate_pair_in_an_id_can_be_logged(world: World) -> None:
    outcome = eventbridge_consumer.lambda_handler({"id": "half-\ud800"}, None)

    out, err = world.capsys.readouterr()
    assert (outcome, err) == (Outcome.REJECTED, "")
    assert re.fullmatch(r"<text, 6, [0-9a-f]{12}>", json.loads(out.splitlines()[0])["message_id"])
