"""The canonical event: what is accepted, what is refused and with which words."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from providers.envelopes import read_body
from schemas.errors import RejectedEventError
from schemas.events import (
    EVENT_MODELS,
    MAX_CLOCK_AHEAD,
    Client,
    Event,
    LoginEvent,
    LogoutAllEvent,
    LogoutEvent,
    parse_event,
    to_json,
)
from schemas.times import format_rfc3339

TOKEN = "tok-9f8e7d6c5b4a"
NOW = datetime(2026, 3, 1, 10, 20, 30, 123000, tzinfo=UTC)

LOGIN: dict[str, Any] = {
    "event_id": "login-1",
    "event_type": "login",
    "occurred_at": "2026-03-01T10:20:30.123Z",
    "customer_id": "customer-1",
    "session_id": "session-1",
    "parent_session_id": "session-0",
    "expires_at": "2026-03-01T22:20:30Z",
    "access_token": TOKEN,
    "client": {"ip": "192.0.2.1", "user_agent": "Example/1", "device_id": "laptop-1", "country": "DE"},
    "source": "auth.example.com",
}
LOGOUT: dict[str, Any] = {
    "event_id": "logout-1",
    "event_type": "logout",
    "occurred_at": "2026-03-01T10:20:30.123Z",
    "customer_id": "customer-1",
    "session_id": "session-1",
    "parent_session_id": "session-0",
    "reason": "admin",
    "source": "auth.example.com",
}
LOGOUT_ALL: dict[str, Any] = {
    "event_id": "logout-all-1",
    "event_type": "logout_all",
    "occurred_at": "2026-03-01T10:20:30.123Z",
    "customer_id": "customer-1",
    "except_session_id": "session-1",
    "source": "auth.example.com",
}
REQUIRED = {
    "login": ("event_id", "event_type", "occurred_at", "customer_id", "session_id"),
    "logout": ("event_id", "event_type", "occurred_at", "session_id"),
    "logout_all": ("event_id", "event_type", "occurred_at", "customer_id"),
}
EVENTS = {"login": LOGIN, "logout": LOGOUT, "logout_all": LOGOUT_ALL}
FIELDS = [(kind, name) for kind, event in EVENTS.items() for name in event]
OPTIONAL_FIELDS = [(kind, name) for kind, name in FIELDS if name not in REQUIRED[kind]]


def read(fields: object, *, sent_at: datetime | None = None) -> Event | None:
    return read_body(json.dumps(fields), sent_at=sent_at)


def rejection_of(fields: object, *, sent_at: datetime | None = None) -> RejectedEventError:
    with pytest.raises(RejectedEventError) as caught:
        read(fields, sent_at=sent_at)
    assert TOKEN not in caught.value.reason
    assert TOKEN not in str(caught.value)
    return caught.value


def without(fields: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if key != name}


def test_a_login_is_read_whole() -> None:
    event = read(LOGIN)

    assert event == LoginEvent(
        event_id="login-1",
        occurred_at=NOW,
        source="auth.example.com",
        customer_id="customer-1",
        session_id="session-1",
        parent_session_id="session-0",
        expires_at=datetime(2026, 3, 1, 22, 20, 30, tzinfo=UTC),
        access_token=TOKEN,  # type: ignore[arg-type] # pydantic wraps it
        client=Client(ip="192.0.2.1", user_agent="Example/1", device_id="laptop-1", country="DE"),
    )


def test_a_logout_is_read_whole() -> None:
    event = read(LOGOUT)

    assert event == LogoutEvent(
        event_id="logout-1",
        occurred_at=NOW,
        source="auth.example.com",
        customer_id="customer-1",
        session_id="session-1",
        parent_session_id="session-0",
        reason="admin",
    )


def test_a_logout_of_everything_is_read_whole() -> None:
    event = read(LOGOUT_ALL)

    assert event == LogoutAllEvent(
        event_id="logout-all-1",
        occurred_at=NOW,
        source="auth.example.com",
        customer_id="customer-1",
        except_session_id="session-1",
    )


def test_a_logout_without_reason_is_one_by_the_user() -> None:
    event = read(without(LOGOUT, "reason"))

    assert isinstance(event, LogoutEvent)
    assert event.reason == "user"


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, names in REQUIRED.items() for name in names])
@pytest.mark.parametrize("is_null", [True, False], ids=["null", "absent"])
def test_a_required_field_that_is_null_or_absent_is_named(kind: str, name: str, is_null: bool) -> None:
    event = EVENTS[kind] | {name: None} if is_null else without(EVENTS[kind], name)

    error = rejection_of(event)

    assert error.reason.startswith(f"{name} is missing")
    assert error.event_id == (None if name == "event_id" else event["event_id"])


@pytest.mark.parametrize(("kind", "name"), OPTIONAL_FIELDS)
def test_null_in_an_optional_field_means_absent(kind: str, name: str) -> None:
    assert read(EVENTS[kind] | {name: None}) == read(without(EVENTS[kind], name))


@pytest.mark.parametrize("name", ["ip", "user_agent", "device_id", "country"])
@pytest.mark.parametrize("value", [None, ""], ids=["null", "empty"])
def test_null_and_empty_in_the_client_mean_absent(name: str, value: str | None) -> None:
    assert read(LOGIN | {"client": LOGIN["client"] | {name: value}}) == read(
        LOGIN | {"client": without(LOGIN["client"], name)}
    )


@pytest.mark.parametrize(("kind", "name"), [field for field in FIELDS if field[1] != "client"])
@pytest.mark.parametrize("value", [True, 0, 1.5, [], {}, ["session-1"], {"S": "x"}], ids=repr)
def test_a_value_of_the_wrong_type_is_rejected_by_the_name_of_its_field(kind: str, name: str, value: object) -> None:
    error = rejection_of(EVENTS[kind] | {name: value})

    assert error.reason.startswith(name)


@pytest.mark.parametrize("value", [True, 0, 1.5, [], "x", ""], ids=repr)
def test_a_client_that_is_no_object_is_rejected(value: object) -> None:
    error = rejection_of(LOGIN | {"client": value})

    assert error.reason == "client must be a JSON object"


@pytest.mark.parametrize("name", ["ip", "user_agent", "device_id", "country"])
@pytest.mark.parametrize("value", [True, 0, 1.5, [], {}], ids=repr)
def test_a_value_of_the_wrong_type_in_the_client_is_rejected(name: str, value: object) -> None:
    error = rejection_of(LOGIN | {"client": {name: value}})

    assert error.reason.startswith(f"client.{name}")


@pytest.mark.parametrize(("kind", "name"), [field for field in FIELDS if field[1] != "client"])
def test_an_empty_string_is_rejected_by_the_name_of_its_field(kind: str, name: str) -> None:
    error = rejection_of(EVENTS[kind] | {name: ""})

    assert error.reason.startswith(name)


@pytest.mark.parametrize("name", ["event_id", "customer_id", "session_id", "parent_session_id", "source"])
@pytest.mark.parametrize("character", ["\0", "\n", "\x1f", "\x7f", "\x85", "\x9f"])
@pytest.mark.parametrize("text", ["{}x", "x{}", "x{}x"])
def test_a_control_character_is_rejected_wherever_it_stands(name: str, character: str, text: str) -> None:
    error = rejection_of(LOGIN | {name: text.format(character)})

    assert error.reason == f"{name} contains a control character"


@pytest.mark.parametrize(("kind", "name"), [field for field in FIELDS if field[1] not in ("client", "event_type")])
def test_half_a_surrogate_pair_is_rejected_by_the_name_of_its_field(kind: str, name: str) -> None:
    error = rejection_of(EVENTS[kind] | {name: "a\ud800"})

    assert error.reason.startswith(name)
    assert "\ud800" not in error.reason


def test_half_a_surrogate_pair_in_what_is_not_kept_is_let_pass() -> None:
    event = read(LOGIN | {"x": "\udfff", "\ud800": {"\udbff": 1}})

    assert event == read(LOGIN)


def test_half_a_surrogate_pair_in_the_user_agent_is_cut_out() -> None:
    event = read(LOGIN | {"client": {"user_agent": "a\ud800b\tc"}})

    assert isinstance(event, LoginEvent)
    assert event.client.user_agent == "a b c"


def test_a_whole_surrogate_pair_is_the_character_it_stands_for() -> None:
    event = read_body(json.dumps(LOGIN | {"session_id": "😀"}), sent_at=None)

    assert isinstance(event, LoginEvent)
    assert event.session_id == "😀"


@pytest.mark.parametrize("name", ["occurred_at", "expires_at"])
@pytest.mark.parametrize(
    "value",
    [
        1772442000,
        1772442000.123,
        "1772442000",
        "1772442000000",
        "2026-03-01",
        "2026-03-01T10:20:30",
        "2026-02-30T10:20:30Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+05:00",
        "9999-12-31T23:59:59-05:00",
        "now",
    ],
)
def test_a_time_is_never_guessed(name: str, value: object) -> None:
    error = rejection_of(LOGIN | {name: value})

    assert error.reason.startswith(f"{name}: ")
    assert error.event_id == "login-1"


def test_an_occurrence_leaves_room_for_the_longest_lifetime() -> None:
    longest = timedelta(seconds=10**10 - 1)

    last = read(LOGIN | {"occurred_at": "9000-01-01T00:00:00Z"})
    error = rejection_of(LOGIN | {"occurred_at": "9000-01-01T00:00:00.001Z"})

    assert last is not None
    assert last.occurred_at + 2 * longest < datetime.max.replace(tzinfo=UTC)
    assert error.reason == "occurred_at: lies beyond the year 9000"


def test_a_session_may_be_asked_to_run_out_at_the_end_of_time() -> None:
    event = read(LOGIN | {"expires_at": "9999-12-31T23:59:59.999999Z"})

    assert isinstance(event, LoginEvent)
    assert event.expires_at == datetime(9999, 12, 31, 23, 59, 59, 999000, tzinfo=UTC)


def test_five_minutes_ahead_of_the_sending_are_accepted_and_a_millisecond_more_is_rejected() -> None:
    event = read(LOGIN, sent_at=NOW - MAX_CLOCK_AHEAD)
    error = rejection_of(LOGIN, sent_at=NOW - MAX_CLOCK_AHEAD - timedelta(milliseconds=1))

    assert event is not None
    assert "5 minutes" in error.reason
    assert "clock" in error.reason
    assert error.event_id == "login-1"


@pytest.mark.parametrize("name", ["event_id", "customer_id", "session_id", "parent_session_id"])
def test_an_id_has_1_to_256_characters(name: str) -> None:
    event = read(LOGIN | {name: "x" * 256})
    error = rejection_of(LOGIN | {name: "x" * 257})

    assert getattr(event, name) == "x" * 256
    assert error.reason.startswith(name)
    assert "256" in error.reason


@pytest.mark.parametrize("name", ["customer_id", "session_id", "parent_session_id"])
def test_a_namespace_is_not_counted_among_the_256_characters_but_among_the_1000_bytes(name: str) -> None:
    for namespace in ("keycloak:realm%3A1:", "okta::", f"entra:{'t' * 737}:"):
        assert getattr(read(LOGIN | {name: namespace + "x" * 256}), name) == namespace + "x" * 256
        assert "256" in rejection_of(LOGIN | {name: namespace + "x" * 257}).reason

    too_long = rejection_of(LOGIN | {name: f"entra:{'t' * 737}:" + "x" * 255 + "#"})
    nameless = [rejection_of(LOGIN | {name: text + "x" * 256}).reason for text in ("x", ":x:", "keycloak:")]

    assert too_long.reason == f"{name}: is longer than 1,000 bytes once percent-encoded"
    assert all("256" in reason for reason in nameless)


def test_an_event_id_has_no_namespace() -> None:
    assert "256" in rejection_of(LOGIN | {"event_id": "keycloak:realm:" + "x" * 256}).reason


@pytest.mark.parametrize("name", ["event_id", "customer_id", "session_id", "parent_session_id"])
def test_an_id_has_at_most_1000_bytes_once_encoded(name: str) -> None:
    event = read(LOGIN | {name: "é" * 166 + "xxxx"})
    error = rejection_of(LOGIN | {name: "é" * 166 + "xxxxx"})

    assert event is not None
    assert error.reason == f"{name}: is longer than 1,000 bytes once percent-encoded"


@pytest.mark.parametrize("name", ["event_id", "customer_id", "session_id", "parent_session_id"])
@pytest.mark.parametrize("value", ["a#b", "c#x", "100%", " a ", "é", "|:@/=", "\u2028", "null", "0"])
def test_an_id_is_kept_exactly(name: str, value: str) -> None:
    assert getattr(read(LOGIN | {name: value}), name) == value


@pytest.mark.parametrize(
    ("fields", "name", "limit"),
    [
        (LOGOUT, "reason", 64),
        (LOGIN, "source", 128),
    ],
)
def test_a_label_is_refused_beyond_its_size(fields: dict[str, Any], name: str, limit: int) -> None:
    event = read(fields | {name: "x" * limit})
    error = rejection_of(fields | {name: "x" * (limit + 1)})

    assert getattr(event, name) == "x" * limit
    assert str(limit) in error.reason


@pytest.mark.parametrize(("name", "limit"), [("ip", 64), ("device_id", 256), ("country", 64)])
def test_a_detail_of_the_client_is_refused_beyond_its_size(name: str, limit: int) -> None:
    event = read(LOGIN | {"client": {name: "x" * limit}})
    error = rejection_of(LOGIN | {"client": {name: "x" * (limit + 1)}})

    assert isinstance(event, LoginEvent)
    assert getattr(event.client, name) == "x" * limit
    assert error.reason.startswith(f"client.{name}: ")


def test_a_user_agent_is_cut_instead() -> None:
    event = read(LOGIN | {"client": {"user_agent": "x " * 10_000}})

    assert isinstance(event, LoginEvent)
    assert event.client.user_agent == "x " * 128


@pytest.mark.parametrize("secret", ["eyJhbGciOi.eyJzdWIi.c2ln", "a1" * 20, "Bearer abc", "basic: dXNlcjpwYXNz"])
def test_a_user_agent_loses_what_looks_like_a_token(secret: str) -> None:
    event = read(LOGIN | {"client": {"user_agent": f"Mozilla/5.0 {secret} (X11)"}})

    assert isinstance(event, LoginEvent)
    assert event.client.user_agent in ("Mozilla/5.0  (X11)", "Mozilla/5.0 Bearer (X11)", "Mozilla/5.0 basic (X11)")


@pytest.mark.parametrize("name", ["event_id", "customer_id", "session_id", "parent_session_id"])
@pytest.mark.parametrize("masked", ["<text, 43>", "<text, 43, 0123456789ab>", "<number, 5>"])
def test_the_masked_form_of_a_value_never_becomes_an_id(name: str, masked: str) -> None:
    assert rejection_of(LOGIN | {name: masked}).reason.startswith(f"{name}: is the masked form")


@pytest.mark.parametrize("event_type", ["password_changed", "signup", "session", "l0gin", "\ud800", "логин"])
def test_an_event_of_another_kind_is_nobodys_mistake(event_type: str) -> None:
    assert read({"event_type": event_type, "occurred_at": 5}) is None


@pytest.mark.parametrize(
    "event_type", ["LOGIN", "Login", " login", "login\n", "log-in", "logOut", "LogoutAll", "logout-all", "logoutall"]
)
def test_a_misspelt_kind_is_rejected_rather_than_lost(event_type: str) -> None:
    error = rejection_of(LOGIN | {"event_type": event_type})

    assert "misspelt" in error.reason
    assert error.event_id == "login-1"


@pytest.mark.parametrize("body", ["null", "true", "1", '"login"', "[5]", f'"{TOKEN}"'])
def test_what_is_no_object_is_rejected(body: str) -> None:
    with pytest.raises(RejectedEventError, match="must be a JSON object"):
        read_body(body, sent_at=None)


def test_fields_not_known_are_ignored() -> None:
    assert read(LOGIN | {"x": {"deep": [1, None]}, "version": 7, "ttl": "soon"}) == read(LOGIN)


def test_every_problem_of_an_event_is_told_at_once() -> None:
    error = rejection_of(without(LOGIN, "customer_id") | {"session_id": "", "occurred_at": 5})

    assert error.reason.count("; ") == 2
    assert all(name in error.reason for name in ("customer_id", "session_id", "occurred_at"))


def test_an_event_is_immutable_and_hides_its_token() -> None:
    event = read(LOGIN)
    assert isinstance(event, LoginEvent)

    with pytest.raises(ValidationError):
        event.session_id = "other"  # type: ignore[misc] # that is what is tested
    assert TOKEN not in repr(event)
    assert TOKEN not in str(event.model_dump())
    assert TOKEN not in event.model_dump_json()


def test_an_event_made_wrongly_in_code_hides_its_values_too() -> None:
    with pytest.raises(ValidationError) as caught:
        LoginEvent(**(LOGIN | {"session_id": [TOKEN], "client": TOKEN}))

    assert TOKEN not in str(caught.value)


TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30)
TIMES = st.datetimes(datetime(1, 1, 2), datetime(8999, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 # bounds have to be naive


@given(
    st.sampled_from(sorted(EVENT_MODELS)), st.dictionaries(st.sampled_from(sorted({n for _, n in FIELDS})), TEXT), TIMES
)
def test_what_is_written_as_canonical_json_is_read_back(kind: str, texts: dict[str, str], moment: datetime) -> None:
    texts = {name: text for name, text in texts.items() if name.endswith("_id") or name in ("source", "reason")}
    event = read(without(EVENTS[kind], "access_token") | texts | {"occurred_at": moment.isoformat()})
    assert event is not None

    canonical = to_json(event)

    assert read(canonical) == event
    assert canonical["occurred_at"] == format_rfc3339(event.occurred_at)


def test_canonical_json_leaves_the_token_out() -> None:
    event = read(LOGIN)
    assert event is not None

    assert "access_token" not in to_json(event)
    assert to_json(event) == without(LOGIN, "access_token") | {"expires_at": "2026-03-01T22:20:30.000Z"}


ANY_TEXT = st.text(st.characters(), max_size=12)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT | st.just(LOGIN["occurred_at"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            ANY_TEXT | st.sampled_from([*LOGIN, *LOGOUT, "detail", "detail-type", "Type", "Message"]), inner, max_size=4
        )
    ),
    max_leaves=10,
)
OVERRIDES = st.dictionaries(st.sampled_from([*LOGIN, *LOGOUT_ALL, "reason", "x"]), ANY_JSON, max_size=3)


@pytest.mark.slow
@given(ANY_JSON | st.builds(lambda base, changes: base | changes, st.sampled_from(list(EVENTS.values())), OVERRIDES))
def test_any_json_is_an_event_or_ignored_or_rejected_and_nothing_else(value: object) -> None:
    try:
        event = read(value)
    except RejectedEventError as error:
        assert error.reason  # noqa: PT017 # whether it is raised is the input's choice
        assert error.reason.isprintable()  # noqa: PT017 # same
        assert TOKEN not in error.reason  # noqa: PT017 # same
    else:
        assert event is None or isinstance(event, LoginEvent | LogoutEvent | LogoutAllEvent)


@given(
    value=st.text(st.characters(), min_size=4, max_size=12).filter(lambda text: not text.isascii() or "#" in text),
    name=st.sampled_from([n for _, n in FIELDS if n != "event_type"]),
)
def test_no_reason_shows_a_value(value: str, name: str) -> None:
    fields = LOGIN | {name: value, "customer_id": 5}

    error = rejection_of(fields)

    assert value not in error.reason


def test_the_parser_takes_values_that_are_no_json_as_rejections_too() -> None:
    for value in (LOGIN | {"occurred_at": b"x"}, LOGIN | {"session_id": object()}, object()):
        with pytest.raises(RejectedEventError):
            parse_event(value)
