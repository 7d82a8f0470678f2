"""Readers of single attributes out of items and images: `{"PK": {"S": "suuid#..."}, ...}`.

The lenient readers (`text`, `number`, `time`) take an attribute of another type or form as absent: a table may be
shared with other writers. The strict ones (`require_...`) raise `MalformedItemError`, for what nothing can be made
without.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeAlias

from schemas.errors import MalformedItemError
from schemas.times import parse_stored

Attributes: TypeAlias = Mapping[str, Mapping[str, Any]]
"""An item as DynamoDB's API has it."""


def text(attributes: Attributes, name: str) -> str | None:
    """Return a string attribute; None where it is absent or of another type."""
    value = attributes.get(name)
    content = value.get("S") if isinstance(value, dict) else None
    return content if isinstance(content, str) else None


def number(attributes: Attributes, name: str) -> int | None:
    """Return a whole number; None where it is absent, of another type, or has a fraction."""
    value = attributes.get(name)
    content = value.get("N") if isinstance(value, dict) else None
    if not isinstance(content, str):
        return None
    try:
        return int(content)
    except ValueError:
        return None


def time(attributes: Attributes, name: str) -> datetime | None:
    """Return an RFC 3339 time as aware UTC with milliseconds; None where it is absent or anything else.

    A time without zone is UTC, as in the original schema.
    """
    content = text(attributes, name)
    try:
        return None if content is None else parse_stored(content)
    except ValueError:
        return None


def require_text(attributes: Attributes, name: str) -> str:
    """Return a string attribute.

    Raises:
        MalformedItemError: It is absent or of another type.
    """
    content = text(attributes, name)
    if content is None:
        raise MalformedItemError(f"the string attribute {name} is missing")
    return content


def require_number(attributes: Attributes, name: str) -> int:
    """Return a whole number.

    Raises:
        MalformedItemError: It is absent, of another type, or has a fraction.
    """
    content = number(attributes, name)
    if content is None:
        raise MalformedItemError(f"the whole number {name} is missing")
    return content


def require_time(attributes: Attributes, name: str) -> datetime:
    """Return an RFC 3339 time as aware UTC with milliseconds.

    Raises:
        MalformedItemError: It is absent or anything else.
    """
    content = time(attributes, name)
    if content is None:
        raise MalformedItemError(f"the time {name} is missing")
    return content
