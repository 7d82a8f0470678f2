"""The seeded day: what others count on when they publish it."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from ops.demo.day import MINIMUM_SIZE, POISON_SESSION_ID, make_day
from ops.demo.deliveries import Delivery, Kind
from ops.demo.malformed import BREAKAGES
from ops.demo.provider_shapes import PROVIDERS
from ops.publishing.publisher import Channel
from providers.envelopes import read_body
from schemas.errors import RejectedEventError
from schemas.events import Event, LoginEvent, LogoutAllEvent, LogoutEvent

pytestmark = pytest.mark.slow

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
LONGEST = timedelta(days=7)
DEFAULT = timedelta(hours=12)


def read(delivery: Delivery) -> Event | None:
    """Read a delivery as the consumer will find it in the queue."""
    if delivery.channel is Channel.QUEUE:
        return read_body(delivery.body, sent_at=NOW)
    envelope = {"id": "1", "source": "com.example.auth", "detail-type": delivery.detail_type}
    return read_body(json.dumps(envelope | {"detail": json.loads(delivery.body)}), sent_at=NOW)


def facts_of(day: list[Delivery]) -> list[Event]:
    facts = [read(delivery) for delivery in day if delivery.kind is not Kind.MALFORMED]
    return [fact for fact in facts if fact is not None]


def live_sessions(facts: list[Event]) -> dict[str, set[str]]:
    """Recount the day from its facts alone, in the plainest way: an oracle that shares nothing with the processors."""
    logins: dict[tuple[str, str], list[LoginEvent]] = {}
    for fact in facts:
        if isinstance(fact, LoginEvent) and fact.parent_session_id is None:
            logins.setdefault((fact.customer_id, fact.session_id), []).append(fact)
    logged_out = {fact.session_id for fact in facts if isinstance(fact, LogoutEvent)}
    revocations = [fact for fact in facts if isinstance(fact, LogoutAllEvent)]
    live: dict[str, set[str]] = {}
    for (customer_id, session_id), copies in logins.items():
        started_at = min(login.occurred_at for login in copies)
        expires_at = max(
            min(login.expires_at or login.occurred_at + DEFAULT, login.occurred_at + LONGEST) for login in copies
        )
        revoked = any(
            revocation.customer_id == customer_id
            and started_at <= revocation.occurred_at
            and session_id != revocation.except_session_id
            for revocation in revocations
        )
        if expires_at > NOW and session_id not in logged_out and not revoked:
            live.setdefault(customer_id, set()).add(session_id)
    return live


@pytest.fixture(scope="module")
def day() -> list[Delivery]:
    return make_day(seed=1, size=3000, now=NOW)


def test_the_same_seed_gives_the_same_day(day: list[Delivery]) -> None:
    again = make_day(seed=1, size=3000, now=NOW)
    other = make_day(seed=2, size=3000, now=NOW)

    assert again == day
    assert other != day


@pytest.mark.parametrize("size", [MINIMUM_SIZE, 137, 3000])
def test_a_day_has_exactly_the_size_asked_for(size: int) -> None:
    assert len(make_day(seed=3, size=size, now=NOW)) == size


@pytest.mark.parametrize("seed", range(20))
def test_the_smallest_day_holds_every_kind_on_both_channels(seed: int) -> None:
    day = make_day(seed=seed, size=MINIMUM_SIZE, now=NOW)

    assert {delivery.kind for delivery in day} == set(Kind)
    assert {delivery.channel for delivery in day} == set(Channel)
    assert {delivery.note for delivery in day if delivery.kind is Kind.MALFORMED} == {b.note for b in BREAKAGES}


@pytest.mark.parametrize("seed", range(5))
def test_only_the_malformed_are_malformed(seed: int) -> None:
    refused = []

    day = make_day(seed=seed, size=1000, now=NOW)
    for delivery in day:
        try:
            read(delivery)
        except RejectedEventError:
            refused.append(delivery)

    assert refused == [delivery for delivery in day if delivery.kind is Kind.MALFORMED]


def test_only_events_of_another_kind_are_read_as_none(day: list[Delivery]) -> None:
    ignored = [d for d in day if d.kind is not Kind.MALFORMED and read(d) is None]

    assert {delivery.kind for delivery in ignored} == {Kind.OTHER}


def test_everything_occurs_within_the_24_hours_before_now(day: list[Delivery]) -> None:
    moments = [fact.occurred_at for fact in facts_of(day)]

    assert NOW - timedelta(hours=24) <= min(moments)
    assert max(moments) <= NOW


def test_eventbridge_carries_json_objects_with_a_detail_type_and_the_queue_needs_none(day: list[Delivery]) -> None:
    over_eventbridge = [delivery for delivery in day if delivery.channel is Channel.EVENTBRIDGE]
    over_queue = [delivery for delivery in day if delivery.channel is Channel.QUEUE]

    assert all(isinstance(json.loads(delivery.body), dict) for delivery in over_eventbridge)
    assert {delivery.detail_type for delivery in over_eventbridge} == {"Login", "Logout", "LogoutAll"}
    assert {delivery.detail_type for delivery in over_queue} == {""}


def test_an_event_id_comes_twice_only_as_a_copy_of_the_same_event(day: list[Delivery]) -> None:
    facts = facts_of(day)

    by_id: dict[str, set[str]] = {}
    for fact in facts:
        by_id.setdefault(fact.event_id, set()).add(repr(fact))

    assert len(by_id) < len(facts)
    assert all(len(versions) == 1 for versions in by_id.values())


@pytest.mark.parametrize("seed", range(5))
def test_some_logouts_overtake_their_logins_but_never_those_that_name_no_customer(seed: int) -> None:
    logged_in: set[str] = set()
    overtaking = []

    for fact in facts_of(make_day(seed=seed, size=3000, now=NOW)):
        if isinstance(fact, LoginEvent):
            logged_in.add(fact.session_id)
        elif isinstance(fact, LogoutEvent) and fact.session_id not in logged_in:
            overtaking.append(fact)

    assert len(overtaking) > 10
    assert [fact.session_id for fact in overtaking if fact.customer_id is None] == [POISON_SESSION_ID]


def test_the_poison_message_is_the_one_logout_without_customer_whose_login_never_comes(day: list[Delivery]) -> None:
    facts = facts_of(day)

    logged_in = {fact.session_id for fact in facts if isinstance(fact, LoginEvent)}
    unresolved = {
        fact.session_id for fact in facts if isinstance(fact, LogoutEvent) and fact.customer_id is None
    } - logged_in

    assert unresolved == {POISON_SESSION_ID}
    assert Counter(delivery.kind for delivery in day)[Kind.POISON] == 1


def test_sessions_end_in_every_way_and_some_go_on(day: list[Delivery]) -> None:
    facts = facts_of(day)
    logins = [fact for fact in facts if isinstance(fact, LoginEvent)]

    live = live_sessions(facts)

    ran_out = [login for login in logins if login.expires_at and login.expires_at < NOW]
    asks_for_too_long = [
        login for login in logins if login.expires_at and login.expires_at - login.occurred_at > LONGEST
    ]
    assert len(ran_out) > 50
    assert len(asks_for_too_long) > 50
    assert sum(len(sessions) for sessions in live.values()) > 100
    assert max(len(sessions) for sessions in live.values()) >= 3


def test_the_count_that_follows_from_the_facts_does_not_depend_on_the_order(day: list[Delivery]) -> None:
    facts = facts_of(day)

    backwards = live_sessions(facts[::-1])

    assert backwards == live_sessions(facts)


def test_each_login_has_a_token_of_its_own(day: list[Delivery]) -> None:
    logins = {fact.event_id: fact for fact in facts_of(day) if isinstance(fact, LoginEvent)}

    tokens = {login.access_token.get_secret_value() for login in logins.values() if login.access_token}

    assert len(tokens) > 0.9 * len(logins)


def test_the_day_speaks_the_shapes_of_three_identity_systems_each_with_logins_and_logouts(day: list[Delivery]) -> None:
    kinds = {(d.provider, fact.event_type) for d in day if d.provider and (fact := read(d)) is not None}

    sources = {fact.source for d in day if d.provider and (fact := read(d)) is not None}

    assert sources == set(PROVIDERS)
    assert kinds >= {(provider, kind) for provider in PROVIDERS for kind in ("login", "logout")}


def test_a_day_too_small_for_every_kind_is_refused_with_the_least_size() -> None:
    with pytest.raises(ValueError, match=f"at least {MINIMUM_SIZE} events"):
        make_day(seed=1, size=MINIMUM_SIZE - 1, now=NOW)


def test_now_without_a_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        make_day(seed=1, size=MINIMUM_SIZE, now=NOW.replace(tzinfo=None))
