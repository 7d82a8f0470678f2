"""Laws of the session merge: any order and any repetition of the same facts ends in the same session."""

from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.register.sessions import Folded, Lifetimes, fold_facts, merge_revocations
from schemas.items import Revocation, Session
from schemas.outcomes import Outcome
from tests.conftest import NOW, at, login, logout

LIFETIMES = Lifetimes()
IDENTITY = Session(session_id="s1", customer_id="customer-1")
HISTORY = [
    login(minute=0, event_id="a", access_token="first", client={"ip": "192.0.2.1"}),
    login(minute=10, event_id="b", expires_at=at(2000), source="idp"),
    login(minute=10, event_id="c", expires_at=at(20)),
    logout(minute=30, event_id="e", reason="admin"),
    logout(minute=30, event_id="d", reason="timeout"),
]

facts = st.lists(
    st.one_of(
        st.builds(
            login,
            minute=st.integers(0, 5),
            event_id=st.sampled_from("abc"),
            expires_at=st.none() | st.integers(-5, 20_000).map(at),
            source=st.none() | st.sampled_from(["x", "y"]),
        ),
        st.builds(
            logout, minute=st.integers(0, 5), event_id=st.sampled_from("abc"), reason=st.sampled_from(["user", "admin"])
        ),
    ),
    max_size=6,
    unique_by=lambda fact: (fact.event_type, fact.event_id),
)


def fold(events: list[Any], stored: Session | None = None) -> Session | None:
    """Fold one event at a time, as single deliveries at one time would."""
    for event in events:
        changed = fold_facts(stored, [event], identity=IDENTITY, lifetimes=LIFETIMES, now=NOW).item
        stored = changed or stored
    return stored


def test_every_order_of_a_history_ends_in_the_same_session() -> None:
    final = {fold(list(order)) for order in permutations(HISTORY)}

    assert len(final) == 1
    [session] = final
    assert session is not None
    assert (session.ended_event_id, session.end_reason, session.ended_at) == ("d", "timeout", at(30))
    assert (session.last_login_event_id, session.started_at, session.expires_at) == ("c", at(0), at(2000))
    assert (session.client_ip, session.access_token_sha256, session.source) == (None, None, None)


@given(facts, st.randoms())
def test_order_and_repetition_do_not_matter(events: list[Any], source: Any) -> None:
    shuffled = events + events[: source.randrange(len(events) + 1)]
    source.shuffle(shuffled)

    assert fold(shuffled) == fold(events)


@given(facts, st.integers(0, 6))
def test_batches_do_not_matter(events: list[Any], cut: int) -> None:
    whole = fold_facts(None, events, identity=IDENTITY, lifetimes=LIFETIMES, now=NOW).item if events else None

    assert whole == fold(events[cut:], fold(events[:cut]))


@given(facts, facts)
def test_an_ended_session_stays_ended_and_last_login_never_goes_back(before: list[Any], after: list[Any]) -> None:
    earlier, later = fold(before), fold(after, fold(before))

    if earlier is not None:
        assert later is not None
        assert not (earlier.session_state == "closing" and later.session_state == "active")
        assert earlier.last_login_time is None or (later.last_login_time or NOW) >= earlier.last_login_time


ENDED_ORIGINALLY = Session(session_id="s1", customer_id="customer-1", session_state="closing")
"""Ended, as the original schema says it: without a time, and kept for ever."""


@given(facts, st.sampled_from([None, ENDED_ORIGINALLY]))
def test_a_second_delivery_changes_nothing(events: list[Any], original: Session | None) -> None:
    stored = fold(events, original)

    again = (
        fold_facts(stored, events, identity=IDENTITY, lifetimes=LIFETIMES, now=at(99)) if events else Folded(None, [])
    )

    assert again.item is None
    assert set(again.outcomes) <= {Outcome.DUPLICATE, Outcome.STALE}


def test_ttl_counts_from_the_write_where_that_is_later_and_is_never_shortened() -> None:
    late = at(60 * 24 * 30)
    first = fold_facts(None, [login()], identity=IDENTITY, lifetimes=LIFETIMES, now=late).item
    assert first is not None
    second = fold_facts(first, [logout()], identity=IDENTITY, lifetimes=LIFETIMES, now=NOW).item

    assert second is not None
    expected = late + timedelta(days=15, minutes=10)
    assert first.ttl == second.ttl == int(expected.timestamp())


@given(st.permutations([login(), logout(minute=5)]))
def test_an_item_without_ttl_gets_one_that_counts_every_fact(events: list[Any]) -> None:
    stored = fold(events, ENDED_ORIGINALLY)

    assert stored is not None
    assert stored.ttl == int((at(5) + timedelta(days=15, minutes=10)).timestamp())


revocations = st.lists(st.tuples(st.integers(0, 5), st.none() | st.sampled_from("abc")), min_size=1, max_size=6).map(
    lambda pairs: [Revocation(customer_id="c", revoked_at=at(minute), except_session_id=name) for minute, name in pairs]
)


def merged(items: list[Revocation]) -> Revocation:
    result = None
    for item in items:
        result = merge_revocations(result, item)
    assert result is not None
    return result


@given(revocations, st.randoms())
def test_revocations_merge_in_any_order_with_repetitions(items: list[Revocation], source: Any) -> None:
    shuffled = items + items[: source.randrange(len(items) + 1)]
    source.shuffle(shuffled)

    assert merged(shuffled) == merged(items)


@given(revocations, st.integers(-1, 6), st.sampled_from("abcd"))
def test_two_revocations_answer_for_any_number(items: list[Revocation], minute: int, session_id: str) -> None:
    expected = any(at(minute) <= item.revoked_at and session_id != item.except_session_id for item in items)

    assert merged(items).covers(session_id, at(minute)) == expected


@pytest.mark.parametrize(
    ("events", "outcomes"),
    [
        ([login(), login()], ["applied", "duplicate"]),
        ([login(minute=5), login(minute=1), login(minute=3)], ["applied", "applied", "stale"]),
        ([logout(), logout(), login(), login()], ["applied", "duplicate", "applied", "duplicate"]),
        ([login(), login(customer_id="customer-2")], ["applied", "rejected"]),
    ],
)
def test_one_outcome_per_fact(events: list[Any], outcomes: list[str]) -> None:
    assert fold_facts(None, events, identity=IDENTITY, lifetimes=LIFETIMES, now=NOW).outcomes == outcomes
