"""Why an event is rejected, word for word: what publishers read, with the field's name and no value."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from schemas.errors import RejectedEventError
from schemas.events import LoginEvent, LogoutAllEvent, LogoutEvent, parse_event, to_json
from schemas.times import parse_rfc3339

LOGIN = {
    "event_type": "login",
    "event_id": "e-1",
    "occurred_at": "2026-03-01T10:20:30Z",
    "customer_id": "c",
    "session_id": "s",
}
OCCURRED_AT = parse_rfc3339("2026-03-01T10:20:30Z")
NOT_A_TIME = "not an RFC 3339 date-time with offset, like 2026-03-01T10:20:30.123Z"
MASKED = "is the masked form of a value in a rejected event; publish the original event instead"


@pytest.mark.parametrize("body", [None, [], "x", 5])
def test_a_body_that_is_not_an_object_is_named_so(body: object) -> None:
    with pytest.raises(RejectedEventError, match=r"^the event must be a JSON object$") as caught:
        parse_event(body)

    assert caught.value.event_id is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"event_type": None}, "event_type is missing; send login, logout or logout_all"),
        ({"event_type": 5}, "event_type must be a string: login, logout or logout_all"),
        ({"event_type": ""}, "event_type must be a string: login, logout or logout_all"),
        ({"event_type": "Log-In"}, "event_type is misspelt; write login, logout or logout_all, in lower case"),
        ({"event_type": "Log-Out"}, "event_type is misspelt; write login, logout or logout_all, in lower case"),
        ({"event_type": "LOGOUT_ALL"}, "event_type is misspelt; write login, logout or logout_all, in lower case"),
        ({"customer_id": None}, "customer_id is missing"),
        ({"customer_id": ""}, "customer_id is empty"),
        ({"access_token": ""}, "access_token is empty"),
        ({"access_token": "\ud800"}, "access_token: contains a lone surrogate"),
        ({"customer_id": "a\nb"}, "customer_id contains a control character"),
        ({"customer_id": "\ud800"}, "customer_id contains a lone surrogate"),
        ({"customer_id": "<text, 5>"}, f"customer_id: {MASKED}"),
        ({"customer_id": "é" * 167}, "customer_id: is longer than 1,000 bytes once percent-encoded"),
        ({"client": []}, "client must be a JSON object"),
        ({"client": {"country": "x\0"}}, "client.country contains a control character"),
        ({"occurred_at": 5}, "occurred_at: must be a string with an RFC 3339 date-time, like 2026-03-01T10:20:30.123Z"),
        ({"occurred_at": "soon"}, f"occurred_at: {NOT_A_TIME}"),
        ({"occurred_at": "2026-02-30T00:00:00Z"}, "occurred_at: not a date and time of the years 1 to 9999"),
        ({"occurred_at": datetime(2026, 3, 1)}, "occurred_at: a datetime needs a time zone"),  # noqa: DTZ001 # the case
        ({"occurred_at": "9000-01-01T00:00:00.001Z"}, "occurred_at: lies beyond the year 9000"),
        ({"session_id": None, "customer_id": ""}, "customer_id is empty; session_id is missing"),
    ],
)
def test_a_rejected_event_says_which_field_and_what_to_do(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(RejectedEventError) as caught:
        parse_event(LOGIN | changes)

    assert caught.value.reason == reason
    assert caught.value.event_id == "e-1"


@pytest.mark.parametrize(
    ("body", "detail_type", "reason"),
    [
        ({}, "log-in", "the detail-type is misspelt; write Login, Logout or LogoutAll"),
        ({}, "LOGOUTALL", "the detail-type is misspelt; write Login, Logout or LogoutAll"),
        (
            {"event_type": "logout"},
            "Login",
            "event_type contradicts the detail-type of the EventBridge event; leave one of them out",
        ),
    ],
)
def test_a_detail_type_that_is_misspelt_or_contradicts_is_rejected(
    body: dict[str, Any], detail_type: str, reason: str
) -> None:
    with pytest.raises(RejectedEventError) as caught:
        parse_event(body, envelope={"id": "bus-1", "detail-type": detail_type})

    assert (caught.value.reason, caught.value.event_id) == (reason, "bus-1")


@pytest.mark.parametrize("detail_type", ["Order placed", "session", 5, None, []])
def test_a_detail_type_of_another_kind_is_ignored(detail_type: object) -> None:
    assert parse_event({}, envelope={"id": "bus-1", "detail-type": detail_type}) is None


@pytest.mark.parametrize("event_type", ["signup", "log in again"])
def test_an_event_of_another_kind_is_ignored(event_type: str) -> None:
    assert parse_event({"event_type": event_type}) is None


def test_an_envelope_gives_id_and_type_where_the_event_has_none() -> None:
    body = {name: value for name, value in LOGIN.items() if name not in ("event_id", "event_type")}

    event = parse_event(body, envelope={"id": "bus-1", "detail-type": "Login"})
    named = parse_event(LOGIN, envelope={"id": "bus-1", "detail-type": "Login"})

    assert isinstance(event, LoginEvent)
    assert isinstance(named, LoginEvent)
    assert (event.event_id, named.event_id) == ("bus-1", "e-1")


def test_a_member_that_is_null_is_an_absent_one() -> None:
    body = LOGIN | {"event_id": None, "parent_session_id": None}

    event = parse_event(body, envelope={"id": "bus-1"})

    assert event is not None
    assert event.event_id == "bus-1"


@pytest.mark.parametrize(
    ("event_id", "shown"),
    [("x", "x"), ("x" * 256, "x" * 256), ("x" * 257, None), ("", None), (5, None), ("a\nb", None)],
    ids=["the shortest", "the longest", "too long", "empty", "a number", "not printable"],
)
def test_a_rejection_shows_the_event_id_only_where_it_looks_like_one(event_id: object, shown: str | None) -> None:
    with pytest.raises(RejectedEventError) as caught:
        parse_event(LOGIN | {"event_id": event_id, "customer_id": ""})

    assert caught.value.event_id == shown


@pytest.mark.parametrize(("milliseconds", "is_taken"), [(300_000, True), (300_001, False)], ids=["at", "above"])
def test_a_clock_may_be_five_minutes_ahead(milliseconds: int, is_taken: bool) -> None:
    sent_at = OCCURRED_AT - timedelta(milliseconds=milliseconds)

    if is_taken:
        assert parse_event(LOGIN, sent_at=sent_at) is not None
    else:
        with pytest.raises(RejectedEventError) as caught:
            parse_event(LOGIN, sent_at=sent_at)
        assert caught.value.event_id == "e-1"
        assert caught.value.reason == (
            "occurred_at lies more than 5 minutes after the message was sent; check the publisher's clock and time zone"
        )


def test_a_time_at_the_year_9000_and_one_in_another_zone_are_taken() -> None:
    latest = parse_event(LOGIN | {"occurred_at": "9000-01-01T00:00:00Z"})
    zoned = parse_event(LOGIN | {"occurred_at": datetime.fromisoformat("2026-03-01T12:20:30.000999+02:00")})

    assert latest is not None
    assert latest.occurred_at == datetime(9000, 1, 1, tzinfo=UTC)
    assert zoned is not None
    assert zoned.occurred_at == OCCURRED_AT
    assert zoned.occurred_at.tzinfo is UTC


@pytest.mark.parametrize(("more", "is_taken"), [("abcd", True), ("abcde", False)], ids=["1,000 bytes", "1,001 bytes"])
def test_an_id_may_be_a_thousand_bytes_once_encoded(more: str, is_taken: bool) -> None:
    body = LOGIN | {"session_id": "é" * 166 + more}

    if is_taken:
        assert parse_event(body) is not None
    else:
        with pytest.raises(RejectedEventError, match="percent-encoded"):
            parse_event(body)


@pytest.mark.parametrize(
    ("user_agent", "expected"),
    [
        ("Mozilla/5.0", "Mozilla/5.0"),
        ("x\ty\u200bz", "x y z"),
        ("x" * 39, "x" * 39),
        ("é " * 200, "é " * 128),
        ("a b\n" * 100, "a b " * 64),
        ("", None),
        (" " * 3, "   "),
        (None, None),
    ],
)
def test_a_user_agent_is_cut_and_made_printable(user_agent: str | None, expected: str | None) -> None:
    event = parse_event(LOGIN | {"client": {"user_agent": user_agent}})

    assert isinstance(event, LoginEvent)
    assert event.client.user_agent == expected


@pytest.mark.parametrize("name", ["ip", "device_id", "country"])
def test_an_empty_detail_of_the_client_is_an_absent_one(name: str) -> None:
    event = parse_event(LOGIN | {"client": {name: ""}})

    assert isinstance(event, LoginEvent)
    assert getattr(event.client, name) is None


def test_a_user_agent_of_another_type_is_rejected() -> None:
    with pytest.raises(RejectedEventError, match=r"^client\.user_agent: "):
        parse_event(LOGIN | {"client": {"user_agent": 5}})


def test_canonical_json_is_what_a_publisher_would_send() -> None:
    login = LoginEvent.model_validate(
        LOGIN | {"access_token": "t", "client": {"country": "DE"}, "expires_at": "2026-03-01T11:00:00+01:00"}
    )
    logout = LogoutEvent(event_id="e-2", occurred_at=OCCURRED_AT, session_id="s")
    everywhere = LogoutAllEvent(event_id="e-3", occurred_at=OCCURRED_AT, customer_id="c")

    assert to_json(login) == LOGIN | {
        "occurred_at": "2026-03-01T10:20:30.000Z",
        "expires_at": "2026-03-01T10:00:00.000Z",
        "client": {"country": "DE"},
    }
    assert to_json(logout) == {
        "event_id": "e-2",
        "occurred_at": "2026-03-01T10:20:30.000Z",
        "event_type": "logout",
        "session_id": "s",
        "reason": "user",
    }
    assert to_json(everywhere) == {
        "event_id": "e-3",
        "occurred_at": "2026-03-01T10:20:30.000Z",
        "event_type": "logout_all",
        "customer_id": "c",
    }
