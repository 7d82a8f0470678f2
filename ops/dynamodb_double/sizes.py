"""Sizes of items and the read and write units they cost; values that DynamoDB does not take are refused.

Source: DynamoDB Developer Guide, "DynamoDB item sizes and formats" and "DynamoDB read and write operations". A number
takes a byte for every two significant digits and one more; AWS calls that approximate.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

MAX_ITEM_BYTES = 400 * 1024
PAGE_BYTES = 1024 * 1024
"""DynamoDB ends a page of a Query here."""
WRITE_UNIT_BYTES = 1024
READ_UNIT_BYTES = 4096

Item = Mapping[str, Mapping[str, Any]]


def item_size(item: Item) -> int:
    """Bytes of an item, names included.

    Raises:
        ValueError: DynamoDB takes no such value.
    """
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def write_units(before: Item | None, after: Item | None) -> int:
    """Units of one write of the table: the larger of the images counts, and at least one is charged."""
    larger = max(item_size(image) for image in (before or {}, after or {}))
    return max(1, -(-larger // WRITE_UNIT_BYTES))


def read_units(size: int, *, consistent: bool) -> float:
    """Units of one read of so many bytes: an item, or all that a query looked at; nothing found costs one, too."""
    return max(1, -(-size // READ_UNIT_BYTES)) * (1 if consistent else 0.5)


def _value_size(value: Mapping[str, Any]) -> int:  # noqa: PLR0911 # one return for each type
    if not isinstance(value, Mapping) or len(value) != 1:
        raise ValueError("not one type")
    [(kind, content)] = value.items()
    if kind == "S" and isinstance(content, str):
        return len(content.encode())
    if kind == "N" and isinstance(content, str):
        return _number_size(content)
    if kind == "B" and isinstance(content, bytes):
        return len(content)
    if kind in ("BOOL", "NULL") and isinstance(content, bool):
        return 1
    if kind in ("SS", "NS") and isinstance(content, list) and content:
        return sum(_value_size({kind[0]: element}) for element in content)
    if kind == "L" and isinstance(content, list):
        return 3 + sum(1 + _value_size(element) for element in content)
    if kind == "M" and isinstance(content, Mapping) and "" not in content:
        return 3 + sum(1 + len(name.encode()) + _value_size(element) for name, element in content.items())
    raise ValueError(f"not an attribute value of type {kind}")


def _number_size(text: str) -> int:
    if not re.fullmatch(r"-?\d+(\.\d+)?", text, re.ASCII):
        raise ValueError("not a number")
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise ValueError("not a number") from None
    digits = text.lstrip("-").replace(".", "").strip("0")
    if len(digits) > 38 or (number and number.adjusted() > 125):
        raise ValueError("a number out of range")
    return (len(digits) + 1) // 2 + 1 + (number < 0)
