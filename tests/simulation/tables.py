"""Tables of a simulated DynamoDB: items, stream by shards, inverted index, expiry. No time passes here.

Held against the real engine by `test_engine_agreement`.
"""

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

Item = dict[str, dict[str, Any]]
ItemKey = tuple[str, str]

TTL_IDENTITY = {"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"}
_HASH_RANGE = 2**32


class ConditionFailedError(Exception):
    """The condition of a write does not hold."""


@dataclass
class StreamShard:
    """A shard: the records of the partition keys whose hash lies in `low <= hash < high`."""

    shard_id: str
    parent_id: str | None
    low: int
    high: int
    clock_skew: float
    is_closed: bool = False
    records: list[dict[str, Any]] = field(default_factory=list)
    readable_at: list[float] = field(default_factory=list)

    def covers(self, partition_key: str) -> bool:
        return self.low <= zlib.crc32(partition_key.encode()) < self.high


class Stream:
    """A stream with old and new images.

    Args:
        shards: How many it begins with.
        skew: Gives a shard's clock error, in seconds.
        delay: Seconds from a write until its record can be read.
    """

    def __init__(self, shards: int, skew: Callable[[], float], delay: float = 0.0) -> None:
        self.shards: list[StreamShard] = []
        self.on_record: Callable[[StreamShard, dict[str, Any]], None] = lambda shard, record: None
        self.delay = delay
        self._skew = skew
        self._sequence = 10**20
        for number in range(shards):
            self._open(None, _HASH_RANGE * number // shards, _HASH_RANGE * (number + 1) // shards)

    def split(self, shard: StreamShard) -> None:
        """Close a shard and open two that continue it."""
        shard.is_closed = True
        middle = (shard.low + shard.high) // 2
        self._open(shard.shard_id, shard.low, middle)
        self._open(shard.shard_id, middle, shard.high)

    def add(self, key: Item, old: Item | None, new: Item | None, *, now: float, is_ttl: bool) -> None:
        """Record a change."""
        shard = next(s for s in self.shards if not s.is_closed and s.covers(key["PK"]["S"]))
        # Numbers skip, and differ in length: as texts they would not sort.
        self._sequence += 10**21 if self._sequence < 10**21 and len(self.shards[0].records) > 3 else 7
        change: dict[str, Any] = {
            "Keys": key,
            "SequenceNumber": str(self._sequence),
            "ApproximateCreationDateTime": float(int(now + shard.clock_skew)),
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        }
        if old is not None:
            change["OldImage"] = old
        if new is not None:
            change["NewImage"] = new
        name = "INSERT" if old is None else "MODIFY" if new is not None else "REMOVE"
        record: dict[str, Any] = {
            "eventID": str(self._sequence),
            "eventName": name,
            "eventVersion": "1.1",
            "dynamodb": change,
        }
        if is_ttl:
            record["userIdentity"] = TTL_IDENTITY
        shard.records.append(record)
        shard.readable_at.append(now + self.delay)
        self.on_record(shard, record)

    def _open(self, parent_id: str | None, low: int, high: int) -> None:
        self.shards.append(StreamShard(f"shard-{len(self.shards)}", parent_id, low, high, self._skew()))


class Table:
    """A table with keys PK and, unless told otherwise, SK.

    Args:
        name: Its name.
        has_sort_key: Whether SK is part of the key.
        stream: Where changes are recorded; None for nowhere.
        index_lag: Gives the seconds after which a change shows in the inverted index.
    """

    def __init__(
        self,
        name: str,
        *,
        has_sort_key: bool = True,
        stream: Stream | None = None,
        index_lag: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self.name = name
        self.key_names = ("PK", "SK") if has_sort_key else ("PK",)
        self.items: dict[ItemKey, Item] = {}
        self.stream = stream
        self.on_change: Callable[[Item | None, Item | None, bool], None] = lambda old, new, is_ttl: None
        self._index_lag = index_lag
        self._indexed: dict[ItemKey, list[tuple[float, Item | None]]] = {}

    def key_of(self, attributes: Item) -> ItemKey:
        """Read the primary key out of attributes."""
        return attributes["PK"]["S"], attributes["SK"]["S"] if "SK" in self.key_names else ""

    def insert(self, item: Item, now: float) -> None:
        """Store an item where there is none.

        Raises:
            ConditionFailedError: There is one.
        """
        if self.key_of(item) in self.items:
            raise ConditionFailedError
        self._write(self.key_of(item), item, now)

    def update(
        self, key: ItemKey, changes: Item, removed: tuple[str, ...], expected: dict[str, Any], now: float
    ) -> None:
        """Change an item that is there.

        Args:
            key: Which.
            changes: Attributes to set.
            removed: Attributes to remove, there or not.
            expected: Values that attributes must have; None for one that must be missing.
            now: Epoch seconds.

        Raises:
            ConditionFailedError: There is no item, or it is not as expected.
        """
        item = self.items.get(key)
        if item is None or not matches(item, expected):
            raise ConditionFailedError
        changed = {name: value for name, value in {**item, **changes}.items() if name not in removed}
        self._write(key, changed, now)

    def put(self, item: Item, condition: Callable[[Item | None], bool], now: float) -> None:
        """Store an item in place of what is there.

        Raises:
            ConditionFailedError: The condition does not hold of it.
        """
        key = self.key_of(item)
        if not condition(self.items.get(key)):
            raise ConditionFailedError
        self._write(key, item, now)

    def delete(self, key: ItemKey, now: float, *, is_ttl: bool = False) -> None:
        """Delete an item, there or not."""
        self._write(key, None, now, is_ttl=is_ttl)

    def expired(self, now: float) -> list[ItemKey]:
        """Name the items that TTL may delete."""
        return [key for key, item in self.items.items() if "ttl" in item and int(item["ttl"]["N"]) < now]

    def partition(self, partition_key: str) -> list[Item]:
        """Read the items of a partition, by sort key."""
        return [self.items[key] for key in sorted(self.items) if key[0] == partition_key]

    def index_partition(self, sort_key: str, now: float) -> list[Item]:
        """Read a partition of the inverted index, as far as it has caught up, by PK."""
        return [item for key, item in sorted(self._index_view(now)) if key[1] == sort_key]

    def _index_view(self, now: float) -> Iterator[tuple[ItemKey, Item]]:
        for key, changes in self._indexed.items():
            while len(changes) > 1 and changes[1][0] <= now:
                del changes[0]
            if changes[0][0] <= now and changes[0][1] is not None:
                yield key, changes[0][1]

    def _write(self, key: ItemKey, new: Item | None, now: float, *, is_ttl: bool = False) -> None:
        old = self.items.get(key)
        if old == new:
            return  # a write that changes nothing leaves no record
        if new is None:
            del self.items[key]
        else:
            self.items[key] = new
        changes = self._indexed.setdefault(key, [])
        shows_at = max(now + self._index_lag(), changes[-1][0] if changes else 0.0)  # in order per item
        changes.append((shows_at, new))
        self.on_change(old, new, is_ttl)
        if self.stream is not None:
            keys = {name: (new or old or {})[name] for name in self.key_names}
            self.stream.add(keys, old, new, now=now, is_ttl=is_ttl)


def matches(item: Item, expected: dict[str, Any]) -> bool:
    """Tell whether attributes have the values expected; None expects none."""
    for name, value in expected.items():
        found = item.get(name)
        if value is None:
            if found is not None:
                return False
        elif found is None or not _equal(found, value):
            return False
    return True


def _equal(one: dict[str, Any], other: dict[str, Any]) -> bool:
    if one.keys() == other.keys() == {"N"}:
        return Decimal(one["N"]) == Decimal(other["N"])
    return one == other
