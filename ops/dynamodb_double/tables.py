"""Tables: items, partitions, the inverted index, expiry. No time passes here; the caller says what time it is."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ops.dynamodb_double.errors import ConditionFailedError
from ops.dynamodb_double.stream import Stream

Item = dict[str, dict[str, Any]]
ItemKey = tuple[str, str]
"""Partition key and sort key; the second is empty in a table without one."""

INDEX_NAME = "GSI1_inverse"


class Table:
    """A table with keys PK and, unless told otherwise, SK.

    Args:
        name: Its name.
        key_names: Of the partition key and, if there is one, of the sort key.
        stream: Where changes are recorded; None for nowhere.
        index_lag: Gives the seconds after which a change shows in the inverted index.
        keys_only: Whether the index holds the keys alone, instead of all attributes.
        is_indexed: Whether a table with a sort key has the inverted index.
    """

    def __init__(
        self,
        name: str,
        *,
        key_names: tuple[str, ...] = ("PK", "SK"),
        stream: Stream | None = None,
        index_lag: Callable[[], float] = lambda: 0.0,
        keys_only: bool = False,
        is_indexed: bool = True,
    ) -> None:
        self.name = name
        self.key_names = key_names
        self.items: dict[ItemKey, Item] = {}
        self.stream = stream
        self.keys_only = keys_only
        self._is_indexed = is_indexed
        self.on_change: Callable[[Item | None, Item | None, bool], None] = lambda old, new, is_ttl: None
        self._index_lag = index_lag
        self._earliest_ttl = math.inf
        self._indexed: dict[ItemKey, list[tuple[float, Item | None]]] = {}
        self._partitions: dict[tuple[str, str], dict[ItemKey, None]] = {}

    @property
    def has_index(self) -> bool:
        """Whether the table has the inverted index: each with a sort key has, unless told otherwise."""
        return self._is_indexed and "SK" in self.key_names

    def key_of(self, attributes: Item) -> ItemKey:
        """Read the primary key out of attributes.

        Raises:
            KeyError: It is not there, or of another type than text.
        """
        texts = [attributes[name]["S"] for name in self.key_names]
        return texts[0], texts[1] if len(texts) > 1 else ""

    def insert(self, item: Item, now: float) -> None:
        """Store an item where there is none.

        Raises:
            ConditionFailedError: There is one.
        """
        if self.key_of(item) in self.items:
            raise ConditionFailedError
        self.store(self.key_of(item), item, now)

    def delete(self, key: ItemKey, now: float, *, is_ttl: bool = False) -> None:
        """Delete an item, there or not."""
        self.store(key, None, now, is_ttl=is_ttl)

    def expired(self, now: float) -> list[ItemKey]:
        """Name the items that TTL may delete. A `ttl` that is no number never runs out."""
        if now <= self._earliest_ttl:
            return []
        times = {key: int(item["ttl"]["N"]) for key, item in self.items.items() if "N" in item.get("ttl", {})}
        self._earliest_ttl = min(times.values(), default=math.inf)
        return [key for key, at in times.items() if at < now]

    def partition(self, partition_key: str) -> list[Item]:
        """Read the items of a partition, by sort key."""
        keys = self._partitions.get((self.key_names[0], partition_key), ())
        return [self.items[key] for key in sorted(keys) if key in self.items]

    def index_partition(self, sort_key: str, now: float) -> list[Item]:
        """Read a partition of the inverted index, as far as it has caught up, by PK."""
        keys = sorted(self._partitions.get(("SK", sort_key), ()))
        found = [item for key in keys if (item := self._indexed_at(key, now)) is not None]
        return [{name: item[name] for name in self.key_names} for item in found] if self.keys_only else found

    def scan(self) -> Iterator[Item]:
        """Give all items, by key."""
        return (self.items[key] for key in sorted(self.items))

    def load(self, items: Iterable[Item]) -> None:
        """Put items in without a record in the stream."""
        for item in items:
            self._set(self.key_of(item), item, 0.0)

    def store(self, key: ItemKey, new: Item | None, now: float, *, is_ttl: bool = False) -> None:
        """Set or delete an item; a write that changes nothing leaves no record."""
        old = self.items.get(key)
        if old == new:
            return
        self._set(key, new, now)
        self.on_change(old, new, is_ttl)
        if self.stream is not None:
            keys = {name: (new or old or {})[name] for name in self.key_names}
            self.stream.add(keys, old, new, now=now, is_ttl=is_ttl)

    def _set(self, key: ItemKey, new: Item | None, now: float) -> None:
        if new is None:
            self.items.pop(key, None)
        else:
            self.items[key] = new
            if "N" in new.get("ttl", {}):
                self._earliest_ttl = min(self._earliest_ttl, int(new["ttl"]["N"]))
        for name, value in zip(self.key_names, key, strict=False):
            self._partitions.setdefault((name, value), {})[key] = None
        if self.has_index:
            changes = self._indexed.setdefault(key, [])
            shows_at = max(now + self._index_lag(), changes[-1][0] if changes else 0.0)  # in order per item
            changes.append((shows_at, new))
            self._indexed_at(key, now)

    def _indexed_at(self, key: ItemKey, now: float) -> Item | None:
        changes = self._indexed[key]
        while len(changes) > 1 and changes[1][0] <= now:
            del changes[0]
        return changes[0][1] if changes[0][0] <= now else None
