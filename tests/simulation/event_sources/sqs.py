"""An event source mapping from an SQS queue to a function.

Source of the rules: AWS Lambda Developer Guide, "Using Lambda with Amazon SQS". Visibility timeout, receive count and
dead-letter queue are the queue's business.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, NamedTuple, Protocol, TypeAlias

from ops.validation.filters import FilterCriteria, parse_body
from tests.simulation.event_sources.invocation import (
    MAXIMUM_PAYLOAD_BYTES,
    Clock,
    FunctionError,
    Invoke,
    Progress,
    failed_items,
)
from tests.simulation.event_sources.wire import to_base64

QueueMessage: TypeAlias = Mapping[str, Any]
"""A message as ReceiveMessage returns it, with all system and message attributes."""

_RECEIVE_LIMIT = 10
"""ReceiveMessage returns no more at a time."""


class QueueTransport(Protocol):
    """One queue, as much of it as a consumer needs. Errors of a call pass through `poll_once`."""

    def receive(self, limit: int) -> Sequence[QueueMessage]:
        """Receive up to `limit` (1 to 10) visible messages without waiting; they become invisible."""

    def delete(self, messages: Sequence[QueueMessage]) -> None:
        """Delete messages received before; any number of them, none included."""

    def retry_after(self, messages: Sequence[QueueMessage], seconds: int) -> None:
        """Make messages received before visible again after so many seconds from now."""


@dataclass(frozen=True)
class SqsMapping:
    """Settings of one mapping, named as in CloudFormation.

    Attributes:
        queue_arn: `eventSourceARN` of the records.
        batch_size: Most messages of one invocation.
        maximum_batching_window_seconds: How long to gather a batch; 0 invokes with what one receive brought.
        report_batch_item_failures: Whether the function's response says which messages failed.
        filters: Messages that pass none of them are deleted.
        retry_after_seconds: Failed messages come back after this time; None leaves it to the queue's visibility
            timeout, as Lambda does.
    """

    queue_arn: str
    batch_size: int = 10
    maximum_batching_window_seconds: float = 0
    report_batch_item_failures: bool = False
    filters: FilterCriteria = field(default_factory=FilterCriteria)
    retry_after_seconds: int | None = None

    def __post_init__(self) -> None:
        """Refuse what Lambda refuses.

        Raises:
            ValueError: Batches above ten messages without a window to gather them in.
        """
        if self.batch_size > _RECEIVE_LIMIT and self.maximum_batching_window_seconds < 1:
            raise ValueError(
                f"{self.queue_arn}: BatchSize {self.batch_size} is above {_RECEIVE_LIMIT}, so "
                "MaximumBatchingWindowInSeconds has to be at least 1."
            )

    @property
    def region(self) -> str:
        """The queue's region, part of its ARN."""
        return self.queue_arn.split(":")[3]


class _Gathered(NamedTuple):
    message: QueueMessage
    record: dict[str, Any]
    size: int  # bytes as JSON


class SqsPoller:
    """Gathers batches from one queue and invokes the function with them, one at a time."""

    def __init__(self, mapping: SqsMapping, transport: QueueTransport, invoke: Invoke, clock: Clock) -> None:
        self._mapping = mapping
        self._transport = transport
        self._invoke = invoke
        self._clock = clock
        self._gathered: list[_Gathered] = []
        self._window_ends_at = 0.0

    @property
    def is_idle(self) -> bool:
        """Whether no message is held back for a later batch."""
        return not self._gathered

    @property
    def next_due_at(self) -> float | None:
        """When the batch being gathered is invoked at the latest, epoch seconds; None while there is none."""
        return self._window_ends_at if self._gathered else None

    def poll_once(self) -> Progress:
        """Receive once, and invoke the function if a batch is due."""
        progress = self._receive()
        batch = self._due_batch()
        if not batch:
            return progress
        # Whatever happens from here, the queue still has the messages and knows when to show them again.
        self._gathered = self._gathered[len(batch) :]
        self._window_ends_at = self._clock() + self._mapping.maximum_batching_window_seconds
        self._process(batch)
        return Progress.MORE

    def _receive(self) -> Progress:
        limit = min(self._mapping.batch_size - len(self._gathered), _RECEIVE_LIMIT)
        if limit <= 0:
            return Progress.NONE
        received = [self._gather(message) for message in self._transport.receive(limit)]
        accepted = [entry for entry in received if self._mapping.filters.accept(parse_body(entry.record))]
        filtered_out = [entry for entry in received if entry not in accepted]
        if accepted and not self._gathered:
            self._window_ends_at = self._clock() + self._mapping.maximum_batching_window_seconds
        self._gathered += accepted
        self._transport.delete([entry.message for entry in filtered_out])
        if not received:
            return Progress.NONE
        return Progress.MORE if len(received) == limit else Progress.SOME

    def _gather(self, message: QueueMessage) -> _Gathered:
        record = self._record(message)
        return _Gathered(message, record, len(json.dumps(record)))

    def _due_batch(self) -> list[_Gathered]:
        """Look up the messages of the next invocation, none if it can wait; they stay gathered."""
        batch = self._largest_batch()
        is_full = len(batch) == self._mapping.batch_size or len(batch) < len(self._gathered)
        return batch if is_full or self._clock() >= self._window_ends_at else []

    def _largest_batch(self) -> list[_Gathered]:
        sizes = accumulate(entry.size for entry in self._gathered)
        fitting = sum(size <= MAXIMUM_PAYLOAD_BYTES for size in sizes)
        return self._gathered[: max(fitting, 1)]

    def _process(self, batch: Sequence[_Gathered]) -> None:
        failed = self._failed_ids(batch)
        kept = [entry.message for entry in batch if entry.message["MessageId"] in failed]
        self._transport.delete([entry.message for entry in batch if entry.message["MessageId"] not in failed])
        if kept and self._mapping.retry_after_seconds is not None:
            self._transport.retry_after(kept, self._mapping.retry_after_seconds)

    def _failed_ids(self, batch: Sequence[_Gathered]) -> frozenset[str]:
        message_ids = frozenset(entry.message["MessageId"] for entry in batch)
        try:
            response = self._invoke({"Records": [entry.record for entry in batch]})
            return failed_items(response, message_ids) if self._mapping.report_batch_item_failures else frozenset()
        except FunctionError:
            return message_ids

    def _record(self, message: QueueMessage) -> dict[str, Any]:
        return {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": dict(message["Attributes"]),
            "messageAttributes": {
                name: _message_attribute(value) for name, value in message.get("MessageAttributes", {}).items()
            },
            "md5OfBody": message["MD5OfBody"],
            "eventSource": "aws:sqs",
            "eventSourceARN": self._mapping.queue_arn,
            "awsRegion": self._mapping.region,
        }


def _message_attribute(value: Mapping[str, Any]) -> dict[str, Any]:
    content = {
        "stringValue": value.get("StringValue"),
        "binaryValue": to_base64(value["BinaryValue"]) if "BinaryValue" in value else None,
    }
    present = {name: text for name, text in content.items() if text is not None}
    return {**present, "stringListValues": [], "binaryListValues": [], "dataType": value["DataType"]}
