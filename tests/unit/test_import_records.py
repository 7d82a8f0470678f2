"""Stored sessions of any origin as the events that would have made them."""

from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.importing.records import FIELDS, Reading, events_of
from processors.register.sessions import Lifetimes, fold_facts
from schemas.errors import RejectedEventError
from schemas.events import Event, LoginEvent, LogoutAllEvent, LogoutEvent
from schemas.item_mapping import write_item
from schemas.items import CLOSING, Revocation, Session
from tests.conftest import NOW, at

PLAIN = Reading({})
SESSION = {"session_id": "s", "customer_id": "c", "last_login_time": "2026-03-01T12:00:00Z"}


def made(value: Any, reading: Reading = PLAIN) -> list[Event]:
    events = events_of(value, reading, now=NOW)
    assert events is not None
    return events


def wrong(value: Any, reading: Reading = PLAIN) -> str:
    with pytest.raises(RejectedEventError) as caught:
        events_of(value, reading, now=NOW)
    return caught.value.reason


def test_a_live_session_is_one_login_with_all_that_is_known() -> None:
    [event] = made(
        SESSION
        | {
            "expires_at": "2026-03-01T14:00:00+01:00",
            "client_ip": "192.0.2.1",
            "country": "NL",
            "device_id": "",
            "source": "old-store",
            "access_token": "secret",
            "last_login_event_id": "e-1",
            "theirs": 1,
        }
    )

    assert isinstance(event, LoginEvent)
    assert (event.event_id, event.occurred_at, event.expires_at) == ("e-1", at(0), at(60))
    assert (event.client.ip, event.client.country, event.client.device_id) == ("192.0.2.1", "NL", None)
    assert (event.source, "secret" in repr(event)) == ("old-store", False)


def test_a_session_with_an_earlier_start_and_an_end_is_two_logins_and_a_logout() -> None:
    last, first, end = made(
        SESSION | {"started_at": "2026-03-01T11:00:00Z", "ended_at": "2026-03-01T12:01:00Z", "end_reason": "admin"}
    )

    assert isinstance(last, LoginEvent)
    assert isinstance(first, LoginEvent)
    assert isinstance(end, LogoutEvent)
    assert (first.occurred_at, last.occurred_at, end.occurred_at) == (at(-60), at(0), at(1))
    assert end.reason == "admin"
    assert len({first.event_id, last.event_id, end.event_id}) == 3


@pytest.mark.parametrize("state", ["closing", "terminated"])
def test_a_session_that_is_over_without_saying_when_ended_with_its_last_login(state: str) -> None:
    _, end = made(SESSION | {"session_state": state})

    assert (end.event_type, end.occurred_at) == ("logout", at(0))


def test_the_same_line_makes_the_same_events_again_and_another_line_others() -> None:
    assert made(dict(SESSION)) == made(dict(SESSION))
    assert made(SESSION)[0].event_id != made(SESSION | {"customer_id": "d"})[0].event_id


@pytest.mark.parametrize(
    "value", ["2026-03-01T12:00:00Z", 1772366400, "1772366400", 1772366400000, "1772366400.25", 1772366400000.5]
)
def test_a_time_is_rfc_3339_or_epoch_seconds_or_milliseconds(value: Any) -> None:
    [event] = made(SESSION | {"last_login_time": value})

    assert event.occurred_at.replace(microsecond=0) == at(0)


def test_times_without_zone_are_taken_as_utc_only_where_somebody_says_so() -> None:
    value = SESSION | {"last_login_time": "2026-03-01T12:00:00"}

    assert wrong(value).startswith("last_login_time is a time without zone: give it an offset, or read such times")
    assert made(value, Reading({}, assume_utc=True))[0].occurred_at == at(0)


def test_columns_have_other_names_and_ids_get_a_namespace() -> None:
    reading = Reading({"customer_id": "user", "session_id": "sid", "last_login_time": "since"}, "okta:acme")
    [event] = made({"user": "u", "sid": "1", "since": 1772366400, "customer_id": "not this"}, reading)

    assert isinstance(event, LoginEvent)
    assert (event.customer_id, event.session_id) == ("okta:acme:u", "okta:acme:1")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ([], "not a JSON object"),
        ({"session_id": "s", "customer_id": "c"}, "started_at or last_login_time is missing"),
        (SESSION | {"session_id": ""}, "session_id is missing"),
        (SESSION | {"customer_id": 5}, "customer_id: Input should be a valid string"),
        (SESSION | {"last_login_time": "yesterday"}, "last_login_time is not a time"),
        (SESSION | {"last_login_time": True}, "last_login_time is not a time"),
        (SESSION | {"last_login_time": "nan"}, "last_login_time is not a time"),
        (SESSION | {"expires_at": -1}, "expires_at is not a time"),
        (SESSION | {"expires_at": {"N": "1"}}, "expires_at is not a time"),
        (SESSION | {"started_at": "2026-03-01T12:00:01Z"}, "started_at lies after last_login_time"),
        (SESSION | {"last_login_time": "2026-03-01T13:00:00Z"}, "more than 5 minutes after"),
        ({"event_type": "purchase"}, "neither a login nor a logout"),
        ({"event_type": "login", "event_id": "e"}, "occurred_at is missing"),
    ],
)
def test_what_is_wrong_is_named_without_its_value(value: Any, reason: str) -> None:
    said = wrong(value)

    assert reason in said
    assert "yesterday" not in said


def test_a_canonical_event_is_taken_as_it_is() -> None:
    [event] = made({"event_type": "logout", "event_id": "e", "occurred_at": "2026-03-01T12:00:00Z", "session_id": "s"})

    assert (event.event_type, event.event_id) == ("logout", "e")


def test_an_item_of_dynamodbs_export_is_read_as_the_table_reads_it() -> None:
    child = Session(
        session_id="kid",
        customer_id="c",
        parent_session_id="s",
        started_at=at(-9),
        last_login_time=at(0),
        last_login_event_id="e-1",
        session_state=CLOSING,
        ended_at=at(1),
        ended_event_id="e-2",
        expires_at=at(60),
    )
    revocation = Revocation(customer_id="c", revoked_at=at(0), except_session_id="s", other_revoked_at=at(-5))

    last, first, end = made({"Item": write_item(child)})
    all_but_one, everything = made({"Item": write_item(revocation)})

    assert (last.event_id, end.event_id) == ("e-1", "e-2")
    assert isinstance(first, LoginEvent)
    assert (first.parent_session_id, first.occurred_at, first.expires_at) == ("s", at(-9), at(60))
    assert isinstance(all_but_one, LogoutAllEvent)
    assert isinstance(everything, LogoutAllEvent)
    assert (all_but_one.except_session_id, everything.except_session_id) == ("s", None)


def test_an_item_of_the_original_schema_keeps_its_token_as_a_hash_only_and_times_without_zone_are_utc() -> None:
    item = {
        "PK": {"S": "suuid#s"},
        "SK": {"S": "c#c"},
        "last_login_time": {"S": "2026-03-01T12:00:00"},
        "access_token": {"S": "secret"},
    }

    [event] = made({"Item": item})

    assert isinstance(event, LoginEvent)
    assert event.occurred_at == at(0)
    assert event.access_token is not None
    assert event.access_token.get_secret_value() == "secret"


def test_an_item_of_any_other_table_is_read_by_the_columns_that_are_named() -> None:
    item = {"id": {"S": "s"}, "user": {"S": "c"}, "since": {"N": "1772366400"}}
    reading = Reading({"session_id": "id", "customer_id": "user", "last_login_time": "since"})

    [event] = made({"Item": item | {"PK": {"S": "x"}}}, reading)

    assert isinstance(event, LoginEvent)
    assert (event.session_id, event.customer_id, event.occurred_at) == ("s", "c", at(0))


@pytest.mark.parametrize(
    "value",
    [
        {"Item": {"PK": {"S": "cart#1"}, "SK": {"S": "line#1"}}},
        {"Item": {"PK": {"S": "erased"}, "SK": {"S": "2026-03-01T12:00:00.000Z#abc"}}},
        {"Keys": {"PK": {"S": "suuid#s"}, "SK": {"S": "c#c"}}, "OldImage": {}},
    ],
)
def test_items_that_are_no_sessions_are_passed_over(value: Any) -> None:
    assert events_of(value, PLAIN, now=NOW) is None


def test_an_incremental_export_shows_the_item_as_it_is_now() -> None:
    session = Session(session_id="s", customer_id="c", last_login_time=at(0))

    [event] = made({"Keys": {}, "NewImage": write_item(session), "OldImage": {}})

    assert isinstance(event, LoginEvent)
    assert event.session_id == "s"


TIMES = st.integers(-10_000, 0).map(at)


@given(st.tuples(TIMES, TIMES), st.none() | TIMES, st.integers(1, 9000))
def test_importing_an_item_of_this_schema_makes_the_same_session_again(
    logins: tuple[Any, Any], ended_at: Any, minutes: int
) -> None:
    stored = Session(
        session_id="s",
        customer_id="c",
        started_at=min(logins),
        last_login_time=max(logins),
        last_login_event_id="e",
        expires_at=max(logins) + (at(minutes) - at(0)),
        client_ip="192.0.2.1",
        **({} if ended_at is None else {"session_state": CLOSING, "ended_at": ended_at, "ended_event_id": "f"}),
        end_reason=None if ended_at is None else "user",
    )

    events = made({"Item": write_item(stored)})

    empty = Session(session_id="s", customer_id="c")
    facts = [event for event in events if isinstance(event, LoginEvent | LogoutEvent)]
    folded = fold_facts(None, facts, identity=empty, lifetimes=Lifetimes(), now=NOW).item
    assert folded is not None
    assert replace(folded, ttl=None) == stored


@given(st.dictionaries(st.sampled_from(FIELDS), st.none() | st.booleans() | st.floats() | st.text() | st.integers()))
def test_any_record_makes_events_or_a_reason(value: dict[str, Any]) -> None:
    with suppress(RejectedEventError):
        assert events_of(value, PLAIN, now=NOW)
