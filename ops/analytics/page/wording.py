"""Numbers, durations and moments as a person reads them."""

import math
from datetime import UTC, datetime

_SPACE = "\u00a0"
"""Keeps a number and its unit on one line."""

_UNITS = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def count(number: float) -> str:
    """Write a whole number with separators between thousands."""
    return f"{number:,.0f}"


def share(part: float, whole: float) -> str:
    """Write a part of a whole in percent; what is there is never written as nothing."""
    if not whole:
        return "-"
    percent = 100 * part / whole
    if 0 < percent < 0.1:
        return "< 0.1 %"
    return f"{percent:.1f} %"


def plural(number: int, noun: str) -> str:
    """Write a number of things, for example `1 login`, `2,000 logins`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def duration(seconds: float | None) -> str:
    """Write a duration in its two largest units, for example `3 h 20 min`."""
    if seconds is None:
        return "-"
    whole = math.floor(seconds)
    if whole < 1:
        return "0 s" if seconds == 0 else f"{seconds * 1000:.0f} ms"
    position = next(place for place, (length, _) in enumerate(_UNITS) if whole >= length)
    parts = []
    for length, unit in _UNITS[position : position + 2]:
        if whole // length:
            parts.append(f"{whole // length}{_SPACE}{unit}")
        whole %= length
    return _SPACE.join(parts)


def moment(seconds: float | datetime) -> str:
    """Write a moment in UTC, to the second."""
    return f"{_aware(seconds):%Y-%m-%d %H:%M:%S}"


def minute(seconds: float | datetime) -> str:
    """Write a moment in UTC, to the minute."""
    return f"{_aware(seconds):%Y-%m-%d %H:%M}"


def day(number: int) -> str:
    """Write a day that is counted from 1970-01-01."""
    return f"{_aware(number * 86_400):%Y-%m-%d}"


def _aware(seconds: float | datetime) -> datetime:
    return seconds.astimezone(UTC) if isinstance(seconds, datetime) else datetime.fromtimestamp(seconds, UTC)
