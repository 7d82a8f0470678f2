"""What items say of an event agrees with the register's own rules."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.tracing.evidence import Verdict, after, before, is_contained, keys_of
from processors.register.sessions import Lifetimes, fold_facts, fold_logouts_all
from schemas.events import Event, LoginEvent, LogoutEvent
from schemas.items import Session
from schemas.keys import child_session_key, revocation_key, session_key
from tests.conftest import NOW, login, logout, logout_all

IDENTITY = Session(session_id="s1", customer_id="customer-1")
LIFETIMES = Lifetimes(default=timedelta(hours=12))
MINUTES = st.integers(0, 6)
LOGINS = st.builds(lambda minute, name: login(minute=minute, event_id=f"in-{name}"), MINUTES, st.sampled_from("abc"))
LOGOUTS = st.builds(lambda minute, name: logout(minute=minute, event_id=f"out-{name}"), MINUTES, st.sampled_from("abc"))


def folded(facts: list[LoginEvent | LogoutEvent], stored: Session | None = None) -> Session | None:
    result = fold_facts(stored, facts, identity=IDENTITY, lifetimes=LIFETIMES, now=NOW)
    return stored if result.item is None else result.item


def items(session: Session | None) -> list[Session]:
    return [] if session is None else [session]


@given(facts=st.lists(LOGINS | LOGOUTS, max_size=6), event=LOGINS | LOGOUTS)
def test_an_event_is_contained_exactly_where_applying_it_would_change_nothing(
    facts: list[LoginEvent | LogoutEvent], event: LoginEvent | LogoutEvent
) -> None:
    stored = folded(facts)
    outcomes = fold_facts(stored, [event], identity=IDENTITY, lifetimes=LIFETIMES, now=NOW).outcomes

    changes_nothing = outcomes[0].value in ("duplicate", "stale")

    assert is_contained(event, items(stored)) is changes_nothing


@given(facts=st.lists(LOGINS | LOGOUTS, max_size=6), event=LOGINS | LOGOUTS)
def test_an_event_that_was_applied_is_seen_to_be(
    facts: list[LoginEvent | LogoutEvent], event: LoginEvent | LogoutEvent
) -> None:
    stored = folded(facts)

    if before(event, items(stored)) is None:
        assert after(event, items(stored)) is None
        assert after(event, items(folded([event], stored))) is Verdict.APPLIED
    else:
        assert before(event, items(stored)) in (Verdict.DUPLICATE, Verdict.STALE)


@given(minutes=st.lists(st.tuples(MINUTES, st.sampled_from([None, "s1", "s2"])), max_size=4), minute=MINUTES)
def test_a_logout_of_everything_is_contained_exactly_where_it_would_change_nothing(
    minutes: list[tuple[int, str | None]], minute: int
) -> None:
    events = [logout_all(minute=each, except_session_id=exception) for each, exception in minutes]
    stored = fold_logouts_all(None, events, now=NOW).item
    event = logout_all(minute=minute)

    changes_nothing = fold_logouts_all(stored, [event], now=NOW).outcomes[0].value == "duplicate"

    assert is_contained(event, [] if stored is None else [stored]) is changes_nothing


@pytest.mark.parametrize(
    ("event", "stored", "verdict"),
    [
        (login(minute=5), folded([login(minute=5)]), Verdict.DUPLICATE),
        (login(minute=5, event_id="x"), folded([login(minute=1), login(minute=9)]), Verdict.STALE),
        (logout(minute=5), folded([logout(minute=5)]), Verdict.DUPLICATE),
        (logout(minute=9), folded([logout(minute=5)]), Verdict.STALE),
        (login(minute=5), folded([login(minute=1)]), None),
        (login(minute=5), None, None),
    ],
)
def test_a_copy_and_what_comes_too_late_are_told_before_they_are_sent(
    event: Event, stored: Session | None, verdict: Verdict | None
) -> None:
    assert before(event, items(stored)) is verdict


def test_a_logout_without_customer_has_to_reach_everybody_who_has_the_session() -> None:
    event = logout(customer_id=None)
    ended, other = folded([logout()]), Session(session_id="s1", customer_id="customer-2")

    assert ended is not None
    assert is_contained(event, [ended])
    assert not is_contained(event, [ended, other])
    assert not is_contained(event, [])


def test_a_login_of_another_customers_child_is_never_contained() -> None:
    event = login(customer_id="customer-2", parent_session_id="p")

    assert not is_contained(event, items(folded([login(minute=9)])))


@pytest.mark.parametrize(
    ("event", "keys"),
    [
        (login(), [session_key("s1", "customer-1")]),
        (login(parent_session_id="p"), [child_session_key("p", "s1")]),
        (logout(customer_id=None), []),
        (logout_all(), [revocation_key("customer-1")]),
    ],
)
def test_an_event_is_looked_for_under_its_own_key(event: Event, keys: list[object]) -> None:
    assert keys_of(event) == keys
