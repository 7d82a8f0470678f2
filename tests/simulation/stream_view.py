"""One worker's view of the simulated stream: some shards, and of their records those of one partition."""

import zlib
from collections.abc import Callable, Sequence
from typing import Any

from ops.dynamodb_double.stream import Stream, StreamShard
from tests.simulation.event_sources.streams import Shard, StartingPosition


class StreamView:
    """A `StreamTransport` of one shard and of what it splits into.

    Lambda's ParallelizationFactor lets several workers at one shard, each with its own keys; each is a view here, so
    that they run side by side.

    Args:
        stream: The stream.
        root: The shard.
        partition: Which of the partitions.
        partitions: Into how many the keys are divided.
        limit: Gives the most records of the next read.
        clock: Epoch seconds.
    """

    def __init__(
        self,
        stream: Stream,
        root: StreamShard,
        partition: int,
        partitions: int,
        limit: Callable[[], int],
        clock: Callable[[], float],
    ) -> None:
        self.name = f"{root.shard_id}.{partition}"
        self.starts: dict[str, int] = {}
        self._stream = stream
        self._roots = {root.shard_id}
        self._partition = partition
        self._partitions = partitions
        self._limit = limit
        self._clock = clock
        self._positions: dict[str, int] = {}
        self._acknowledged: set[str] = set()
        self._known = 0
        self._mine: list[StreamShard] = []

    def covers(self, shard: StreamShard, record: dict[str, Any]) -> bool:
        """Whether a record is this worker's."""
        return shard in self._shards() and self._is_mine(record)

    def shards(self) -> Sequence[Shard]:
        return [Shard(shard.shard_id, shard.parent_id) for shard in self._shards()]

    def iterator(self, shard_id: str, position: StartingPosition) -> str:
        assert position == "TRIM_HORIZON", "LATEST can lose records"
        self._positions[shard_id] = self.starts.get(shard_id, 0)
        return f"{shard_id} {self._positions[shard_id]}"

    def read(self, iterator: str, limit: int) -> tuple[Sequence[dict[str, Any]], str | None]:
        shard_id, _, text = iterator.partition(" ")
        shard = next(shard for shard in self._stream.shards if shard.shard_id == shard_id)
        position = int(text)
        limit = min(limit, self._limit())
        records: list[dict[str, Any]] = []
        while position < len(shard.records) and len(records) < limit and shard.readable_at[position] <= self._clock():
            if self._is_mine(shard.records[position]):
                records.append(shard.records[position])
            position += 1
        self._positions[shard_id] = position
        if shard.is_closed and position == len(shard.records):
            return records, None
        return records, f"{shard_id} {position}"

    def acknowledge(self, sequence_numbers: Sequence[str]) -> None:
        """Note that records are done."""
        self._acknowledged.update(sequence_numbers)

    def go_back(self, to_the_beginning: bool) -> None:
        """Begin the next iterators at the last checkpoint, or at the oldest record."""
        self.starts = {}
        self._positions = {}
        for shard in self._shards():
            if not to_the_beginning:
                self.starts[shard.shard_id] = self._checkpoint(shard)

    @property
    def next_readable_at(self) -> float | None:
        """When the next record can be read, epoch seconds; None where there is none."""
        moments = [
            shard.readable_at[position]
            for shard in self._shards()
            if (position := self._positions.get(shard.shard_id, 0)) < len(shard.records)
        ]
        return min((moment for moment in moments if moment > self._clock()), default=None)

    @property
    def is_at_end(self) -> bool:
        """Whether every record of this partition has been read."""
        return not any(
            self._is_mine(record)
            for shard in self._shards()
            for record in shard.records[self._positions.get(shard.shard_id, 0) :]
        )

    def _checkpoint(self, shard: StreamShard) -> int:
        for position, record in enumerate(shard.records):
            if self._is_mine(record) and record["dynamodb"]["SequenceNumber"] not in self._acknowledged:
                return position
        return len(shard.records)

    def _shards(self) -> list[StreamShard]:
        if self._known == len(self._stream.shards):
            return self._mine
        family = set(self._roots)
        mine = []
        for shard in self._stream.shards:  # parents come before their children
            if shard.shard_id in family or shard.parent_id in family:
                family.add(shard.shard_id)
                mine.append(shard)
        self._known, self._mine = len(self._stream.shards), mine
        return mine

    def _is_mine(self, record: dict[str, Any]) -> bool:
        if self._partitions == 1:
            return True
        keys = record["dynamodb"]["Keys"]
        return zlib.crc32(f"{keys['PK']['S']} {keys['SK']['S']}".encode()) % self._partitions == self._partition
