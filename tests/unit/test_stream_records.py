"""Records of the table's stream: typed before and after."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import MalformedItemError
from schemas.item_mapping import write_item
from schemas.items import CLOSING, Session
from schemas.stream import lowest_sequence_number, read_record, sequence_number_of

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
NUMBER = "111" + "0" * 37
LIVE = Session(session_id="s", customer_id="c", started_at=NOW, last_login_time=NOW, expires_at=NOW)
ENDED = Session(session_id="s", customer_id="c", session_state=CLOSING, ended_at=NOW)


def record(event_name: str = "MODIFY", **changes: Any) -> dict[str, Any]:
    change = {
        "ApproximateCreationDateTime": 1772366400,
        "SequenceNumber": NUMBER,
        "OldImage": write_item(LIVE),
        "NewImage": write_item(ENDED),
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    } | changes
    return {"eventName": event_name, "dynamodb": {key: value for key, value in change.items() if value is not None}}


def test_a_change_is_read_with_what_was_before_and_after() -> None:
    change = read_record(record())

    assert (change.event_name, change.sequence_number, change.created_at) == ("MODIFY", NUMBER, 1772366400)
    assert change.old_image == write_item(LIVE)
    assert change.after == ENDED


def test_an_insert_has_nothing_before_and_a_removal_nothing_after() -> None:
    insert = read_record(record("INSERT", OldImage=None))
    removal = read_record(record("REMOVE", NewImage=None))

    assert (insert.old_image, insert.is_removal) == (None, False)
    assert (removal.after, removal.is_removal, removal.removed_by_ttl) == (None, True, False)


def test_a_removal_by_ttl_names_dynamodb_as_the_one_who_did_it() -> None:
    raw = record("REMOVE", NewImage=None) | {
        "userIdentity": {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
    }

    assert read_record(raw).removed_by_ttl


@pytest.mark.parametrize("name", ["version", "expires_at"])
@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [("7", "6", True), ("7", "7", False), ("7", "8", False), ("7", None, True), (None, "6", False), ("x", "6", False)],
)
def test_a_change_that_lowers_the_version_or_the_expiry_goes_backwards(
    name: str, before: str | None, after: str | None, expected: bool
) -> None:
    old, new = (write_item(LIVE) | ({} if number is None else {name: {"N": number}}) for number in (before, after))
    for image, number in ((old, before), (new, after)):
        if number is None:
            image.pop(name, None)

    assert read_record(record(OldImage=old, NewImage=new)).goes_backwards is expected


@pytest.mark.parametrize("image", [7.5, "text", [], True], ids=repr)
@pytest.mark.parametrize("event_name", ["MODIFY", "REMOVE"])
def test_an_image_that_is_not_a_map_is_malformed(event_name: str, image: object) -> None:
    with pytest.raises(MalformedItemError, match="map of attributes"):
        read_record(record(event_name, OldImage=image if event_name == "REMOVE" else None, NewImage=image))


def test_an_item_of_others_is_not_read() -> None:
    image = {"PK": {"S": "order#1"}, "SK": {"S": "x"}}

    change = read_record(record(OldImage=image, NewImage=image))

    assert change.after is None


@pytest.mark.parametrize(("created", "expected"), [(None, 0), (0, 0), (1772366400.75, 1772366400.75)])
def test_a_time_of_creation_may_be_missing_or_have_fractions(created: float | None, expected: float) -> None:
    assert read_record(record(ApproximateCreationDateTime=created)).created_at == expected


@pytest.mark.parametrize("image", [{"version": {"N": "x"}}, {"version": []}, {"expires_at": None}, "x", 5])
def test_a_broken_old_image_does_not_fail_its_record(image: object) -> None:
    assert read_record(record(OldImage=image)).after == ENDED


@pytest.mark.parametrize("number", [None, "", "12a", "-1", "1.5", " 1", "١٢", 12, True])
def test_a_record_without_proper_sequence_number_is_malformed_and_has_none(number: object) -> None:
    raw = record(SequenceNumber=number)

    assert sequence_number_of(raw) == ""
    with pytest.raises(MalformedItemError, match="without sequence number"):
        read_record(raw)


def test_the_sequence_number_of_a_malformed_record_is_still_read() -> None:
    raw = record(NewImage={"PK": {"S": "suuid#s"}})

    assert sequence_number_of(raw) == NUMBER
    with pytest.raises(MalformedItemError):
        read_record(raw)


@pytest.mark.parametrize("raw", [None, [], "x", 5, {}, {"dynamodb": None}, {"dynamodb": []}, {"eventName": "INSERT"}])
def test_what_is_no_stream_record_is_malformed(raw: object) -> None:
    assert sequence_number_of(raw) == ""
    with pytest.raises(MalformedItemError, match="not a DynamoDB stream record"):
        read_record(raw)


@pytest.mark.parametrize(
    ("event_name", "image"), [("INSERT", "NewImage"), ("MODIFY", "NewImage"), ("REMOVE", "OldImage")]
)
def test_a_record_without_the_image_of_its_change_is_malformed_and_never_read_as_a_removal(
    event_name: str, image: str
) -> None:
    with pytest.raises(MalformedItemError, match="NEW_AND_OLD_IMAGES"):
        read_record(record(event_name, **{image: None}))


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["S", "N", "PK", "SK", "ttl"]), inner),
    max_leaves=6,
)
FIELDS = ["ApproximateCreationDateTime", "SequenceNumber", "OldImage", "NewImage"]


@given(
    st.dictionaries(st.sampled_from(FIELDS), ANY),
    st.dictionaries(st.sampled_from(["ttl", "version", "PK", "started_at", "session_state"]), ANY),
)
def test_any_record_is_read_or_malformed_and_nothing_else(changes: dict[str, Any], attributes: dict[str, Any]) -> None:
    for raw in (record(**changes), record(NewImage=write_item(LIVE) | attributes)):
        try:
            change = read_record(raw)
        except MalformedItemError as error:
            assert str(error)  # noqa: PT017 # whether it is raised is the input's choice
        else:
            assert change.sequence_number


@pytest.mark.parametrize("digits", [40, 41])
def test_a_sequence_number_has_at_most_40_digits(digits: int) -> None:
    number = "1" * digits

    assert sequence_number_of(record(SequenceNumber=number)) == (number if digits == 40 else "")


@pytest.mark.parametrize(
    ("created", "is_read"), [(0, True), (253_402_300_799, True), (253_402_300_800, False), (-1, False)]
)
def test_a_time_of_creation_lies_between_1970_and_9999(created: int, is_read: bool) -> None:
    raw = record(ApproximateCreationDateTime=created)

    if is_read:
        assert read_record(raw).created_at == created
    else:
        with pytest.raises(MalformedItemError) as caught:
            read_record(raw)
        assert str(caught.value) == "a stream record with an impossible ApproximateCreationDateTime"


def test_what_is_wrong_with_a_record_is_named() -> None:
    with pytest.raises(MalformedItemError) as nothing:
        read_record({})
    with pytest.raises(MalformedItemError) as unnamed:
        read_record(record(SequenceNumber=None))

    assert str(nothing.value) == "not a DynamoDB stream record (KeyError)"
    assert str(unnamed.value) == "a stream record without sequence number"


@pytest.mark.parametrize(
    ("identity", "is_ttl"),
    [
        ({"type": "Service", "principalId": "dynamodb.amazonaws.com"}, True),
        ({"type": "Service", "principalId": "another.amazonaws.com"}, False),
        ({}, False),
        ("dynamodb.amazonaws.com", False),
        (None, False),
    ],
)
def test_only_dynamodb_itself_removes_by_ttl(identity: object, is_ttl: bool) -> None:
    removal = record("REMOVE", NewImage=None) | {"userIdentity": identity}

    assert read_record(removal).removed_by_ttl is is_ttl


@pytest.mark.parametrize("name", ["version", "expires_at"])
@pytest.mark.parametrize(
    ("after", "expected"), [({"N": "x"}, True), ({"S": "8"}, True), (None, True), ({"N": "7"}, False)]
)
def test_a_number_that_is_none_any_more_goes_backwards(name: str, after: object, expected: bool) -> None:
    raw = record(OldImage=write_item(LIVE) | {name: {"N": "7"}}, NewImage=write_item(LIVE) | {name: after})

    assert read_record(raw).goes_backwards is expected


def test_a_removal_does_not_go_backwards() -> None:
    raw = record("REMOVE", OldImage=write_item(LIVE) | {"version": {"N": "7"}}, NewImage=None)

    assert not read_record(raw).goes_backwards


def test_the_lowest_sequence_number_is_the_lowest_by_value_and_a_record_without_one_comes_first() -> None:
    assert lowest_sequence_number(["100", "99", "1000"]) == "99"
    assert lowest_sequence_number(["1", ""]) == ""
    assert lowest_sequence_number([]) is None
