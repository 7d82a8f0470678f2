"""Scans that can go on where they stopped, and work at a bounded rate."""

import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from processors.aws.conditional_writes import Item
from processors.aws.item_store import ItemStore


class Page(NamedTuple):
    """A page of a scan."""

    items: list[Item]
    position: Item | None
    """The key after which to go on; None: it was the last page."""


def scan_pages(store: ItemStore, *names: str, after: Item | None = None) -> Iterator[Page]:
    """Scan a table page by page, strongly consistent.

    Args:
        store: The table.
        names: The attributes to read.
        after: The position of an earlier page; None: from the start.

    Raises:
        ClientError: The service refused.
        BotoCoreError: It could not be reached.
    """
    places = {f"#a{number}": name for number, name in enumerate(names)}
    request: dict[str, Any] = {
        "TableName": store.table_name,
        "ConsistentRead": True,
        "ProjectionExpression": ", ".join(places),
        "ExpressionAttributeNames": places,
    }
    while True:
        if after is not None:
            request["ExclusiveStartKey"] = after
        page: Any = store.client.scan(**request)
        after = page.get("LastEvaluatedKey")
        yield Page(page["Items"], after)
        if after is None:
            return


class Pace:
    """Keeps work below a rate.

    Args:
        rate: Most units of work a second; None: no bound.
        clock: Monotonic seconds.
        sleep: Waits for so many seconds.
    """

    def __init__(
        self,
        rate: float | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._rate = rate
        self._clock = clock
        self._sleep = sleep
        self._free_at = clock()

    @property
    def batch(self) -> int:
        """How many units to take at a time, so that a low rate is kept evenly."""
        return 100 if self._rate is None else max(1, min(100, round(self._rate)))

    def take(self, units: int) -> None:
        """Wait until so many units may be begun."""
        if self._rate is None:
            return
        now = self._clock()
        if now < self._free_at:
            self._sleep(self._free_at - now)
        self._free_at = max(now, self._free_at) + units / self._rate
