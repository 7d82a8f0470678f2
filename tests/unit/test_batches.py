"""A batch's facts by item: each event once, in order, under the key of the item it is about."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.register.batches import Batch, RevocationFacts, SessionFacts
from schemas.items import Session
from schemas.keys import child_session_key, revocation_key, session_key
from tests.conftest import at, login, logout, logout_all

LOGIN, LOGOUT, OTHER = login("s1"), logout("s1"), login("s2")
CHILD_LOGIN = login("kid", parent_session_id="p")
CHILD_LOGOUT = logout("kid", None, parent_session_id="p")
REVOCATION = logout_all()
EVENTS = [LOGIN, LOGOUT, OTHER, CHILD_LOGIN, CHILD_LOGOUT, REVOCATION]


def grouped(*events: Any) -> dict[Any, Any]:
    batch = Batch()
    for position, event in enumerate(events):
        batch.add(position, event)
    return batch.items


def test_events_of_one_session_are_together_with_their_positions_whatever_lies_between() -> None:
    assert grouped(LOGIN, OTHER, LOGOUT) == {
        session_key("s1", "customer-1"): SessionFacts(
            Session(session_id="s1", customer_id="customer-1"), [LOGIN, LOGOUT], [0, 2]
        ),
        session_key("s2", "customer-1"): SessionFacts(Session(session_id="s2", customer_id="customer-1"), [OTHER], [1]),
    }


@pytest.mark.parametrize("events", [[CHILD_LOGOUT, CHILD_LOGIN], [CHILD_LOGIN, CHILD_LOGOUT]])
def test_a_child_session_is_nobodys_until_it_is_read(events: list[Any]) -> None:
    nobodys = Session(session_id="kid", customer_id=None, parent_session_id="p")

    assert grouped(*events) == {child_session_key("p", "kid"): SessionFacts(nobodys, events, [0, 1])}


def test_revocations_are_by_customer() -> None:
    other = logout_all("customer-2")

    assert grouped(REVOCATION, other, REVOCATION) == {
        revocation_key("customer-1"): RevocationFacts([REVOCATION, REVOCATION], [0, 2]),
        revocation_key("customer-2"): RevocationFacts([other], [1]),
    }


@given(st.lists(st.sampled_from(EVENTS), max_size=12))
def test_every_event_is_under_one_item_and_in_order_of_arrival(events: list[Any]) -> None:
    items = grouped(*events).values()

    assert sorted(position for facts in items for position in facts.positions) == list(range(len(events)))
    assert all(facts.positions == sorted(facts.positions) for facts in items)
    assert all([events[position] for position in facts.positions] == facts.facts for facts in items)


def test_facts_of_a_session_that_was_looked_up_join_those_that_named_it() -> None:
    stored = Session(session_id="s1", customer_id="customer-1", last_login_time=at(0), source="x", version=4)
    batch = Batch()
    batch.add(0, LOGIN)

    batch.add_about(stored, [1, 2], [LOGOUT, LOGOUT])

    assert batch.items == {
        stored.key: SessionFacts(Session(session_id="s1", customer_id="customer-1"), [LOGIN, LOGOUT, LOGOUT], [0, 1, 2])
    }


def test_of_a_session_that_was_looked_up_only_the_ids_are_kept() -> None:
    child = Session(session_id="kid", customer_id="c", parent_session_id="p", last_login_time=at(0), version=4)
    batch = Batch()

    batch.add_about(child, [3], [CHILD_LOGOUT])

    identity = Session(session_id="kid", customer_id="c", parent_session_id="p")
    assert batch.items == {child.key: SessionFacts(identity, [CHILD_LOGOUT], [3])}


@pytest.mark.parametrize(
    ("events", "may_be"),
    [([LOGOUT], True), ([LOGOUT, LOGIN], False), ([LOGIN], False), ([CHILD_LOGOUT], False)],
    ids=["logouts", "a login too", "a login", "it names its parent"],
)
def test_only_logouts_that_name_no_parent_may_mean_a_child(events: list[Any], may_be: bool) -> None:
    [facts] = grouped(*events).values()

    assert facts.may_be_child is may_be


@pytest.mark.parametrize(
    ("events", "minute", "expected"),
    [([LOGOUT], 31, True), ([LOGOUT], 30, False), ([LOGOUT, LOGIN], 99, False)],
    ids=["before", "at the time", "a login too"],
)
def test_only_logouts_before_a_time_occurred_before_it(events: list[Any], minute: float, expected: bool) -> None:
    [facts] = grouped(*events).values()

    assert facts.all_occurred_before(at(minute)) is expected
