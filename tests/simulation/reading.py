"""Items as the claims read them: whatever release wrote them, and whoever reads."""

from collections.abc import Mapping
from typing import Any

from ops.dynamodb_double.tables import Item
from schemas.errors import MalformedItemError
from schemas.item_mapping import read_item
from schemas.items import Session
from schemas.projection_items import Projection, read_projection

NEXT_FORMAT = {"N": "2"}
"""The `item_format` of the next release."""


def session_in(item: Item | None) -> Session | None:
    """Read a session; None for any other item, and for one that breaks the schema."""
    if item is None:
        return None
    try:
        found = read_item(without_next_format(item))
    except MalformedItemError:
        return None
    return found if isinstance(found, Session) else None


def projection_in(item: Item) -> Projection:
    """Read a projection."""
    return read_projection(without_next_format(item))


def without_next_format(attributes: Mapping[str, Any]) -> Any:
    """Read an item as the next release does: its own format is one it knows."""
    if attributes.get("item_format") != NEXT_FORMAT:
        return attributes
    return {name: value for name, value in attributes.items() if name != "item_format"}
