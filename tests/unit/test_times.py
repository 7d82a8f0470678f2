"""Points in time: read strictly, written in one form, and sorted as text in the order they happened."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.times import (
    format_rfc3339,
    from_epoch_milliseconds,
    from_epoch_seconds,
    parse_rfc3339,
    parse_stored,
    to_epoch_microseconds,
    to_epoch_milliseconds,
    to_epoch_seconds,
    to_milliseconds,
)

MOMENTS = st.datetimes(timezones=st.just(UTC)).map(to_milliseconds)
OFFSETS = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda minutes: timezone(timedelta(minutes=minutes)))
ROOM_FOR_AN_OFFSET = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30))  # noqa: DTZ001 # bounds have to be naive


@given(MOMENTS)
def test_what_is_written_is_read_back(moment: datetime) -> None:
    text = format_rfc3339(moment)

    assert parse_rfc3339(text) == moment
    assert parse_stored(text) == moment
    assert len(text) == len("2026-03-01T10:20:30.123Z")


@given(MOMENTS, MOMENTS)
def test_texts_sort_as_times_do(one: datetime, other: datetime) -> None:
    assert (format_rfc3339(one) < format_rfc3339(other)) == (one < other)


@given(ROOM_FOR_AN_OFFSET, OFFSETS)
def test_a_time_with_any_offset_is_kept_as_utc_with_milliseconds(local: datetime, zone: timezone) -> None:
    moment = local.replace(tzinfo=zone)

    parsed = parse_rfc3339(moment.isoformat())

    assert parsed.tzinfo is UTC
    assert parsed == to_milliseconds(moment)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-01T10:20:30Z", "2026-03-01T10:20:30.000Z"),
        ("2026-03-01t10:20:30z", "2026-03-01T10:20:30.000Z"),
        ("2026-03-01T10:20:30.1Z", "2026-03-01T10:20:30.100Z"),
        ("2026-03-01T10:20:30.1239999Z", "2026-03-01T10:20:30.123Z"),
        ("2026-03-01T10:20:30.999999999999999Z", "2026-03-01T10:20:30.999Z"),
        (f"2026-03-01T10:20:30.{'1' * 5000}Z", "2026-03-01T10:20:30.111Z"),
        ("2026-03-01T00:20:30+05:45", "2026-02-28T18:35:30.000Z"),
        ("2026-03-01T10:20:30-00:00", "2026-03-01T10:20:30.000Z"),
        ("2024-02-29T23:59:59-23:59", "2024-03-01T23:58:59.000Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z"),
        ("9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"),
    ],
)
def test_forms_of_rfc_3339_are_read(text: str, expected: str) -> None:
    assert format_rfc3339(parse_rfc3339(text)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1772442000",
        "1772442000000",
        "2026-03-01",
        "2026-03-01T10:20Z",
        "2026-03-01T10:20:30",
        "2026-03-01 10:20:30Z",
        "2026-03-01T10:20:30,5Z",
        "2026-03-01T10:20:30.Z",
        "2026-03-01T10:20:30+0100",
        "2026-03-01T10:20:30+01",
        "2026-03-01T10:20:30+24:00",
        "2026-03-01T24:00:00Z",
        "2026-03-01T10:20:60Z",
        "20260301T102030Z",
        "2026-W09-7T10:20:30Z",
        " 2026-03-01T10:20:30Z",
        "2026-03-01T10:20:30Z\n",
        "٢٠٢٦-03-01T10:20:30Z",
        "+2026-03-01T10:20:30Z",
        "12026-03-01T10:20:30Z",
        "-2026-03-01T10:20:30Z",
        "2026-03-01T10:20:30Z[Europe/Berlin]",
        "Sun, 01 Mar 2026 10:20:30 GMT",
    ],
)
def test_any_other_form_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r"^not an RFC 3339 date-time with offset, like 2026-03-01T10:20:30\.123Z$"):
        parse_rfc3339(text)


@pytest.mark.parametrize(
    "text",
    [
        "0000-01-01T00:00:00Z",
        "2026-00-01T10:20:30Z",
        "2026-13-01T10:20:30Z",
        "2026-02-29T10:20:30Z",
        "2026-04-31T10:20:30Z",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
    ],
)
def test_a_date_that_does_not_exist_or_does_not_fit_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^not a date and time of the years 1 to 9999$"):
        parse_rfc3339(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2023-05-12T11:30:00", datetime(2023, 5, 12, 11, 30, tzinfo=UTC)),
        ("2023-05-12T13:30:00+02:00", datetime(2023, 5, 12, 11, 30, tzinfo=UTC)),
        ("2023-05-12 11:30:00.123987", datetime(2023, 5, 12, 11, 30, 0, 123000, tzinfo=UTC)),
        ("2023-05-12T11:30:00.123987Z", datetime(2023, 5, 12, 11, 30, 0, 123000, tzinfo=UTC)),
        ("2023-05-12", datetime(2023, 5, 12, tzinfo=UTC)),
    ],
)
def test_a_stored_time_is_aware_utc_with_milliseconds_whoever_wrote_it(text: str, expected: datetime) -> None:
    parsed = parse_stored(text)

    assert parsed == expected
    assert parsed.tzinfo is UTC


@pytest.mark.parametrize("text", ["", "yesterday", "0001-01-01T00:00:00+05:00", "9999-12-31T23:00:00-05:00"])
def test_a_stored_text_that_is_no_time_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_stored(text)


@given(MOMENTS)
def test_epoch_seconds_are_floored(moment: datetime) -> None:
    floored = from_epoch_seconds(to_epoch_seconds(moment))

    assert floored == moment.replace(microsecond=0)


@given(st.integers(0, 10**14 - 1))
def test_epoch_milliseconds_of_14_digits_are_exact(milliseconds: int) -> None:
    moment = from_epoch_milliseconds(milliseconds)

    assert (moment - datetime(1970, 1, 1, tzinfo=UTC)) == timedelta(milliseconds=milliseconds)
    assert moment.tzinfo is UTC


@given(st.datetimes(timezones=st.just(UTC)))
def test_epoch_microseconds_are_exact(moment: datetime) -> None:
    assert timedelta(microseconds=to_epoch_microseconds(moment)) == moment - datetime(1970, 1, 1, tzinfo=UTC)


@given(MOMENTS)
def test_epoch_milliseconds_are_whole_and_exact(moment: datetime) -> None:
    milliseconds = to_epoch_milliseconds(moment)

    assert isinstance(milliseconds, int)
    assert timedelta(milliseconds=milliseconds) == moment - datetime(1970, 1, 1, tzinfo=UTC)


def test_a_stored_time_that_does_not_fit_says_so() -> None:
    with pytest.raises(ValueError, match=r"^not a date and time of the years 1 to 9999$"):
        parse_stored("0001-01-01T00:00:00+05:00")


@pytest.fixture
def machine_in_tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        yield
    time.tzset()


def test_a_stored_time_without_zone_is_utc_wherever_the_machine_stands(machine_in_tokyo: None) -> None:
    assert parse_stored("2023-05-12T11:30:00") == datetime(2023, 5, 12, 11, 30, tzinfo=UTC)
