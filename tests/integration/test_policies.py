"""Logout everywhere, session limit and cascade, through the real handlers, until no command is left."""

import itertools
from collections import Counter
from typing import Any

import pytest

from processors import sqs_consumer, stream_projector
from schemas.events import Event
from tests.conftest import NOW, Backend, at, login, logout, logout_all, sqs_record

pytestmark = pytest.mark.usefixtures("clock_of_the_tests")


def deliver(*events: Event | dict[str, Any]) -> None:
    response = sqs_consumer.lambda_handler({"Records": [sqs_record(event) for event in events]}, None)
    assert response == {"batchItemFailures": []}


def settle(backend: Backend, *, batch: int = 50, rounds: int = 30) -> list[dict[str, Any]]:
    """Run projector and consumer until no record and no command is left; give every command sent."""
    commands: list[dict[str, Any]] = []
    done = 0
    for _ in range(rounds):
        records = backend.stream_records()
        for start in range(done, len(records), batch):
            response = stream_projector.lambda_handler({"Records": records[start : start + batch]}, None)
            assert response == {"batchItemFailures": []}
        sent = backend.messages(backend.commands_queue)
        if done == len(records) and not sent:
            return commands
        done = len(records)
        commands += sent
        deliver(*sent)
    raise AssertionError("commands never end")


def live(backend: Backend, customer_id: str = "customer-1") -> list[str]:
    items = [session.session_id for session in backend.sessions.get_sessions_by_customer_id(customer_id)]
    projected = backend.projections.get_customer_activity(customer_id, now=NOW)
    assert projected.session_ids == items, "projection and items disagree"
    return items


def reasons(backend: Backend) -> Counter[str]:
    return Counter(item["end_reason"]["S"] for item in backend.items() if "end_reason" in item)


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_logout_all_ends_what_began_before_it_in_every_order_of_arrival(backend: Backend, order: list[int]) -> None:
    events: list[Event] = [
        login("old", minute=-9),
        login("kept", minute=-8),
        login("new", minute=-1),
        logout_all(minute=-5, except_session_id="kept"),
    ]

    for index in order:
        deliver(events[index])
        settle(backend)

    assert live(backend) == ["kept", "new"]
    ended = backend.sessions.get_session_by_session_id("old", "customer-1")
    assert ended is not None
    assert (ended.end_reason, ended.ended_at) == ("revoked", at(-5))


def test_an_exception_holds_only_for_its_own_revocation(backend: Backend) -> None:
    deliver(login("a", minute=-9), login("b", minute=-9), login("c", minute=-4))
    deliver(logout_all(minute=-5, except_session_id="a"), logout_all(minute=-7, except_session_id="b"))

    settle(backend)

    assert live(backend) == ["c"]


def test_an_exception_that_does_not_exist_ends_all(backend: Backend) -> None:
    deliver(login("a", minute=-9), logout_all(minute=-5, except_session_id="nowhere"))

    settle(backend)

    assert live(backend) == []


def test_logout_all_of_a_customer_never_seen_is_applied(backend: Backend) -> None:
    deliver(logout_all(minute=-5))
    settle(backend)
    deliver(login("late", minute=-6), login("new", minute=-4))
    settle(backend)

    assert live(backend) == ["new"]


def test_logout_all_reaches_sessions_beyond_the_projections_capacity(backend: Backend) -> None:
    for first in range(0, 300, 50):  # DynamoDB Local may take seconds for more at a time
        deliver(*(login(f"s{number:03}", minute=-9, expires_at=at(60 + number)) for number in range(first, first + 50)))
    settle(backend, batch=1000)
    assert not backend.projections.get_customer_activity("customer-1", now=NOW).is_exact

    deliver(logout_all(minute=-5))
    settle(backend, batch=1000)

    assert live(backend) == []
    assert reasons(backend) == {"revoked": 300}


@pytest.mark.parametrize("batch", [1, 50])
def test_above_the_limit_the_oldest_sessions_end(backend: Backend, monkeypatch: pytest.MonkeyPatch, batch: int) -> None:
    monkeypatch.setenv("MAX_SESSIONS_PER_CUSTOMER", "2")
    deliver(*(login(name, minute=minute) for name, minute in [("d", -1), ("a", -4), ("c", -2), ("b", -3)]))

    settle(backend, batch=batch)

    assert live(backend) == ["c", "d"]
    assert reasons(backend) == {"limit": 2}


def test_at_the_limit_nobody_is_evicted(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_SESSIONS_PER_CUSTOMER", "2")
    deliver(
        login("a", minute=-9),
        login("b", minute=-8),
        login("gone", minute=-7, expires_at=at(-6)),
        logout("c", minute=-5),
    )

    assert settle(backend) == []
    assert live(backend) == ["a", "b"]


def test_a_limit_above_what_a_projection_keeps_is_refused_at_start(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAX_SESSIONS_PER_CUSTOMER", "257")

    with pytest.raises(ValueError, match="cannot be enforced"):
        stream_projector.lambda_handler({"Records": []}, None)


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
@pytest.mark.parametrize("is_settled_each", [True, False])
def test_children_end_with_their_parent_in_every_order_of_arrival(
    backend: Backend, order: list[int], is_settled_each: bool
) -> None:
    events: list[Event] = [
        login("p", minute=-9),
        login("k1", minute=-8, parent_session_id="p"),
        login("k2", minute=-3, parent_session_id="p"),
        logout("p", minute=-5, reason="admin"),
    ]

    for index in order:
        deliver(events[index])
        if is_settled_each:
            settle(backend)
    settle(backend)

    children = backend.items()
    ends = {item["session_id"]["S"]: (item["end_reason"]["S"], item["ended_at"]["S"][11:16]) for item in children}
    assert ends == {"p": ("admin", "11:55"), "k1": ("parent", "11:55"), "k2": ("parent", "11:55")}


def test_children_follow_when_their_parents_end_moves(backend: Backend) -> None:
    deliver(login("p", minute=-9), login("k", minute=-8, parent_session_id="p"), logout("p", minute=-3))
    settle(backend)
    deliver(logout("p", minute=-5))
    settle(backend)

    [child] = backend.sessions.get_child_sessions_by_session_id("p")
    assert (child.ended_at, child.end_reason) == (at(-5), "parent")


def test_a_revoked_parent_takes_its_children_along(backend: Backend) -> None:
    deliver(login("p", minute=-9), login("k", minute=-8, parent_session_id="p"), logout_all(minute=-5))

    settle(backend)

    assert reasons(backend) == {"revoked": 1, "parent": 1}


def test_an_expired_parent_sends_nothing(backend: Backend) -> None:
    deliver(login("p", minute=-9, expires_at=at(-1)), login("k", minute=-8, parent_session_id="p"))

    assert settle(backend) == []
    [child] = backend.sessions.get_child_sessions_by_session_id("p")
    assert not child.is_live(NOW)


def test_a_parents_end_touches_no_child_of_another_customer(backend: Backend) -> None:
    deliver(login("p", minute=-9), login("k", "customer-2", minute=-8, parent_session_id="p"), logout("p", minute=-5))

    assert settle(backend) == []


def test_a_crash_between_write_and_send_loses_no_command(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    deliver(login("a", minute=-9), logout_all(minute=-5))
    records = backend.stream_records()
    with monkeypatch.context() as broken:
        broken.setenv("SESSION_COMMANDS_QUEUE_URL", backend.commands_queue + "-gone")
        response = stream_projector.lambda_handler({"Records": records}, None)

    assert response["batchItemFailures"] == [{"itemIdentifier": records[0]["dynamodb"]["SequenceNumber"]}]
    assert backend.projections.get_customer_activity("customer-1", now=NOW).session_count == 0
    settle(backend)
    assert live(backend) == []


def test_a_lost_command_is_sent_again_when_the_customer_is_touched(backend: Backend) -> None:
    deliver(login("a", minute=-9), logout_all(minute=-5))
    stream_projector.lambda_handler({"Records": backend.stream_records()}, None)
    [lost] = backend.messages(backend.commands_queue)

    deliver(login("b", minute=-1))
    sent = settle(backend)

    assert lost in sent
    assert live(backend) == ["b"]


def test_commands_that_come_twice_are_duplicates(backend: Backend) -> None:
    deliver(login("p", minute=-9), login("k", minute=-8, parent_session_id="p"), logout_all(minute=-5))
    commands = settle(backend)
    before = backend.items()

    deliver(*commands)

    assert backend.items() == before
