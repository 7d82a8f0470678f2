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


NOT_VALID = "the body is not valid JSON: "


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[NaN]", "NaN is not a valid JSON number; leave the field out"),
        ("[1e400]", "the JSON contains a number too large to represent; send it as a string"),
        ("[-1e400]", "the JSON contains a number too large to represent; send it as a string"),
        ("7" * 401, "the JSON contains a number of more than 400 digits; send it as a string"),
        ('{"a": 1, "a": 1}', "the JSON has an object with a duplicate key; send each field once"),
        ("\ufeff{}", "the body starts with a byte order mark; send UTF-8 without it"),
        ("[" * 100_000, "the JSON is nested too deeply; an event has two levels"),
        ("{", NOT_VALID + "Expecting property name enclosed in double quotes (character 1)"),
        (" " * MAX_BODY_BYTES + " ", "the body is larger than 262,144 bytes; send events one by one, and small"),
    ],
    ids=["NaN", "infinity", "-infinity", "digits", "a duplicate", "a mark", "nested", "broken", "large"],
)
def test_a_rejected_text_says_what_to_do_word_for_word(text: str, reason: str) -> None:
    with pytest.raises(RejectedEventError) as caught:
        load_json(text)

    assert caught.value.reason == reason


def test_a_reason_names_what_was_read_and_the_size_that_was_allowed() -> None:
    with pytest.raises(RejectedEventError) as large:
        load_json("12345678901", what="token", most=10)
    with pytest.raises(RejectedEventError) as marked:
        load_json("\ufeff1", what="token", most=10)
    with pytest.raises(RejectedEventError) as broken:
        load_json("x", what="token", most=10)

    assert large.value.reason == "the token is larger than 10 bytes; send events one by one, and small"
    assert marked.value.reason == "the token starts with a byte order mark; send UTF-8 without it"
    assert broken.value.reason == "the token is not valid JSON: Expecting value (character 0)"


@pytest.mark.parametrize(
    ("text", "is_read"),
    [('"12345678"', True), ('"123456789"', False), ('"éééé"', True), ('"ééééé"', False), ('"\ud8001234"', True)],
    ids=["10 bytes", "11 bytes", "10 bytes of UTF-8", "12 bytes of UTF-8", "half a character"],
)
def test_a_text_may_be_as_large_as_allowed_in_bytes(text: str, is_read: bool) -> None:
    if is_read:
        assert load_json(text, most=10) == text.strip('"')
    else:
        with pytest.raises(RejectedEventError, match="larger than 10 bytes"):
            load_json(text, most=10)


def test_an_integer_of_400_digits_and_any_float_that_is_finite_are_read() -> None:
    assert load_json(f"[{'7' * 400}, 1.5, 1e308]") == [int("7" * 400), 1.5, 1e308]
