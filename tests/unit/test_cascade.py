"""Which children end with their parent or by an earlier tombstone: pure, at and around every boundary."""

import json
from dataclasses import replace
from typing import Any

import pytest

from processors.policies.cascade import logouts_of_child
from processors.policies.commands import logout_by_tombstone, logout_with_parent
from schemas.items import CLOSING, Session
from tests.conftest import at

CHILD = Session(
    session_id="kid", customer_id="c", parent_session_id="p", last_login_time=at(0), started_at=at(0), version=1
)
PARENT = Session(session_id="p", customer_id="c", session_state=CLOSING, ended_at=at(5), last_login_time=at(0))
TOMBSTONE = Session(
    session_id="kid",
    customer_id="c",
    session_state=CLOSING,
    ended_at=at(5),
    ended_event_id="e5",
    end_reason="admin",
    version=1,
)


def ended_child(minute: float, **fields: Any) -> Session:
    return replace(CHILD, session_state=CLOSING, ended_at=at(minute), **fields)


def test_a_live_child_ends_as_of_its_parents_end() -> None:
    body = logout_with_parent(CHILD, PARENT)

    assert body is not None
    command = json.loads(body)
    assert {name: command[name] for name in ("session_id", "parent_session_id", "customer_id", "reason")} == {
        "session_id": "kid",
        "parent_session_id": "p",
        "customer_id": "c",
        "reason": "parent",
    }
    assert command["occurred_at"] == "2026-03-01T12:05:00.000Z"


@pytest.mark.parametrize(("minute", "moves"), [(4, False), (5, False), (6, True)], ids=["below", "at", "above"])
def test_an_end_caused_by_the_parent_moves_only_to_an_earlier_time(minute: float, moves: bool) -> None:
    child = ended_child(minute, end_reason="parent")

    assert (logout_with_parent(child, PARENT) is not None) is moves


def test_a_parent_in_a_state_that_is_unknown_here_is_over() -> None:
    assert logout_with_parent(CHILD, replace(PARENT, session_state="suspended")) is not None
    assert logout_with_parent(replace(CHILD, session_state="suspended"), PARENT) is None


def test_a_child_that_ended_for_another_reason_stays_as_it_is() -> None:
    assert logout_with_parent(ended_child(9, end_reason="user"), PARENT) is None


@pytest.mark.parametrize(
    "parent", [None, replace(PARENT, session_state="active", ended_at=None), replace(PARENT, ended_at=None)]
)
def test_a_parent_that_is_missing_active_or_ended_at_no_known_time_ends_no_child(parent: Session | None) -> None:
    assert logout_with_parent(CHILD, parent) is None


@pytest.mark.parametrize(
    ("minute", "event_id", "moves"),
    [(4, "e5", False), (5, "e4", False), (5, "e5", False), (5, "e6", True), (6, "e5", True)],
)
def test_a_tombstone_ends_a_child_only_at_an_earlier_time_or_by_a_smaller_event_id(
    minute: float, event_id: str, moves: bool
) -> None:
    child = ended_child(minute, ended_event_id=event_id)

    assert (logout_by_tombstone(child, TOMBSTONE) is not None) is moves


def test_a_tombstones_logout_keeps_its_event_id_time_and_reason() -> None:
    body = logout_by_tombstone(CHILD, TOMBSTONE)

    assert body is not None
    command = json.loads(body)
    assert (command["event_id"], command["reason"], command["parent_session_id"]) == ("e5", "admin", "p")


def test_a_child_ended_by_another_writer_at_no_known_time_is_not_ended_again() -> None:
    assert logout_by_tombstone(replace(CHILD, session_state=CLOSING), TOMBSTONE) is None


@pytest.mark.parametrize(
    "tombstone", [None, replace(TOMBSTONE, last_login_time=at(0)), replace(TOMBSTONE, ended_at=None)]
)
def test_what_is_not_a_tombstone_without_login_ends_no_child(tombstone: Session | None) -> None:
    assert logout_by_tombstone(CHILD, tombstone) is None


def test_neither_ends_a_child_without_login() -> None:
    child = ended_child(9, last_login_time=None)

    assert (logout_with_parent(child, PARENT), logout_by_tombstone(child, TOMBSTONE)) == (None, None)


@pytest.mark.parametrize(
    ("child", "count"), [(CHILD, 2), (None, 0), (replace(CHILD, customer_id="other"), 0)], ids=["same", "gone", "other"]
)
def test_a_child_that_another_customer_claimed_meanwhile_gets_no_logout(child: Session | None, count: int) -> None:
    bodies = logouts_of_child(CHILD, child=child, parent=PARENT, tombstone=TOMBSTONE)

    assert len(bodies) == count
