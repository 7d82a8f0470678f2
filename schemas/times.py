"""Points in time: RFC 3339 at the boundary, aware UTC `datetime` with milliseconds inside, epoch seconds for expiry.

Sources: RFC 3339 section 5.6 (date-time); DynamoDB TTL counts epoch seconds.
"""

import re
from datetime import UTC, datetime, timedelta

_DATE_TIME = re.compile(
    r"\d{4}-\d\d-\d\d[Tt](?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d+)?(?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)", re.ASCII
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_rfc3339(text: str) -> datetime:
    """Read an RFC 3339 date-time with offset; fractions past the millisecond are cut.

    Returns:
        Aware UTC.

    Raises:
        ValueError: The text is anything else, or a date that does not exist or does not fit years 1 to 9999.
    """
    if not _DATE_TIME.fullmatch(text):
        raise ValueError("not an RFC 3339 date-time with offset, like 2026-03-01T10:20:30.123Z")
    try:
        moment = datetime.fromisoformat(text.upper())
        return to_milliseconds(moment if moment.tzinfo is UTC else moment.astimezone(UTC))
    except (ValueError, OverflowError):
        raise ValueError("not a date and time of the years 1 to 9999") from None


def to_milliseconds(moment: datetime) -> datetime:
    """Cut what is finer than a millisecond."""
    excess = moment.microsecond % 1000
    return moment.replace(microsecond=moment.microsecond - excess) if excess else moment


def format_rfc3339(moment: datetime) -> str:
    """Write aware UTC as `2026-03-01T10:20:30.123Z`: the texts sort as the times do."""
    return moment.isoformat(timespec="milliseconds")[:-6] + "Z"


def parse_stored(text: str) -> datetime:
    """Read a time of an item; one without a zone, as the original schema has them, is UTC.

    Returns:
        Aware UTC with milliseconds, so that what others wrote finer compares as what is written here.

    Raises:
        ValueError: The text is not an ISO 8601 date and time of the years 1 to 9999.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is UTC:
        return to_milliseconds(moment)
    try:
        return to_milliseconds(moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC))
    except OverflowError:
        raise ValueError("not a date and time of the years 1 to 9999") from None


def to_epoch_seconds(moment: datetime) -> int:
    """Floor to whole seconds since 1970-01-01T00:00:00Z."""
    return (moment - _EPOCH) // timedelta(seconds=1)


def from_epoch_seconds(seconds: int) -> datetime:
    """Aware UTC of whole epoch seconds."""
    return datetime.fromtimestamp(seconds, UTC)


def to_epoch_milliseconds(moment: datetime) -> int:
    """Whole milliseconds since 1970-01-01T00:00:00Z."""
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def from_epoch_milliseconds(milliseconds: int) -> datetime:
    """Aware UTC of whole epoch milliseconds, of which there may be at most 14 digits."""
    return datetime.fromtimestamp(milliseconds // 1000, UTC).replace(microsecond=milliseconds % 1000 * 1000)


def to_epoch_microseconds(moment: datetime) -> int:
    """Whole microseconds since 1970-01-01T00:00:00Z."""
    return (moment - _EPOCH) // timedelta(microseconds=1)
