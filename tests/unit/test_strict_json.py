"""JSON as it comes over the wire: every trap ends in a rejection that shows nothing of it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.envelopes import read_body
from schemas.errors import RejectedEventError
from schemas.events import LoginEvent
from schemas.strict_json import MAX_BODY_BYTES, load_json

TOKEN = "tok-9f8e7d6c5b4a"


def login_text(*members: str) -> str:
    fields = [
        '"event_id": "login-1"',
        '"event_type": "login"',
        '"occurred_at": "2026-03-01T10:20:30Z"',
        '"customer_id": "customer-1"',
        '"session_id": "session-1"',
        f'"access_token": "{TOKEN}"',
        *members,
    ]
    return "{" + ", ".join(fields) + "}"


def reason_of(body: str) -> str:
    with pytest.raises(RejectedEventError) as caught:
        read_body(body, sent_at=None)
    return caught.value.reason


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_a_constant_that_is_no_json_number_is_rejected_by_its_name(constant: str) -> None:
    reason = reason_of(login_text(f'"x": {constant}'))

    assert constant in reason
    assert "leave the field out" in reason


@pytest.mark.parametrize("number", ["1e400", "-1e400", "1E999999", "1.0e400"])
def test_a_number_that_overflows_is_rejected(number: str) -> None:
    reason = reason_of(login_text(f'"x": {number}'))

    assert "too large to represent" in reason


@pytest.mark.parametrize("sign", ["", "-"])
def test_a_number_of_5000_digits_is_rejected(sign: str) -> None:
    reason = reason_of(login_text(f'"x": {sign}{"7" * 5000}'))

    assert "more than 400 digits" in reason
    assert "777" not in reason


def test_a_long_but_finite_number_in_an_ignored_field_is_let_pass() -> None:
    event = read_body(login_text(f'"x": 0.{"7" * 5000}', f'"y": {"7" * 400}'), sent_at=None)

    assert isinstance(event, LoginEvent)


@pytest.mark.parametrize(
    "body",
    [
        "[" * 100_000,
        "[" * 100_000 + "]" * 100_000,
        '{"":' * 60_000,
        login_text('"x": ' + "[" * 100_000 + "]" * 100_000),
    ],
    ids=["arrays left open", "arrays", "objects left open", "in an ignored field"],
)
def test_100000_deep_nesting_is_rejected(body: str) -> None:
    reason = reason_of(body)

    assert "nested too deeply" in reason


def test_100000_deep_objects_are_rejected_for_their_size_alone() -> None:
    reason = reason_of('{"a":' * 100_000 + "1" + "}" * 100_000)

    assert "larger than 262,144 bytes" in reason


def test_a_body_of_one_megabyte_is_rejected_with_the_limit() -> None:
    reason = reason_of(login_text(f'"x": "{"a" * 1_000_000}"'))

    assert "larger than 262,144 bytes" in reason


def test_the_largest_body_is_counted_in_bytes_of_utf_8() -> None:
    fits = json.dumps("é" * ((MAX_BODY_BYTES - 2) // 2), ensure_ascii=False)

    assert len(fits.encode()) == MAX_BODY_BYTES
    assert load_json(fits) == fits[1:-1]
    with pytest.raises(RejectedEventError, match="larger than"):
        load_json(fits[:-1] + 'a"')


def test_a_byte_order_mark_is_rejected_by_its_name() -> None:
    reason = reason_of("\ufeff" + login_text())

    assert "byte order mark" in reason


@pytest.mark.parametrize(
    "body",
    [
        login_text('"customer_id": "customer-2"'),
        login_text('"x": {"a": 1, "a": 1}'),
        login_text('"x": [[{"a": 1, "\\u0061": 2}]]'),
    ],
    ids=["in the event", "in an ignored field", "told apart only by escapes"],
)
def test_a_duplicate_key_is_rejected_wherever_it_stands(body: str) -> None:
    reason = reason_of(body)

    assert "duplicate key" in reason


def test_a_nul_in_the_text_is_no_json() -> None:
    reason = reason_of(login_text('"x": "a\0b"'))

    assert "not valid JSON" in reason


@pytest.mark.parametrize(
    "body",
    ["", " ", "{", login_text()[:-1], login_text() + "x", "{'event_id': 1}", "undefined", f"{TOKEN}", '"\\x"', "{,}"],
)
def test_text_that_is_no_json_is_rejected_without_showing_it(body: str) -> None:
    reason = reason_of(body)

    assert "not valid JSON" in reason or reason == "the message has no body"
    assert TOKEN not in reason


def test_the_reason_says_where_the_json_breaks() -> None:
    assert reason_of('{"a" 1}').endswith("(character 5)")


def test_the_reason_says_when_it_is_the_message_of_a_notification_that_is_no_json() -> None:
    reason = reason_of(json.dumps({"Type": "Notification", "Message": TOKEN}))

    assert "SNS notification" in reason
    assert TOKEN not in reason


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@given(JSON_VALUES)
def test_clean_json_is_read_as_the_standard_library_reads_it(value: object) -> None:
    assert load_json(json.dumps(value)) == value
    assert load_json(json.dumps(value, ensure_ascii=False)) == value


@given(st.text(alphabet=st.characters()) | st.text(alphabet='{}[]",:\\u0eE+-.tfn ', max_size=60))
def test_any_text_is_json_or_a_rejection(text: str) -> None:
    try:
        load_json(text)
    except RejectedEventError as error:
        assert error.reason  # noqa: PT017 # whether it is raised is the input's choice
