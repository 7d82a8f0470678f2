"""The logouts that the projector sends: whom they end, as of when, and that repeats are one event."""

import json
from dataclasses import replace
from hashlib import sha256

import pytest

from processors.policies.commands import logout_by_tombstone, logout_of_revoked, logout_with_parent, logouts_for_ending
from schemas.events import LogoutEvent, parse_event
from schemas.items import CLOSING, Session
from schemas.projection_items import Entry
from tests.conftest import at

CHILD = Session(
    session_id="k", customer_id="c", parent_session_id="p", started_at=at(0), last_login_time=at(0), version=1
)
PARENT = Session(session_id="p", customer_id="c", session_state=CLOSING, ended_at=at(5), version=1)
TOMBSTONE = Session(
    session_id="k",
    customer_id="c",
    session_state=CLOSING,
    ended_at=at(5),
    ended_event_id="e1",
    end_reason="admin",
    version=1,
)
CHILDS_TOMBSTONE = replace(
    CHILD, started_at=None, last_login_time=None, session_state=CLOSING, ended_at=at(9), ended_event_id="e9"
)
"""Of a child whose login has not come."""


def read(body: str | None) -> LogoutEvent:
    event = parse_event(json.loads(body or "null"))
    assert isinstance(event, LogoutEvent)
    return event


def test_only_entries_that_are_ending_are_logged_out_with_their_reason_and_time() -> None:
    moment = int(at(3).timestamp() * 1000)

    [body] = logouts_for_ending("c", {"a": Entry(0, 1), "b": Entry(0, 1, "limit", moment)})

    event = read(body)
    assert (event.session_id, event.customer_id, event.reason, event.occurred_at) == ("b", "c", "limit", at(3))


def test_a_revoked_session_ends_at_its_revocation() -> None:
    event = read(logout_of_revoked(CHILD, at(7)))

    assert (event.session_id, event.customer_id, event.reason, event.occurred_at) == ("k", "c", "revoked", at(7))


def test_a_child_ends_with_its_parent() -> None:
    event = read(logout_with_parent(CHILD, PARENT))

    assert (event.session_id, event.customer_id, event.parent_session_id) == ("k", "c", "p")
    assert (event.reason, event.occurred_at) == ("parent", at(5))


@pytest.mark.parametrize(("minute", "is_sent"), [(4, False), (5, False), (6, True)])
def test_an_end_that_followed_from_the_parent_moves_to_its_earlier_end_only(minute: int, *, is_sent: bool) -> None:
    child = replace(CHILD, session_state=CLOSING, ended_at=at(minute), end_reason="parent")

    assert (logout_with_parent(child, PARENT) is not None) is is_sent
    assert logout_with_parent(replace(child, end_reason="user"), PARENT) is None


@pytest.mark.parametrize(
    ("child", "parent"),
    [
        (CHILD, None),
        (CHILD, replace(PARENT, session_state="active")),
        (CHILD, replace(PARENT, ended_at=None)),
        (CHILDS_TOMBSTONE, PARENT),
    ],
    ids=["no parent", "a live parent", "an end without time", "no login"],
)
def test_a_child_is_left_alone_where_its_parent_was_not_ended(child: Session, parent: Session | None) -> None:
    assert logout_with_parent(child, parent) is None


def test_a_tombstones_logout_is_addressed_to_the_child_under_its_own_event_id() -> None:
    event = read(logout_by_tombstone(CHILD, TOMBSTONE))

    assert (event.event_id, event.session_id, event.customer_id, event.parent_session_id) == ("e1", "k", "c", "p")
    assert (event.reason, event.occurred_at) == ("admin", at(5))


@pytest.mark.parametrize(
    ("child", "tombstone"),
    [
        (CHILD, None),
        (CHILD, replace(TOMBSTONE, started_at=at(0), last_login_time=at(0))),
        (CHILD, replace(TOMBSTONE, ended_at=None)),
        (CHILDS_TOMBSTONE, TOMBSTONE),
        (replace(CHILD, session_state=CLOSING, ended_at=at(5), ended_event_id="e1"), TOMBSTONE),
        (replace(CHILD, session_state=CLOSING, ended_at=at(4), ended_event_id="e2"), TOMBSTONE),
    ],
    ids=["none", "a session of its own", "no time", "no login", "the same end", "an earlier end"],
)
def test_a_tombstone_that_ends_nothing_sends_nothing(child: Session, tombstone: Session | None) -> None:
    assert logout_by_tombstone(child, tombstone) is None


LONG = "keycloak:" + "r" * 200 + ":"
"""A namespace, as CUSTOMER_NAMESPACE=provider puts it before ids of up to 256 characters."""


def test_commands_carry_ids_that_are_longer_than_a_publishers_by_their_namespace() -> None:
    customer, parent, kid = (LONG + letter * 256 for letter in "cpk")
    child = replace(CHILD, session_id=kid, customer_id=customer, parent_session_id=parent)
    moment = int(at(3).timestamp() * 1000)

    events = [
        read(logout_with_parent(child, replace(PARENT, session_id=parent, customer_id=customer))),
        read(logout_by_tombstone(child, replace(TOMBSTONE, session_id=kid, customer_id=customer))),
        read(logout_of_revoked(child, at(7))),
        *map(read, logouts_for_ending(customer, {kid: Entry(0, 1, "limit", moment)})),
    ]

    assert {(event.session_id, event.customer_id) for event in events} == {(kid, customer)}
    assert {event.parent_session_id for event in events} == {parent, None}


def test_repeats_are_one_event_and_another_end_is_another() -> None:
    first, again, later = (logout_of_revoked(CHILD, moment) for moment in (at(7), at(7), at(8)))

    assert first == again
    assert read(first).event_id.startswith("revoked:")
    assert read(first).event_id != read(later).event_id


def test_a_commands_id_is_the_same_in_every_release() -> None:
    """A command that was sent before an upgrade and again after it is one event."""
    content = (
        '{"customer_id": "c", "event_type": "logout", "occurred_at": "2026-03-01T12:07:00.000Z", '
        '"reason": "revoked", "session_id": "k"}'
    )

    event = read(logout_of_revoked(CHILD, at(7)))

    assert event.event_id == "revoked:" + sha256(content.encode()).hexdigest()


def test_a_tombstone_without_event_id_gives_an_id_made_from_its_content() -> None:
    event = read(logout_by_tombstone(CHILD, replace(TOMBSTONE, ended_event_id=None)))

    assert event.event_id.startswith("admin:")
