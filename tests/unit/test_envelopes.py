"""What an event comes wrapped in, and what the wrapping stands in for."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.envelopes import RejectedEvent, read_body, read_events
from schemas.errors import RejectedEventError
from schemas.events import LoginEvent, LogoutAllEvent, LogoutEvent
from tests.eventbridge import read_eventbridge_event

TOKEN = "tok-9f8e7d6c5b4a"
SENT_AT = datetime(2026, 3, 1, 10, 20, 31, tzinfo=UTC)

DETAIL: dict[str, Any] = {
    "event_id": "login-1",
    "event_type": "login",
    "occurred_at": "2026-03-01T10:20:30Z",
    "customer_id": "customer-1",
    "session_id": "session-1",
    "access_token": TOKEN,
}
BARE_DETAIL = {name: value for name, value in DETAIL.items() if name not in ("event_id", "event_type")}


def eventbridge(detail: object = DETAIL, **changes: object) -> dict[str, Any]:
    return {
        "version": "0",
        "id": "envelope-1",
        "detail-type": "Login",
        "source": "com.example.auth",
        "time": "2026-03-01T10:20:31Z",
        "detail": detail,
    } | {name.replace("_", "-"): value for name, value in changes.items()}


def notification(message: object) -> dict[str, Any]:
    return {
        "Type": "Notification",
        "MessageId": "1",
        "Message": json.dumps(message),
        "Timestamp": "2026-03-01T10:20:31Z",
    }


def rejection_of(content: object) -> RejectedEventError:
    with pytest.raises(RejectedEventError) as caught:
        read_body(json.dumps(content), sent_at=SENT_AT)
    assert TOKEN not in caught.value.reason
    return caught.value


@pytest.mark.parametrize(
    "content",
    [DETAIL, eventbridge(), notification(DETAIL), notification(eventbridge())],
    ids=["bare", "EventBridge event", "SNS notification", "EventBridge event in an SNS notification"],
)
def test_an_event_is_the_same_whatever_it_comes_in(content: object) -> None:
    event = read_body(json.dumps(content), sent_at=SENT_AT)

    assert event == read_body(json.dumps(DETAIL), sent_at=SENT_AT)
    assert isinstance(event, LoginEvent)


def test_the_envelope_stands_in_for_id_and_type() -> None:
    event = read_body(json.dumps(eventbridge(BARE_DETAIL)), sent_at=SENT_AT)

    assert isinstance(event, LoginEvent)
    assert event.event_id == "envelope-1"


def test_null_in_the_detail_lets_the_envelope_stand_in() -> None:
    event = read_eventbridge_event(eventbridge(BARE_DETAIL | {"event_id": None, "event_type": None}))

    assert isinstance(event, LoginEvent)
    assert event.event_id == "envelope-1"


@pytest.mark.parametrize(
    ("detail_type", "model"), [("Login", LoginEvent), ("Logout", LogoutEvent), ("LogoutAll", LogoutAllEvent)]
)
def test_the_detail_type_says_the_kind(detail_type: str, model: type) -> None:
    assert type(read_eventbridge_event(eventbridge(BARE_DETAIL, detail_type=detail_type))) is model


@pytest.mark.parametrize(
    ("detail_type", "event_type"), [("Login", "logout"), ("Logout", "login"), ("Login", "password_changed")]
)
def test_a_contradiction_of_type_and_detail_type_is_rejected(detail_type: str, event_type: str) -> None:
    error = rejection_of(eventbridge(DETAIL | {"event_type": event_type}, detail_type=detail_type))

    assert "contradicts" in error.reason
    assert error.event_id == "login-1"


def test_another_detail_type_with_a_type_of_ours_is_ours() -> None:
    assert isinstance(read_eventbridge_event(eventbridge(detail_type="com.example.session")), LoginEvent)


@pytest.mark.parametrize("detail_type", ["PasswordChanged", "Scheduled Event", "", None, 5])
def test_an_event_of_another_kind_is_ignored(detail_type: object) -> None:
    assert read_eventbridge_event(eventbridge(BARE_DETAIL, detail_type=detail_type)) is None


@pytest.mark.parametrize("detail_type", ["login", "LOGIN", "Log-out", "logout_all", "Logout All"])
def test_a_misspelt_detail_type_is_rejected_rather_than_lost(detail_type: str) -> None:
    error = rejection_of(eventbridge(BARE_DETAIL, detail_type=detail_type))

    assert error.reason == "the detail-type is misspelt; write Login, Logout or LogoutAll"


@pytest.mark.parametrize("envelope_id", [None, 5, "", "x" * 257, "\n"], ids=repr)
def test_an_envelope_without_a_proper_id_stands_in_for_none(envelope_id: object) -> None:
    error = rejection_of(eventbridge(BARE_DETAIL, id=envelope_id))

    assert error.reason.startswith("event_id")
    assert error.event_id is None or error.event_id == envelope_id


def test_an_eventbridge_event_is_compared_with_the_earlier_of_its_own_time_and_the_handlers_clock() -> None:
    ahead = eventbridge(DETAIL | {"occurred_at": "2026-03-01T10:30:00Z"}, time="2026-03-01T10:26:00Z")

    assert read_eventbridge_event(ahead, sent_at=SENT_AT + timedelta(hours=1)) is not None
    assert read_eventbridge_event(ahead) is not None
    with pytest.raises(RejectedEventError, match="5 minutes"):
        read_eventbridge_event(ahead, sent_at=SENT_AT)


def test_a_rule_target_event_in_a_message_is_compared_with_when_the_message_was_sent() -> None:
    ahead = eventbridge(DETAIL | {"occurred_at": "2026-03-01T10:30:00Z"}, time="2026-03-01T10:26:00Z")

    assert "5 minutes" in rejection_of(ahead).reason


@pytest.mark.parametrize("time", [None, 5, "soon", "2026-03-01T10:20:31"])
def test_an_eventbridge_event_without_proper_time_is_compared_with_what_the_caller_says(time: object) -> None:
    event = eventbridge(time=time)

    assert read_eventbridge_event(event, sent_at=SENT_AT) is not None
    with pytest.raises(RejectedEventError, match="5 minutes"):
        read_eventbridge_event(event, sent_at=SENT_AT - timedelta(hours=1))


@pytest.mark.parametrize(
    "event",
    [None, [], "x", {}, DETAIL, eventbridge(None), eventbridge([])],
    ids=["null", "list", "text", "empty", "bare", "no detail", "list as detail"],
)
def test_what_is_no_eventbridge_event_is_rejected(event: object) -> None:
    with pytest.raises(RejectedEventError, match="not an EventBridge event"):
        read_eventbridge_event(event)


@pytest.mark.parametrize("body", [None, "", 5, b"{}", {}])
def test_a_message_without_text_is_rejected(body: object) -> None:
    with pytest.raises(RejectedEventError, match="has no body"):
        read_body(body, sent_at=SENT_AT)


@pytest.mark.parametrize("name", ["Records", "records"])
def test_a_damaged_record_costs_itself_and_not_its_neighbours(name: str) -> None:
    whole, twice = json.dumps(DETAIL), '{"event_id": "e", "event_id": "f"}'

    neighbours = read_events(f'{{"{name}": [{whole}, {twice}, {whole}], "x": 1}}', sent_at=SENT_AT)

    assert [type(found) for found in neighbours] == [LoginEvent, RejectedEvent, LoginEvent]
    for fault_elsewhere in (f'"x": {twice}', '"x": NaN', f'"{name}": []', '"event_type": "login"'):
        body = f'{{"{name}": [{whole}, {twice}], {fault_elsewhere}}}'
        assert [type(found) for found in read_events(body, sent_at=SENT_AT)] == [RejectedEvent]


def test_strictness_reaches_into_a_notification() -> None:
    twice = notification(DETAIL)
    twice["Message"] = twice["Message"][:-1] + ', "session_id": "session-2"}'

    assert "duplicate key" in rejection_of(twice).reason


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(), max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
ENVELOPE_FIELDS = ["version", "id", "detail-type", "source", "time", "detail", "Type", "Message", "replay-name"]


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(st.sampled_from(ENVELOPE_FIELDS), ANY_JSON | st.sampled_from([DETAIL, json.dumps(eventbridge())]))
)
def test_any_envelope_is_an_event_or_ignored_or_rejected_and_nothing_else(changes: dict[str, Any]) -> None:
    for envelope in (eventbridge() | changes, notification(DETAIL) | changes):
        for read in (lambda e: read_body(json.dumps(e), sent_at=SENT_AT), read_eventbridge_event):
            try:
                event = read(envelope)
            except RejectedEventError as error:
                assert error.reason.isprintable()  # noqa: PT017 # whether it is raised is the input's choice
            else:
                assert event is None or isinstance(event, LoginEvent | LogoutEvent | LogoutAllEvent)


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(), max_size=80))
def test_any_text_is_an_event_or_ignored_or_rejected_and_nothing_else(text: str) -> None:
    try:
        event = read_body(text, sent_at=SENT_AT)
    except RejectedEventError as error:
        assert error.reason  # noqa: PT017 # whether it is raised is the input's choice
    else:
        assert event is None
