"""A table's stream, by shards, with old and new images."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Item = dict[str, dict[str, Any]]

TTL_IDENTITY = {"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"}
_HASH_RANGE = 2**32


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
        """Whether a partition's changes are recorded here."""
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
