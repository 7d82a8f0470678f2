"""Items of the projections table: their stored form, read back without loss; what breaks it is refused by name."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import MalformedItemError, NewerFormatError
from schemas.items import Revocation
from schemas.keys import Key
from schemas.projection_items import (
    OWNED_ATTRIBUTES,
    Entry,
    Projection,
    projection_key,
    read_projection,
    write_projection,
)
from schemas.times import to_milliseconds
from tests.conftest import NOW, at

FULL = Projection(
    customer_id="c#1",
    last_login_time=at(1),
    last_login_session_id="s2",
    sessions={"s1": Entry(5, 6), "s2": Entry(7, 8, "limit", 9)},
    revocation=Revocation(
        customer_id="c#1",
        revoked_at=at(2),
        except_session_id="s3",
        other_revoked_at=at(0),
        other_except_session_id="s4",
    ),
    end_watermark=10,
    dropped_until=11,
    session_count=1,
    count_valid_until=12,
)
ITEM: dict[str, dict[str, Any]] = {
    "PK": {"S": "c#c%231"},
    "customer_id": {"S": "c#1"},
    "last_login_time": {"S": "2026-03-01T12:01:00.000Z"},
    "last_login_session_id": {"S": "s2"},
    "revoked_at": {"S": "2026-03-01T12:02:00.000Z"},
    "except_session_id": {"S": "s3"},
    "other_revoked_at": {"S": "2026-03-01T12:00:00.000Z"},
    "other_except_session_id": {"S": "s4"},
    "session_count": {"N": "1"},
    "count_valid_until": {"N": "12"},
    "trusted_after": {"N": "10"},
    "dropped_until": {"N": "11"},
    "sessions": {
        "M": {
            "s1": {"L": [{"N": "5"}, {"N": "6"}]},
            "s2": {"L": [{"N": "7"}, {"N": "8"}, {"S": "limit"}, {"N": "9"}]},
        }
    },
}

IDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=9)
MOMENTS = st.datetimes(timezones=st.just(UTC)).map(to_milliseconds)
SECONDS = st.integers(0, 253_402_300_799)


@st.composite
def projections(draw: st.DrawFn) -> Projection:
    customer_id = draw(IDS)
    entries = st.tuples(SECONDS, SECONDS).map(lambda times: Entry(*times)) | st.builds(
        Entry, SECONDS, SECONDS, IDS, SECONDS
    )
    revocations = st.builds(
        Revocation,
        customer_id=st.just(customer_id),
        revoked_at=MOMENTS,
        except_session_id=st.none() | IDS,
        other_revoked_at=st.none() | MOMENTS,
        other_except_session_id=st.none() | IDS,
    )
    return Projection(
        customer_id=customer_id,
        last_login_time=draw(st.none() | MOMENTS),
        last_login_session_id=draw(st.none() | IDS),
        sessions=draw(st.dictionaries(IDS, entries, max_size=3)),
        revocation=draw(st.none() | revocations),
        end_watermark=draw(st.none() | SECONDS),
        dropped_until=draw(st.none() | SECONDS),
        session_count=draw(st.integers(0, 300)),
        count_valid_until=draw(st.none() | SECONDS),
    )


def test_the_stored_form_is_that_of_the_contract() -> None:
    assert write_projection(FULL) == ITEM
    assert read_projection(ITEM) == FULL


def test_what_is_not_known_is_left_out() -> None:
    nothing = Projection(customer_id="c")

    item = write_projection(nothing)

    assert item == {
        "PK": {"S": "c#c"},
        "customer_id": {"S": "c"},
        "session_count": {"N": "0"},
        "sessions": {"M": {}},
    }
    assert read_projection(item) == nothing


@given(projections())
def test_what_is_written_is_read_back(projection: Projection) -> None:
    item = write_projection(projection)

    assert read_projection(item | {"version": {"N": "7"}}) == projection
    assert {name: next(iter(value)) for name, value in item.items() if name != "PK"}.items() <= OWNED_ATTRIBUTES.items()


def test_a_revocation_without_exceptions_is_stored_by_its_time_alone() -> None:
    projection = Projection(customer_id="c", revocation=Revocation(customer_id="c", revoked_at=NOW))

    item = write_projection(projection)

    assert {name for name in item if name.endswith(("revoked_at", "except_session_id"))} == {"revoked_at"}
    assert read_projection(item) == projection


def test_an_entry_without_both_reason_and_time_is_stored_as_not_ending() -> None:
    projection = Projection(customer_id="c", sessions={"a": Entry(1, 2, "limit"), "b": Entry(1, 2, None, 3)})

    item = write_projection(projection)

    assert item["sessions"] == {"M": {name: {"L": [{"N": "1"}, {"N": "2"}]} for name in "ab"}}


def test_a_count_that_is_missing_is_none() -> None:
    item = {name: value for name, value in ITEM.items() if name != "session_count"}

    assert read_projection(item).session_count == 0


@pytest.mark.parametrize(
    ("attributes", "fault"),
    [
        ({"sessions": None}, "TypeError"),
        ({"sessions": {"L": []}}, "KeyError"),
        ({"sessions": {"M": {"s": {"M": {}}}}}, "KeyError"),
        ({"sessions": {"M": {"s": {"L": []}}}}, "ValueError"),
        ({"sessions": {"M": {"s": {"L": [{"N": "1"}]}}}}, "ValueError"),
        ({"sessions": {"M": {"s": {"L": [{"N": "1"}, {"N": "x"}]}}}}, "ValueError"),
        ({"sessions": {"M": {"s": {"L": [{"N": "1"}, {"N": "2"}, {"S": "limit"}]}}}}, "ValueError"),
        ({"sessions": {"M": {"s": {"L": [{"N": "1"}, {"N": "2"}, {"S": "limit"}, {"S": "x"}]}}}}, "KeyError"),
        ({"sessions": {"M": []}}, "AttributeError"),
        ({"customer_id": {"N": "1"}}, "MalformedItemError"),
    ],
    ids=repr,
)
def test_an_item_that_breaks_the_schema_is_malformed_and_named(attributes: Any, fault: str) -> None:
    with pytest.raises(MalformedItemError) as caught:
        read_projection(ITEM | attributes)

    assert str(caught.value) == f"projection item {{'S': 'c#c%231'}} breaks the schema ({fault})"


@pytest.mark.parametrize(("item_format", "is_read"), [("0", True), ("1", True), ("2", False), ("x", True)])
def test_an_item_of_a_later_format_is_not_read(item_format: str, is_read: bool) -> None:
    item = ITEM | {"item_format": {"N": item_format}}

    if is_read:
        assert read_projection(item) == FULL
    else:
        with pytest.raises(
            NewerFormatError, match=r"^projection item \{'S': 'c#c%231'\} has a greater item_format than 1$"
        ):
            read_projection(item)


@pytest.mark.parametrize("name", ["last_login_time", "revoked_at", "trusted_after", "dropped_until", "session_count"])
@pytest.mark.parametrize("value", [{"S": "soon"}, {"N": "1.5"}, "x", None], ids=repr)
def test_an_attribute_of_another_type_or_form_is_read_as_absent(name: str, value: Any) -> None:
    without = {key: attribute for key, attribute in ITEM.items() if key != name}

    assert read_projection(ITEM | {name: value}) == read_projection(without)


def test_a_customers_item_has_no_sort_key() -> None:
    assert projection_key("c#1") == Key("c#c%231", None)


@pytest.mark.parametrize(
    ("entry", "now_s", "counts"),
    [(Entry(0, 5), 4, True), (Entry(0, 5), 4.9, True), (Entry(0, 5), 5, False), (Entry(0, 5, "limit", 1), 4, False)],
)
def test_an_entry_counts_until_it_runs_out_or_is_ending(entry: Entry, now_s: float, counts: bool) -> None:
    assert entry.counts(now_s) is counts


def test_times_are_read_as_aware_utc() -> None:
    login = read_projection(ITEM).last_login_time

    assert login == datetime(2026, 3, 1, 12, 1, tzinfo=UTC)
    assert login is not None
    assert login.tzinfo is UTC
