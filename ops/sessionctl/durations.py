"""Durations and moments as people write and read them: `30m`, `2 h 5 min ago`."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta

from schemas.times import parse_rfc3339, parse_stored

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
"""Seconds in each unit of time."""


def parse_duration(text: str) -> timedelta:
    """Read a duration like 90s, 30m, 8h or 2d.

    Raises:
        ValueError: It is not one.
    """
    found = re.fullmatch(r"(\d{1,9})([smhd])", text, re.ASCII)
    if found is None:
        raise ValueError(f"{text!r} is not a duration like 90s, 30m, 8h or 2d")
    return timedelta(seconds=int(found[1]) * _SECONDS[found[2]])


def parse_since(text: str, now: datetime) -> datetime:
    """Read a moment: a duration before `now`, or an RFC 3339 time with offset. Aware UTC.

    Raises:
        ValueError: It is neither.
    """
    try:
        return now - parse_duration(text)
    except (ValueError, OverflowError):
        pass
    try:
        return parse_rfc3339(text)
    except ValueError:
        raise ValueError(
            f"{text!r} is neither a duration like 30m, 8h or 2d nor a time like 2026-03-01T10:20:30Z"
        ) from None


def in_words(duration: timedelta, *, units: int = 2) -> str:
    """Write a duration in its largest units, as `1 h 5 min`."""
    left = int(duration.total_seconds())
    words: list[str] = []
    for size, unit in _UNITS:
        amount, left = divmod(left, size)
        if amount:
            words.append(f"{amount} {unit}")
        elif words:
            words.append("")
    return " ".join(filter(None, words[:units])) or "0 s"


def distance(moment: datetime, now: datetime, *, units: int = 1) -> str:
    """Write how far away a moment is: `5 min ago`, `in 2 h`, `now`."""
    if abs(moment - now) < timedelta(seconds=1):
        return "now"
    words = in_words(abs(moment - now), units=units)
    return f"in {words}" if moment > now else f"{words} ago"


def relative(now: datetime) -> Callable[[str], str]:
    """Return what writes the RFC 3339 times of a column as their distance from `now`."""
    return lambda text: distance(parse_stored(text), now)
