"""How values of identity systems are read: absent ones, ids, times, addresses. One place for every provider.

Pure. Canonical events need none of these rules, because their publishers follow ours.
"""

import ipaddress
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from hashlib import sha256

from schemas.times import parse_rfc3339

_MASK = re.compile(r"HIDDEN_DUE_TO_SECURITY_REASONS|\*+|[\[(<]?(?:REDACTED|MASKED)[\])>]?", re.IGNORECASE)
"""What systems write where they hide a value: CloudTrail, and the usual ones."""

_EPOCH_DIGITS = {10: 1, 13: 1_000, 16: 1_000_000, 19: 1_000_000_000}
"""Digits of a number of seconds, milliseconds, microseconds, nanoseconds between 2001 and 2286; units in a second."""

_NUMBER = re.compile(r"(\d+)(?:\.\d*)?", re.ASCII)
_DATE_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d(?:\.\d+)?) ?([Zz]|UTC|GMT|[+-]\d\d:?\d\d)?", re.ASCII | re.IGNORECASE
)
_PORT = r"(?::\d{1,5})?"
_BRACKETED = re.compile(rf"\[([^\[\]]+)\]{_PORT}", re.ASCII)
_IPV4_WITH_PORT = re.compile(r"(\d+\.\d+\.\d+\.\d+):\d{1,5}", re.ASCII)

_LONGEST_ID = 256


def is_absent(value: object) -> bool:
    """Return True for no value: null, the empty string, or a mask, which must never become an id."""
    return value is None or value == "" or (isinstance(value, str) and _MASK.fullmatch(value) is not None)


def read_id(value: object) -> str:
    """Read an id: a text as it is, case and spaces included, or a whole number in decimal.

    Raises:
        ValueError: It is neither.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise ValueError("is neither a text nor a whole number")


def read_time(value: object) -> datetime:
    """Read a time in any form that identity systems write.

    A number, also in a text, counts from 1970 in the unit that its number of digits implies; names of fields do not
    say it reliably. A date and time without zone is UTC.

    Returns:
        Aware UTC with milliseconds; finer fractions are cut.

    Raises:
        ValueError: It is not a time in one of these forms.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("is neither a number nor a text with a time")
    text = value.strip() if isinstance(value, str) else f"{value:f}" if isinstance(value, float) else str(value)
    if number := _NUMBER.fullmatch(text):
        return _read_epoch(text, whole=number[1])
    if written := _DATE_TIME.fullmatch(text):
        date, time, zone = written.groups()
        offset = zone if zone and zone[0] in "+-" else "Z"
        return parse_rfc3339(
            f"{date}T{time}{offset if ':' in offset or offset == 'Z' else f'{offset[:3]}:{offset[3:]}'}"
        )
    raise ValueError("is neither a date and time nor a number since 1970")


def _read_epoch(text: str, *, whole: str) -> datetime:
    units = _EPOCH_DIGITS.get(len(whole))
    if units is None:
        raise ValueError("is a number of neither seconds, milliseconds, microseconds nor nanoseconds since 1970")
    _, _, fraction = text.partition(".")
    milliseconds = int(whole) * 1000 // units
    if units == 1:
        milliseconds += int(fraction[:3].ljust(3, "0"))
    moment = datetime.fromtimestamp(milliseconds // 1000, UTC)
    return moment.replace(microsecond=milliseconds % 1000 * 1000)


def clean_ip(value: object) -> str | None:
    """Return an IP address without brackets and port; None if it is not an address, or stands for any."""
    if not isinstance(value, str):
        return None
    text = value.strip()
    if match := _BRACKETED.fullmatch(text) or _IPV4_WITH_PORT.fullmatch(text):
        text = match[1]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return None if address.is_unspecified or len(text) > 64 else text


def clean_text(value: object, *, longest: int) -> str | None:
    """Return a descriptive text, or None if it is not a usable one: no login is rejected for its description."""
    if not isinstance(value, str) or is_absent(value) or len(value) > longest or not value.isprintable():
        return None
    return value


def derived_event_id(parts: Iterable[str | None]) -> str:
    """Derive the id of an event without one: the same for each copy of it, and different for any other event."""
    return sha256(
        "\n".join(f"{len(part)}:{part}" if part is not None else "-" for part in parts).encode(errors="surrogatepass")
    ).hexdigest()


def derived_session_id(provider: str, event_id: str) -> str:
    """Derive the session id of a login without one: each such login is a session of its own."""
    session_id = f"{provider}:{event_id}"
    return session_id if len(session_id) <= _LONGEST_ID else f"{provider}:{derived_event_id([event_id])}"
