"""What becomes of a batch of stream records that failed: retried, split in two, or discarded.

Decided where the AWS documentation is silent:
- A batch that fails partly with bisecting on is split at the returned sequence number; like every split, that does not
  count as a retry. Failing at its first record leaves nothing to split off there, so it is halved.
- Without bisecting, progress within a batch does not reset its count of retries.
- Retries wait, twice as long each time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

UNLIMITED = -1
"""No limit on retries or age. Source: API reference of CreateEventSourceMapping."""

_LONGEST_RETRY_DELAY_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class StreamRecord:
    """One record as the function gets it.

    Attributes:
        event: The record in the shape of a Lambda event.
        sequence_number: A decimal number as text.
        created_at: `ApproximateCreationDateTime`, epoch seconds.
        size: Bytes as JSON.
    """

    event: dict[str, Any]
    sequence_number: str
    created_at: float
    size: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Records that go into one invocation.

    Attributes:
        records: In the order of their sequence numbers.
        retries: How many invocations of these records count against `maximum_retry_attempts`.
        invocations: How many times the function was invoked with these records, alone or among others.
        not_before: Epoch seconds of the next attempt.
        error: What the function failed with last; None if it reported failed items.
    """

    records: tuple[StreamRecord, ...]
    retries: int = 0
    invocations: int = 0
    not_before: float = 0.0
    error: str | None = None

    def failed(self, error: str | None) -> Batch:
        """Count an invocation that failed."""
        return replace(self, invocations=self.invocations + 1, error=error)

    def part(self, start: int | None, stop: int | None) -> Batch:
        """Take some of the records, with everything counted so far."""
        return replace(self, records=self.records[start:stop])


@dataclass(frozen=True, slots=True)
class DiscardedBatch:
    """A batch that is given up.

    Attributes:
        condition: `RetryAttemptsExhausted` or `RecordAgeExceeded`.
        discarded_at: Epoch seconds.
    """

    batch: Batch
    condition: str
    shard_id: str
    stream_arn: str
    discarded_at: float

    @property
    def records(self) -> Sequence[StreamRecord]:
        """The records lost to the function."""
        return self.batch.records


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When to try again, split, or give up.

    Attributes:
        bisect_batch_on_function_error: Split a failed batch of several records instead of repeating it.
        maximum_retry_attempts: Invocations after the first, of a batch as it is; -1 for no limit.
        maximum_record_age_seconds: Older records are not given to the function (again); -1 for no limit.
        first_retry_delay_seconds: Before the first retry; then twice as long each time, up to a minute.
    """

    bisect_batch_on_function_error: bool = False
    maximum_retry_attempts: int = UNLIMITED
    maximum_record_age_seconds: float = UNLIMITED
    first_retry_delay_seconds: float = 1.0

    def split_expired(self, batch: Batch, now: float) -> tuple[Batch, Batch]:
        """Part the records at the front that are too old from the rest; either may be empty."""
        count = 0
        if self.maximum_record_age_seconds != UNLIMITED:
            oldest = now - self.maximum_record_age_seconds
            while count < len(batch.records) and batch.records[count].created_at < oldest:
                count += 1
        return batch.part(None, count), batch.part(count, None)

    def after_failure(self, batch: Batch, first_failed: int, now: float) -> list[Batch]:
        """Decide how to go on after an invocation that failed.

        Args:
            batch: The batch, with the failed invocation counted.
            first_failed: Index of the first failed record; those before it are done.
            now: Epoch seconds.

        Returns:
            The batches left to do, in order; none if the records from `first_failed` on are to be given up.
        """
        remaining = batch.part(first_failed, None)
        if self.bisect_batch_on_function_error and first_failed > 0:
            return [remaining]
        if self.bisect_batch_on_function_error and len(remaining.records) > 1:
            middle = len(remaining.records) // 2
            return [remaining.part(None, middle), remaining.part(middle, None)]
        if batch.retries == self.maximum_retry_attempts:
            return []
        delay = min(self.first_retry_delay_seconds * 2.0 ** min(batch.retries, 10), _LONGEST_RETRY_DELAY_SECONDS)
        return [replace(remaining, retries=batch.retries + 1, not_before=now + delay)]
