"""Laws of the session merge: any order and any repetition of the same facts ends in the same session."""

from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.register.sessions import (
    Folded,
    Lifetimes,
    fold_facts,
    fold_login,
    fold_logout,
    fold_logouts_all,
    merge_revocations,
)
from schemas.items import Revocation, Session
from schemas.outcomes import Outcome
from tests.conftest import NOW, at, login, logout, logout_all

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


@pytest.mark.parametrize(
    ("hours", "clipped", "expires_at"),
    [(None, False, at(12 * 60)), (167, False, at(167 * 60)), (168, False, at(168 * 60)), (169, True, at(168 * 60))],
    ids=["none asked for", "below", "at", "above"],
)
def test_a_lifetime_is_clipped_to_the_maximum_and_no_shorter(
    hours: float | None, clipped: bool, expires_at: datetime
) -> None:
    event = login(expires_at=None if hours is None else at(hours * 60))

    assert LIFETIMES.clips(event) is clipped
    assert LIFETIMES.expiry(event) == expires_at


def test_an_expiry_is_floored_to_the_second() -> None:
    event = login(expires_at=at(10) + timedelta(milliseconds=999))

    assert LIFETIMES.expiry(event) == at(10)


def test_the_default_lifetime_is_clipped_as_well() -> None:
    lifetimes = Lifetimes(default=timedelta(hours=2), maximum=timedelta(hours=1))

    assert lifetimes.expiry(login()) == at(60)
    assert not lifetimes.clips(login())


KEPT = timedelta(days=15, minutes=10)
"""How long an item outlasts its facts and its writes."""


def seconds(moment: datetime) -> int:
    return int(moment.timestamp())


def test_revocations_of_a_batch_are_merged_with_one_outcome_each() -> None:
    events = [
        logout_all(minute=5),
        logout_all(minute=5),
        logout_all(minute=3),
        logout_all(minute=9, except_session_id="a"),
    ]

    folded = fold_logouts_all(None, events, now=NOW)

    assert folded.outcomes == ["applied", "duplicate", "duplicate", "applied"]
    assert folded.item == Revocation(
        customer_id="customer-1",
        revoked_at=at(9),
        except_session_id="a",
        other_revoked_at=at(5),
        ttl=seconds(at(9) + KEPT),
    )


def test_a_revocation_that_is_stored_already_is_not_written_again() -> None:
    stored = fold_logouts_all(None, [logout_all(minute=5)], now=NOW).item

    folded = fold_logouts_all(stored, [logout_all(minute=5), logout_all(minute=4)], now=at(99))

    assert (folded.item, folded.outcomes) == (None, [Outcome.DUPLICATE, Outcome.DUPLICATE])


@pytest.mark.parametrize(
    ("stored_ttl", "now", "ttl"),
    [
        (None, NOW, seconds(at(9) + KEPT)),
        (seconds(at(9999) + KEPT), NOW, seconds(at(9999) + KEPT)),
        (1, at(20), seconds(at(20) + KEPT)),
    ],
    ids=["none before", "longer before", "counted from a late write"],
)
def test_the_ttl_of_a_revocation_is_never_shortened(stored_ttl: int | None, now: datetime, ttl: int) -> None:
    stored = Revocation(customer_id="customer-1", revoked_at=at(1), ttl=stored_ttl, version=3)

    folded = fold_logouts_all(stored, [logout_all(minute=7), logout_all(minute=9)], now=now)

    assert folded.item == Revocation(customer_id="customer-1", revoked_at=at(9), ttl=ttl, version=3)


def test_no_event_at_all_changes_no_revocation() -> None:
    folded = fold_logouts_all(None, [], now=NOW)

    assert (folded.item, folded.outcomes) == (None, [])


def test_a_login_gives_every_attribute_and_keeps_what_ended_the_session() -> None:
    ended = fold([logout(minute=30, event_id="e", reason="admin")])
    assert ended is not None
    event = login(
        minute=1,
        event_id="l",
        access_token="token",
        expires_at=at(90),
        source="idp",
        client={"ip": "192.0.2.1", "user_agent": "Example/1", "device_id": "laptop", "country": "DE"},
    )

    folded = fold_facts(replace(ended, version=7), [event], identity=IDENTITY, lifetimes=LIFETIMES, now=NOW)

    assert folded.item == Session(
        session_id="s1",
        customer_id="customer-1",
        session_state="closing",
        started_at=at(1),
        last_login_time=at(1),
        last_login_event_id="l",
        expires_at=at(90),
        ended_at=at(30),
        ended_event_id="e",
        end_reason="admin",
        access_token_sha256=sha256(b"token").hexdigest(),
        client_ip="192.0.2.1",
        user_agent="Example/1",
        device_id="laptop",
        country="DE",
        source="idp",
        ttl=seconds(at(30) + KEPT),
        version=7,
    )


def test_a_login_leaves_ttl_and_version_to_the_write() -> None:
    folded = fold_login(replace(IDENTITY, ttl=5, version=6), login(), LIFETIMES)

    assert (folded.ttl, folded.version) == (5, 6)


def test_a_child_session_keeps_its_parent() -> None:
    child = Session(session_id="kid", customer_id=None, parent_session_id="p")

    folded = fold_facts(None, [login("kid", parent_session_id="p")], identity=child, lifetimes=LIFETIMES, now=NOW)

    assert folded.item is not None
    assert (folded.item.customer_id, folded.item.parent_session_id) == ("customer-1", "p")


def test_an_item_outlasts_its_expiry_where_that_is_later() -> None:
    lifetimes = Lifetimes(maximum=timedelta(days=40))

    folded = fold_facts(None, [login(expires_at=at(60 * 24 * 30))], identity=IDENTITY, lifetimes=lifetimes, now=NOW)

    assert folded.item is not None
    assert folded.item.ttl == seconds(at(60 * 24 * 30))


def test_a_state_that_is_not_known_here_is_kept_and_an_unknown_end_is_never_given_a_time() -> None:
    stored = replace(IDENTITY, session_state="suspended", last_login_time=at(0), version=1)

    assert fold_logout(stored, logout()) is stored
    assert fold_logout(replace(stored, ended_at=at(60)), logout(minute=30)).session_state == "suspended"


@pytest.mark.parametrize(
    ("minute", "is_written"), [(5, False), (6, True)], ids=["an earlier one is outlasted", "a later one is not"]
)
def test_a_later_logout_of_an_ended_session_lengthens_its_stay(minute: float, is_written: bool) -> None:
    stored = fold([login(), logout(minute=5)])

    folded = fold_facts(stored, [logout(minute=minute, event_id="z")], identity=IDENTITY, lifetimes=LIFETIMES, now=NOW)

    assert folded.outcomes == [Outcome.DUPLICATE]
    assert (folded.item is not None) is is_written
    if folded.item is not None:
        assert folded.item.ttl == seconds(at(minute) + KEPT)
        assert folded.item.ended_at == at(5)


def test_the_older_of_two_revocations_keeps_its_exception() -> None:
    one = Revocation(customer_id="c", revoked_at=at(1), except_session_id="a", ttl=5, version=6)
    other = Revocation(customer_id="c", revoked_at=at(2), except_session_id="b", ttl=7, version=8)

    assert merge_revocations(one, other) == Revocation(
        customer_id="c",
        revoked_at=at(2),
        except_session_id="b",
        other_revoked_at=at(1),
        other_except_session_id="a",
        ttl=5,
        version=6,
    )
    assert merge_revocations(None, other) == other


@pytest.mark.parametrize("event_id", ["A", "a"])
def test_of_two_logins_at_one_time_the_one_without_event_id_comes_first(event_id: str) -> None:
    original = replace(IDENTITY, last_login_time=at(0), source="original")

    folded = fold_login(original, login(minute=0, event_id=event_id, source="idp"), LIFETIMES)

    assert (folded.last_login_event_id, folded.source) == (event_id, "idp")


@pytest.mark.parametrize("session_id", ["A", "a"])
def test_of_two_revocations_at_one_time_the_one_without_exception_comes_second(session_id: str) -> None:
    everywhere = Revocation(customer_id="c", revoked_at=at(1))
    elsewhere = replace(everywhere, except_session_id=session_id)

    both = replace(elsewhere, other_revoked_at=at(1))
    assert merge_revocations(everywhere, elsewhere) == merge_revocations(elsewhere, everywhere) == both
