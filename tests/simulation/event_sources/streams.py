"""An event source mapping from a DynamoDB stream to a function.

Source of the rules: AWS Lambda Developer Guide, "Using AWS Lambda with Amazon DynamoDB" and its pages on batching,
partial batch responses and discarded records. What they leave open is decided in `stream_batches`.
"""

from __future__ import annotations

import json
import zlib
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import accumulate
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias

from ops.validation.filters import FilterCriteria
from tests.simulation.event_sources.invocation import (
    MAXIMUM_PAYLOAD_BYTES,
    Clock,
    FunctionError,
    Invoke,
    Json,
    Progress,
    failed_items,
)
from tests.simulation.event_sources.stream_batches import Batch, DiscardedBatch, RetryPolicy, StreamRecord
from tests.simulation.event_sources.wire import to_json_value

WireRecord: TypeAlias = Mapping[str, Any]
"""A record as GetRecords returns it."""

StartingPosition: TypeAlias = Literal["TRIM_HORIZON", "LATEST"]

Discard: TypeAlias = Callable[[DiscardedBatch], None]
"""Keep what is given up, in the on-failure destination. Where it raises, the batch is not given up yet."""

_READ_LIMIT = 1000
"""GetRecords returns no more at a time."""

_SHARD_DISCOVERY_SECONDS = 60.0
"""How often to look for shards that no drained parent announced."""


class Shard(NamedTuple):
    """A shard and the one it continues, if any."""

    shard_id: str
    parent_id: str | None


class StreamTransport(Protocol):
    """One stream, as much of it as a consumer needs. Errors pass through `poll_once`, which can be repeated."""

    def shards(self) -> Sequence[Shard]:
        """List all shards that still hold records or may get some."""

    def iterator(self, shard_id: str, position: StartingPosition) -> str:
        """Start reading a shard at its oldest record, or after its newest."""

    def read(self, iterator: str, limit: int) -> tuple[Sequence[WireRecord], str | None]:
        """Read up to `limit` (1 to 1,000) records in order, and the iterator to go on with: None at a closed end."""


@dataclass(frozen=True)
class StreamMapping:
    """Settings of one mapping, named as in CloudFormation.

    Attributes:
        stream_arn: `eventSourceARN` of the records.
        batch_size: Most records of one invocation.
        maximum_batching_window_seconds: How long to gather a batch; 0 invokes with what one read brought.
        parallelization_factor: Partitions per shard; records of one item are always in the same one.
        report_batch_item_failures: Whether the function's response says which records failed.
        filters: Records that pass none of them are skipped.
        retry: When to try again, split, or give up.
    """

    stream_arn: str
    starting_position: StartingPosition = "TRIM_HORIZON"
    batch_size: int = 100
    maximum_batching_window_seconds: float = 0
    parallelization_factor: int = 1
    report_batch_item_failures: bool = False
    filters: FilterCriteria = field(default_factory=FilterCriteria)
    retry: RetryPolicy = field(default_factory=RetryPolicy)

    @property
    def region(self) -> str:
        """The stream's region, part of its ARN."""
        return self.stream_arn.split(":")[3]


class StreamPoller:
    """Reads every shard of one stream in order and invokes the function with batches of its records."""

    def __init__(
        self,
        mapping: StreamMapping,
        transport: StreamTransport,
        invoke: Invoke,
        clock: Clock,
        discard: Discard | None = None,
    ) -> None:
        """Set up, without a call yet.

        Args:
            mapping: The settings.
            transport: The stream.
            invoke: The function.
            clock: Epoch seconds.
            discard: The on-failure destination; None drops what is given up, as Lambda does.
        """
        self._mapping = mapping
        self._transport = transport
        self._clock = clock
        self._function = _Function(mapping, invoke, clock, discard or (lambda _: None))
        self._readers: dict[str, _ShardReader] = {}
        self._discovered_at: float | None = None

    @property
    def is_idle(self) -> bool:
        """Whether every record read is either acknowledged or discarded."""
        return all(reader.is_idle for reader in self._readers.values())

    @property
    def next_due_at(self) -> float | None:
        """When the next held-back batch is due, epoch seconds: its window ends or its retry comes. None without one."""
        due = [partition.due_at for reader in self._readers.values() for partition in reader.partitions]
        return min((at for at in due if at is not None), default=None)

    def poll_once(self) -> Progress:
        """Read every shard once, and invoke the function once for every partition with a batch due."""
        self._discover()
        return max((self._poll_shard(reader) for reader in self._open_readers()), default=Progress.NONE)

    def _discover(self) -> None:
        now = self._clock()
        is_first = self._discovered_at is None
        is_stale = self._discovered_at is None or now - self._discovered_at >= _SHARD_DISCOVERY_SECONDS
        if not is_stale and not any(reader.is_newly_drained for reader in self._readers.values()):
            return
        # LATEST means "from now on": of shards that appear later, everything is from now on.
        position = self._mapping.starting_position if is_first else "TRIM_HORIZON"
        for shard in self._transport.shards():
            if shard.shard_id not in self._readers:
                iterator = self._transport.iterator(shard.shard_id, position)
                self._readers[shard.shard_id] = _ShardReader(self._mapping, shard, iterator)
        self._discovered_at = now
        for reader in self._readers.values():
            reader.is_newly_drained = False

    def _open_readers(self) -> list[_ShardReader]:
        """Pick the shards to read: children wait for their parent, and a parent that is gone is waited for no more."""
        unfinished = {shard_id: reader for shard_id, reader in self._readers.items() if not reader.is_drained}
        return [reader for reader in unfinished.values() if reader.shard.parent_id not in unfinished]

    def _poll_shard(self, reader: _ShardReader) -> Progress:
        progress = reader.read(self._transport, self._clock())
        stepped = [self._function.step(partition, reader.shard.shard_id) for partition in reader.partitions]
        has_ended = reader.close_if_drained()
        return Progress.MORE if any(stepped) or has_ended else progress


class _ShardReader:
    """One shard's place in the stream, and its records by partition."""

    def __init__(self, mapping: StreamMapping, shard: Shard, iterator: str) -> None:
        self.shard = shard
        self.partitions = [_Partition(mapping) for _ in range(mapping.parallelization_factor)]
        self.is_drained = False
        self.is_newly_drained = False
        self._mapping = mapping
        self._iterator: str | None = iterator

    @property
    def is_idle(self) -> bool:
        return all(partition.is_idle for partition in self.partitions)

    def read(self, transport: StreamTransport, now: float) -> Progress:
        room = self._mapping.batch_size - max(len(partition.waiting) for partition in self.partitions)
        limit = min(room, _READ_LIMIT)
        if self._iterator is None or limit <= 0:
            return Progress.NONE
        wire_records, following = transport.read(self._iterator, limit)
        records = [_record(wire_record, self._mapping) for wire_record in wire_records]
        self._iterator = following
        for record in records:
            if self._mapping.filters.accept(record.event):
                self._partition_of(record).add(record, now)
        if not records:
            return Progress.NONE
        return Progress.MORE if len(records) == limit else Progress.SOME

    def close_if_drained(self) -> bool:
        if self._iterator is not None or not self.is_idle:
            return False
        self.is_drained = self.is_newly_drained = True
        return True

    def _partition_of(self, record: StreamRecord) -> _Partition:
        key = json.dumps(record.event["dynamodb"]["Keys"], sort_keys=True)
        return self.partitions[zlib.crc32(key.encode()) % len(self.partitions)]


class _Partition:
    """The records of a partition in order: first the parts of a batch begun, then those not yet in one."""

    def __init__(self, mapping: StreamMapping) -> None:
        self.waiting: list[StreamRecord] = []
        self.begun: deque[Batch] = deque()
        self._mapping = mapping
        self._window_ends_at = 0.0

    @property
    def is_idle(self) -> bool:
        return not self.waiting and not self.begun

    @property
    def due_at(self) -> float | None:
        if self.begun:
            return self.begun[0].not_before
        return self._window_ends_at if self.waiting else None

    def add(self, record: StreamRecord, now: float) -> None:
        if not self.waiting:
            self._window_ends_at = now + self._mapping.maximum_batching_window_seconds
        self.waiting.append(record)

    def begin_batch(self, now: float) -> None:
        """Make the waiting records a batch, if one is full or its window has ended and none is begun."""
        if self.begun or not self.waiting:
            return
        sizes = accumulate(record.size for record in self.waiting[: self._mapping.batch_size])
        count = max(1, sum(size <= MAXIMUM_PAYLOAD_BYTES for size in sizes))
        is_full = count == self._mapping.batch_size or count < len(self.waiting)
        if is_full or now >= self._window_ends_at:
            self.begun.append(Batch(tuple(self.waiting[:count])))
            del self.waiting[:count]
            self._window_ends_at = now + self._mapping.maximum_batching_window_seconds


class _Function:
    """Takes a partition one step further: a batch is invoked, acknowledged, retried, split or discarded."""

    def __init__(self, mapping: StreamMapping, invoke: Invoke, clock: Clock, discard: Discard) -> None:
        self._mapping = mapping
        self._invoke = invoke
        self._clock = clock
        self._discard = discard

    def step(self, partition: _Partition, shard_id: str) -> bool:
        now = self._clock()
        partition.begin_batch(now)
        if not partition.begun:
            return False
        batch = partition.begun[0]
        expired, rest = self._mapping.retry.split_expired(batch, now)
        if expired.records:
            self._give_up(expired, "RecordAgeExceeded", shard_id)
            self._replace_first(partition, [rest] if rest.records else [])
            return True
        if batch.not_before > now:
            return False
        self._replace_first(partition, self._run(batch, shard_id))
        return True

    def _run(self, batch: Batch, shard_id: str) -> list[Batch]:
        """Invoke the function; what remains of the batch is left to do, in this order."""
        first_failed, error = self._first_failure(batch)
        if first_failed is None:
            return []
        batch = batch.failed(error)
        remains = self._mapping.retry.after_failure(batch, first_failed, self._clock())
        if not remains:
            self._give_up(batch.part(first_failed, None), "RetryAttemptsExhausted", shard_id)
        return remains

    def _first_failure(self, batch: Batch) -> tuple[int | None, str | None]:
        """Invoke, and find the first failed record, by index; and the error if the function failed as a whole."""
        sequence_numbers = [record.sequence_number for record in batch.records]
        try:
            response: Json = self._invoke({"Records": [record.event for record in batch.records]})
            if not self._mapping.report_batch_item_failures:
                return None, None
            failed = failed_items(response, frozenset(sequence_numbers))
        except FunctionError as error:
            return 0, str(error)
        # Sequence numbers differ in length, so as texts they would not sort.
        lowest = min(failed, key=int, default=None)
        return (None if lowest is None else sequence_numbers.index(lowest)), None

    def _give_up(self, batch: Batch, condition: str, shard_id: str) -> None:
        self._discard(DiscardedBatch(batch, condition, shard_id, self._mapping.stream_arn, self._clock()))

    @staticmethod
    def _replace_first(partition: _Partition, parts: Sequence[Batch]) -> None:
        partition.begun.popleft()
        partition.begun.extendleft(reversed(parts))


def _record(wire: WireRecord, mapping: StreamMapping) -> StreamRecord:
    """Give a record the shape of a Lambda event. Source: AWS Lambda Developer Guide, DynamoDB example event."""
    created_at = wire["dynamodb"]["ApproximateCreationDateTime"]
    epoch_seconds = created_at.timestamp() if isinstance(created_at, datetime) else float(created_at)
    change = to_json_value({**wire["dynamodb"], "ApproximateCreationDateTime": epoch_seconds})
    event = {
        "eventID": wire["eventID"],
        "eventName": wire["eventName"],
        "eventVersion": wire["eventVersion"],
        "eventSource": "aws:dynamodb",
        "awsRegion": mapping.region,
        "dynamodb": change,
        "eventSourceARN": mapping.stream_arn,
    }
    if identity := wire.get("userIdentity"):
        event["userIdentity"] = {"type": identity["Type"], "principalId": identity["PrincipalId"]}
    return StreamRecord(event, change["SequenceNumber"], epoch_seconds, len(json.dumps(event)))
