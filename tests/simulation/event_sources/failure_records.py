"""What an on-failure destination gets.

Source: AWS Lambda Developer Guide, "Retain discarded records for a DynamoDB event source" and "Capturing records of
asynchronous invocations". SQS gets the position of a stream batch only; S3 gets the records too.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from tests.simulation.event_sources.asynchronous import DiscardedEvent
from tests.simulation.event_sources.stream_batches import DiscardedBatch


def stream_position(discarded: DiscardedBatch, *, function_arn: str, request_id: str) -> dict[str, Any]:
    """Describe a discarded stream batch by its position in the stream."""
    records = discarded.records
    return {
        "requestContext": {
            "requestId": request_id,
            "functionArn": function_arn,
            "condition": discarded.condition,
            "approximateInvokeCount": discarded.batch.invocations,
        },
        **_response_context(discarded.batch.invocations, discarded.batch.error),
        "version": "1.0",
        "timestamp": _milliseconds(discarded.discarded_at),
        "DDBStreamBatchInfo": {
            "shardId": discarded.shard_id,
            "startSequenceNumber": records[0].sequence_number,
            "endSequenceNumber": records[-1].sequence_number,
            "approximateArrivalOfFirstRecord": _seconds(records[0].created_at),
            "approximateArrivalOfLastRecord": _seconds(records[-1].created_at),
            "batchSize": len(records),
            "streamArn": discarded.stream_arn,
        },
    }


def stream_records(discarded: DiscardedBatch, *, function_arn: str, request_id: str) -> dict[str, Any]:
    """Describe a discarded stream batch with all its records: `payload` is the function's event, as JSON text."""
    position = stream_position(discarded, function_arn=function_arn, request_id=request_id)
    return {**position, "payload": json.dumps({"Records": [record.event for record in discarded.records]})}


def stream_object_key(discarded: DiscardedBatch, *, mapping_id: str, object_id: str) -> str:
    """Name the S3 object of a discarded stream batch."""
    at = datetime.fromtimestamp(discarded.discarded_at, UTC)
    return f"aws/lambda/{mapping_id}/{discarded.shard_id}/{at:%Y/%m/%d}/{at:%Y-%m-%dT%H.%M.%S}-{object_id}"


def asynchronous_invocation(discarded: DiscardedEvent, *, function_arn: str, request_id: str) -> dict[str, Any]:
    """Describe a discarded event of an asynchronous invocation, the event included."""
    return {
        "version": "1.0",
        "timestamp": _milliseconds(discarded.discarded_at),
        "requestContext": {
            "requestId": request_id,
            "functionArn": f"{function_arn}:$LATEST",
            "condition": discarded.condition,
            "approximateInvokeCount": discarded.invocations,
        },
        "requestPayload": discarded.event,
        **_response_context(discarded.invocations, discarded.error),
        "responsePayload": {"errorMessage": discarded.error},
    }


def _response_context(invocations: int, error: str | None) -> dict[str, Any]:
    """Describe the last answer; there is none where nothing was ever invoked."""
    if not invocations:
        return {}
    failure = {} if error is None else {"functionError": "Unhandled"}
    return {"responseContext": {"statusCode": 200, "executedVersion": "$LATEST", **failure}}


def _milliseconds(epoch_seconds: float) -> str:
    return datetime.fromtimestamp(epoch_seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _seconds(epoch_seconds: float) -> str:
    return datetime.fromtimestamp(epoch_seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
