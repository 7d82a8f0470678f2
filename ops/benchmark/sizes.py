"""Read and write units from item sizes.

Source: DynamoDB Developer Guide, "DynamoDB item sizes and formats" and "DynamoDB read and write operations". A number
takes a byte for every two significant digits and one more; AWS calls that approximate.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

WRITE_UNIT_BYTES = 1024
READ_UNIT_BYTES = 4096

Item = Mapping[str, Mapping[str, Any]]


def item_size(item: Item) -> int:
    """Bytes of an item, names included."""
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def write_units(before: Item | None, after: Item | None) -> int:
    """Units of one write of the table: the larger of the images counts, and at least one is charged."""
    larger = max(item_size(image) for image in (before or {}, after or {}))
    return max(1, -(-larger // WRITE_UNIT_BYTES))


def read_units(size: int, *, consistent: bool) -> float:
    """Units of one read of so many bytes: an item, or all that a query looked at; nothing found costs one, too."""
    return max(1, -(-size // READ_UNIT_BYTES)) * (1 if consistent else 0.5)


def _value_size(value: Mapping[str, Any]) -> int:
    [(kind, content)] = value.items()
    if kind == "S":
        return len(content.encode())
    if kind == "N":
        digits = content.lstrip("-").replace(".", "").strip("0")
        return (len(digits) + 1) // 2 + 1 + content.startswith("-")  # type: ignore[no-any-return]
    if kind == "M":
        return 3 + sum(1 + len(name.encode()) + _value_size(member) for name, member in content.items())
    if kind == "L":
        return 3 + sum(1 + _value_size(member) for member in content)
    return 1  # NULL and BOOL; nobody here writes sets or binary
