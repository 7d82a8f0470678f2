"""Pages of items: after a key, up to a number, and up to 1 MB."""

from __future__ import annotations

from collections.abc import Sequence

from ops.dynamodb_double.sizes import PAGE_BYTES, item_size
from ops.dynamodb_double.tables import Item


def page_of(
    items: list[Item], order: Sequence[str], start: Item | None, most: int, *, is_forward: bool = True
) -> tuple[list[Item], bool]:
    """Cut a page out of what was read.

    Args:
        items: All that there is, in order.
        order: The attributes that they are in order by.
        start: Key after which the page begins; None: at the beginning.
        most: Items of the page.
        is_forward: Whether in order, or from the end.

    Returns:
        The page, and whether DynamoDB would say that there may be more: a page cut exactly at the end says so.
    """
    if not is_forward:
        items = items[::-1]
    if start is not None:
        first = [start[name]["S"] for name in order]
        places = ([item[name]["S"] for name in order] for item in items)
        ahead = [place != first and (place > first) is is_forward for place in places]
        items = [item for item, is_ahead in zip(items, ahead, strict=True) if is_ahead]
    page, size = [], 0
    for item in items:
        page.append(item)
        if len(page) >= most:
            return page, True
        if len(items) > 100:  # fewer stay below 1 MB in all that is measured here
            size += item_size(item)
            if size >= PAGE_BYTES:
                return page, True
    return page, False
