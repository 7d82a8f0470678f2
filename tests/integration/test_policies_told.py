"""What policies end is told once: consumer, stream, projector, commands, consumer, publisher, under repetition."""

import itertools
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from ops.schema_export.life_cycle import detail_schema
from processors import expiry_sweeper, session_publisher, sqs_consumer, stream_projector
from schemas.events import Event
from schemas.life_cycle import latest
from tests.conftest import NOW, Backend, at, login, logout, logout_all, sqs_record
from tests.life_cycle_outlets import OutletsOfATest, make_outlets

PAIR = 2
DETAIL = Draft202012Validator(detail_schema())
ON_MOTO = pytest.mark.parametrize("backend", ["moto"], indirect=True)


@pytest.fixture
def outlets(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> OutletsOfATest:
    return make_outlets(backend, monkeypatch)


def consume(chance: random.Random, events: Sequence[Event | dict[str, Any]]) -> None:
    """Deliver each event to the consumer twice, in any order and in two batches."""
    records = [sqs_record(event) for event in events] * PAIR
    chance.shuffle(records)
    for batch in (records[: len(events)], records[len(events) :]):
        assert sqs_consumer.lambda_handler({"Records": batch}, None) == {"batchItemFailures": []}


def batches(chance: random.Random, records: Sequence[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Cut records into batches, each of which is delivered twice: at once, or all of them again at the end."""
    cuts = sorted({0, len(records), *(chance.randrange(len(records) + 1) for _ in range(3))})
    parts = [list(records[start:end]) for start, end in itertools.pairwise(cuts)]
    yield from (part for part in parts for _ in range(chance.choice((1, PAIR))))
    yield from parts


def settle(backend: Backend, chance: random.Random) -> None:
    """Run projector, publisher and consumer until no record and no command is left."""
    done = 0
    while True:
        records = backend.stream_records()[done:]
        done += len(records)
        for batch in batches(chance, records):
            assert stream_projector.lambda_handler({"Records": batch}, None) == {"batchItemFailures": []}
        for record in records:
            record["dynamodb"]["ApproximateCreationDateTime"] = NOW.timestamp()
        for batch in batches(chance, records):
            assert session_publisher.lambda_handler({"Records": batch}, None) == {"batchItemFailures": []}
        commands = backend.messages(backend.commands_queue)
        if not records and not commands:
            return
        if commands:
            consume(chance, commands)


def ends_of(details: Sequence[dict[str, Any]]) -> Counter[tuple[str, str, str]]:
    """How many ids told each (session, ended_at, reason)."""
    ended = {detail["id"]: detail["session"] for detail in details if detail["kind"] == "ended"}
    return Counter((session["session_id"], session["ended_at"], session["end_reason"]) for session in ended.values())


def ends_in_the_register(backend: Backend) -> Counter[tuple[str, str, str]]:
    return Counter(
        (item["session_id"]["S"], item["ended_at"]["S"], item["end_reason"]["S"])
        for item in backend.items()
        if "ended_at" in item
    )


REVOKED: list[Event] = [
    login("old", minute=-9),
    login("kept", minute=-8),
    login("child", minute=-7, parent_session_id="old"),
    login("child of kept", minute=-7, parent_session_id="kept"),
    logout_all(minute=-5, except_session_id="kept"),
    login("new", minute=-4),
]
LOGGED_OUT: list[Event] = [
    login("parent", minute=-9),
    login("k1", minute=-8, parent_session_id="parent"),
    login("k2", minute=-7, parent_session_id="parent"),
    login("other", minute=-7),
    logout("parent", minute=-5, reason="admin"),
]
LIMITED: list[Event] = [
    login("first", minute=-9),
    login("child", minute=-8, parent_session_id="first"),
    login("second", minute=-7),
    login("third", minute=-6),
    login("fourth", minute=-5),
]
STORIES = {
    "revoked": (REVOKED, {"old": "revoked", "child": "parent"}),
    "logged out": (LOGGED_OUT, {"parent": "admin", "k1": "parent", "k2": "parent"}),
    "limited": (LIMITED, {"first": "limit", "second": "limit", "child": "parent"}),
}


@pytest.mark.slow
@ON_MOTO
@pytest.mark.parametrize("step", [2, 10])
@pytest.mark.parametrize("story", STORIES)
def test_an_end_that_a_policy_decided_is_told_once_with_its_reason(
    backend: Backend, outlets: OutletsOfATest, monkeypatch: pytest.MonkeyPatch, story: str, step: int
) -> None:
    events, reasons = STORIES[story]
    chance = random.Random(f"{story} {step}")
    monkeypatch.setenv("MAX_SESSIONS_PER_CUSTOMER", "2" if story == "limited" else "0")

    for start in range(0, len(events), step):
        consume(chance, events[start : start + step])
        settle(backend, chance)

    details = outlets.details()
    told = ends_of(details)
    assert {session: reason for session, _, reason in told} == reasons
    assert told == ends_in_the_register(backend), "each end has one id, and is the one that is stored"
    assert len(details) > len({detail["id"] for detail in details}), "something was delivered twice"
    live = {key[0] for key, detail in latest(details).items() if detail["over_at"] is None and key[1] == "customer-1"}
    assert live == {session.session_id for session in backend.sessions.get_sessions_by_customer_id("customer-1")}
    assert [error.message for detail in details for error in DETAIL.iter_errors(detail)] == []


@pytest.mark.slow
@ON_MOTO
@pytest.mark.parametrize("seed", range(2))
def test_an_end_that_moves_is_told_once_for_each_time(backend: Backend, outlets: OutletsOfATest, seed: int) -> None:
    chance = random.Random(seed)
    consume(chance, LOGGED_OUT)
    settle(backend, chance)

    consume(chance, [logout("parent", minute=-6, reason="security")])
    settle(backend, chance)

    told = ends_of(outlets.details())
    assert set(told.values()) == {1}
    assert {(session, reason) for session, _, reason in told} == {
        ("parent", "admin"),
        ("parent", "security"),
        ("k1", "parent"),
        ("k2", "parent"),
    }
    assert len(told) == 6


def test_what_the_sweeper_publishes_fits_the_schema(
    backend: Backend, outlets: OutletsOfATest, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(0)
    consume(chance, [login("s", expires_at=at(10)), login("c", parent_session_id="s", expires_at=at(10))])
    settle(backend, chance)
    monkeypatch.setattr("processors.runtime.clock.utc_now", lambda: at(11))

    expiry_sweeper.lambda_handler({}, None)

    details = outlets.details()
    kinds = Counter({detail["id"]: detail["kind"] for detail in details}.values())
    assert kinds == {"started": 2, "expired": 2}
    assert [error.message for detail in details for error in DETAIL.iter_errors(detail)] == []
