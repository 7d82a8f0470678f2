"""Items as the claims read them."""

from ops.dynamodb_double.tables import Item
from schemas.errors import MalformedItemError
from schemas.item_mapping import read_item
from schemas.items import Session


def session_in(item: Item | None) -> Session | None:
    """Read a session; None for any other item, and for one that breaks the schema."""
    if item is None:
        return None
    try:
        found = read_item(item)
    except MalformedItemError:
        return None
    return found if isinstance(found, Session) else None
