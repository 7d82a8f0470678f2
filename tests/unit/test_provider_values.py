"""The traps of what identity systems write, as properties: absence, ids, times, addresses."""

import ipaddress
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.values import (
    clean_ip,
    clean_text,
    derived_event_id,
    derived_session_id,
    is_absent,
    read_id,
    read_time,
)
from schemas.times import to_milliseconds

MOMENTS = st.datetimes(datetime(2001, 9, 10), datetime(2286, 11, 1), timezones=st.just(UTC))  # noqa: DTZ001 (bounds take none)
UNITS = {1: 10, 1_000: 13, 1_000_000: 16, 1_000_000_000: 19}


@pytest.mark.parametrize(
    "value", [None, "", "HIDDEN_DUE_TO_SECURITY_REASONS", "hidden_due_to_security_reasons", "*", "****", "[REDACTED]"]
)
def test_null_the_empty_string_and_masks_are_absent(value: object) -> None:
    assert is_absent(value)


@pytest.mark.parametrize("value", [0, False, " ", "0", "null", "HIDDEN", "a*", [], {}])
def test_everything_else_is_present(value: object) -> None:
    assert not is_absent(value)


@given(st.text())
def test_a_text_is_an_id_as_it_is(text: str) -> None:
    assert read_id(text) == text


@given(st.integers())
def test_a_whole_number_is_an_id_in_decimal(number: int) -> None:
    assert read_id(number) == str(number)


@pytest.mark.parametrize("value", [True, 1.5, [], {}, ["x"]])
def test_anything_else_is_no_id(value: object) -> None:
    with pytest.raises(ValueError, match="neither a text nor a whole number"):
        read_id(value)


@given(MOMENTS, st.sampled_from(sorted(UNITS)), st.booleans())
def test_a_number_is_read_in_the_unit_that_its_size_tells(moment: datetime, units: int, as_text: bool) -> None:
    microseconds = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    number = microseconds * units // 1_000_000

    read = read_time(str(number) if as_text else number)

    assert len(str(number)) == UNITS[units]
    assert read == (moment.replace(microsecond=0) if units == 1 else to_milliseconds(moment))


@given(
    MOMENTS, st.sampled_from([0, 3, 6, 7, 9]), st.sampled_from(["Z", "z", "", " UTC", "+00:00"]), st.sampled_from("T ")
)
def test_a_date_and_time_is_utc_however_it_says_so_and_decimals_past_the_third_are_cut(
    moment: datetime, decimals: int, zone: str, between: str
) -> None:
    fraction = f".{moment.microsecond:06d}789"[: decimals + 1] if decimals else ""

    read = read_time(f"{moment:%Y-%m-%d}{between}{moment:%H:%M:%S}{fraction}{zone}")

    assert read == (to_milliseconds(moment) if decimals else moment.replace(microsecond=0))


@given(MOMENTS, st.integers(-14 * 60, 14 * 60))
def test_an_offset_is_converted_to_utc(moment: datetime, minutes: int) -> None:
    there = moment.astimezone(timezone(timedelta(minutes=minutes)))

    assert read_time(there.isoformat()) == to_milliseconds(moment)


NO_TIMES: list[object] = [
    *(True, None, [], {}, "", "yesterday", "2026-03-01", "10:20:30", "2026-02-30T00:00:00Z", "2026-03-01T25:00:00Z"),
    *(0, -1772360430, 12345, 177236043012, "17723604301", 10**20, float("inf"), float("nan"), "1e9"),
    "".join(chr(0xFF10 + int(digit)) for digit in "1772360430"),
]


@pytest.mark.parametrize("value", NO_TIMES, ids=repr)
def test_what_is_no_time_is_refused_rather_than_guessed(value: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (any of the messages)
        read_time(value)


def test_seconds_may_have_a_fraction() -> None:
    assert read_time(1772360430.25) == read_time("1772360430.250") == read_time("2026-03-01T10:20:30.25Z")


ADDRESSES = st.ip_addresses().filter(lambda address: not address.is_unspecified)


@given(ADDRESSES, st.integers(1, 65535))
def test_an_address_is_taken_out_of_brackets_and_port(address: ipaddress.IPv4Address, port: int) -> None:
    text = str(address)
    written = [text, f"[{text}]", f"[{text}]:{port}"] + ([f"{text}:{port}"] if address.version == 4 else [])

    assert {clean_ip(form) for form in written} == {text}


@pytest.mark.parametrize(
    "value",
    [
        str(ipaddress.IPv4Address(0)),
        "::",
        "AWS Internal",
        "host.example.com",
        "192.0.2.300",
        "192.0.2.1, 192.0.2.2",
        "",
        None,
        5,
        {},
    ],
)
def test_what_is_no_address_is_left_out(value: object) -> None:
    assert clean_ip(value) is None


@given(st.text() | st.integers() | st.none())
def test_whatever_comes_an_address_is_an_address_or_none(value: object) -> None:
    cleaned = clean_ip(value)

    assert cleaned is None or ipaddress.ip_address(cleaned)


@pytest.mark.parametrize("value", [None, "", 5, {}, "x" * 65, "a\nb", "****"])
def test_a_text_that_does_not_fit_is_left_out(value: object) -> None:
    assert clean_text(value, longest=64) is None


@given(
    st.lists(st.none() | st.text(st.characters()), max_size=4),
    st.lists(st.none() | st.text(st.characters()), max_size=4),
)
def test_derived_ids_are_equal_where_what_they_are_made_of_is(one: list[str | None], other: list[str | None]) -> None:
    assert (derived_event_id(one) == derived_event_id(other)) == (one == other)


@given(st.text(min_size=1, max_size=256))
def test_a_derived_session_id_fits_whatever_the_event_id(event_id: str) -> None:
    session_id = derived_session_id("provider", event_id)

    assert len(session_id) <= 256
    assert session_id == f"provider:{event_id}" or len(event_id) > 247
