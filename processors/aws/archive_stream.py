"""Sending life-cycle events to the Firehose stream that archives them."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from processors.aws.batch_sending import BatchSender, Failures, Limits
from processors.aws.deadline import NEVER, Deadline
from processors.aws.event_bus import line_of

_LIMITS = Limits(entries=500, request_bytes=4 * 1024 * 1024, entry_bytes=1000 * 1024)
"""Source: Firehose API, PutRecordBatch: 500 records and 4 MiB a request, 1,000 KiB a record."""

_RECORD_BYTES = 250 * 1024
"""Lines are packed into records of this size: each record is charged as a multiple of 5 KB."""


class ArchiveStream:
    """A Firehose stream.

    Args:
        client: A boto3 Firehose client.
        name: The stream.
        concurrency: Most requests under way at a time.
        sleep: Waits for so many seconds.
    """

    def __init__(
        self, client: Any, name: str, *, concurrency: int = 1, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._client = client
        self._name = name
        self._sender = BatchSender(self._request, len, _LIMITS, concurrency=concurrency, sleep=sleep)

    def put(self, details: Sequence[Mapping[str, Any]], *, deadline: Deadline = NEVER) -> Failures:
        """Archive events, each the `detail` of a life-cycle event, as lines of JSON; many a record.

        Returns:
            The positions of those that were not accepted; nothing is raised.
        """
        lines = [line_of(detail) + "\n" for detail in details]
        records = _records(lines)
        texts = ["".join(lines[position] for position in record) for record in records]
        failures = self._sender.send([text.encode() for text in texts], deadline)
        return Failures(_of_lines(failures.refused, records), _of_lines(failures.unsent, records))

    def _request(self, records: Sequence[bytes]) -> list[str | None]:
        response = self._client.put_record_batch(
            DeliveryStreamName=self._name, Records=[{"Data": record} for record in records]
        )
        return [entry.get("ErrorCode") for entry in response["RequestResponses"]]


def _records(lines: Sequence[str]) -> list[list[int]]:
    records: list[list[int]] = []
    room = 0
    for position, line in enumerate(lines):
        if not records or len(line) > room:
            records.append([])
            room = _RECORD_BYTES
        records[-1].append(position)
        room -= len(line)
    return records


def _of_lines(failures: Mapping[int, str], records: Sequence[Sequence[int]]) -> dict[int, str]:
    return {position: code for record, code in failures.items() for position in records[record]}
