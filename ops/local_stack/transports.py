"""The outside world of event sources, through boto3: queues, streams, on-failure destinations."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from ops.event_sources import failure_records
from ops.event_sources.asynchronous import DiscardedEvent, DiscardEvent
from ops.event_sources.sqs import QueueMessage
from ops.event_sources.stream_batches import DiscardedBatch
from ops.event_sources.streams import Discard, Shard, StartingPosition, WireRecord

if TYPE_CHECKING:
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

_BATCH_LIMIT = 10
"""Entries of one SQS batch request."""

_GONE = {"ReceiptHandleIsInvalid", "MessageNotInflight", "AWS.SimpleQueueService.MessageNotInflight"}
"""The message became visible again meanwhile, and was received or moved on by someone else: at-least-once delivery."""


class QueueError(Exception):
    """SQS refused some entries of a batch request."""


class SqsQueue:
    """One queue as a `QueueTransport`."""

    def __init__(self, client: SQSClient, queue_url: str) -> None:
        self._client = client
        self._queue_url = queue_url

    def receive(self, limit: int) -> Sequence[QueueMessage]:
        """Receive up to `limit` messages; without waiting, because the embedded engine serves one request at a time."""
        response = self._client.receive_message(
            QueueUrl=self._queue_url,
            MaxNumberOfMessages=limit,
            WaitTimeSeconds=0,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        return response.get("Messages", [])

    def delete(self, messages: Sequence[QueueMessage]) -> None:
        """Delete messages.

        Raises:
            QueueError: SQS refused, and not because the message is gone.
        """
        for entries in _entries(messages):
            _check(self._client.delete_message_batch(QueueUrl=self._queue_url, Entries=entries))

    def retry_after(self, messages: Sequence[QueueMessage], seconds: int) -> None:
        """Make messages visible again after so many seconds.

        Raises:
            QueueError: SQS refused, and not because the message is gone.
        """
        for entries in _entries(messages):
            timed: list[Any] = [{**entry, "VisibilityTimeout": seconds} for entry in entries]
            _check(self._client.change_message_visibility_batch(QueueUrl=self._queue_url, Entries=timed))

    def is_empty(self) -> bool:
        """Tell whether the queue holds no message: visible, in flight or delayed."""
        response = self._client.get_queue_attributes(
            QueueUrl=self._queue_url,
            AttributeNames=[
                "ApproximateNumberOfMessages",
                "ApproximateNumberOfMessagesNotVisible",
                "ApproximateNumberOfMessagesDelayed",
            ],
        )
        return not any(int(count) for count in response["Attributes"].values())


def _entries(messages: Sequence[QueueMessage]) -> Iterator[list[Any]]:
    for start in range(0, len(messages), _BATCH_LIMIT):
        part = messages[start : start + _BATCH_LIMIT]
        yield [{"Id": str(index), "ReceiptHandle": message["ReceiptHandle"]} for index, message in enumerate(part)]


def _check(response: Mapping[str, Any]) -> None:
    refused = [failure for failure in response.get("Failed", []) if failure["Code"] not in _GONE]
    if refused:
        raise QueueError("; ".join(f"{failure['Code']}: {failure.get('Message', '')}" for failure in refused))


class DynamoDbStream:
    """One stream as a `StreamTransport`."""

    def __init__(self, client: DynamoDBStreamsClient, stream_arn: str) -> None:
        self._client = client
        self._stream_arn = stream_arn

    def shards(self) -> Sequence[Shard]:
        """List the stream's shards, all pages."""
        shards: list[Shard] = []
        start: dict[str, Any] = {}
        while True:
            description = self._client.describe_stream(StreamArn=self._stream_arn, **start)["StreamDescription"]
            shards += [Shard(shard["ShardId"], shard.get("ParentShardId")) for shard in description.get("Shards", [])]
            if "LastEvaluatedShardId" not in description:
                return shards
            start = {"ExclusiveStartShardId": description["LastEvaluatedShardId"]}

    def iterator(self, shard_id: str, position: StartingPosition) -> str:
        """Get an iterator; it is good for 15 minutes."""
        return self._client.get_shard_iterator(
            StreamArn=self._stream_arn, ShardId=shard_id, ShardIteratorType=position
        )["ShardIterator"]

    def read(self, iterator: str, limit: int) -> tuple[Sequence[WireRecord], str | None]:
        """Read records in order, and the iterator that goes on from there."""
        response = self._client.get_records(ShardIterator=iterator, Limit=limit)
        return response["Records"], response.get("NextShardIterator")


def batches_to_bucket(client: S3Client, bucket: str, *, mapping_id: str, function_arn: str) -> Discard:
    """Make an on-failure destination of a bucket: it keeps whole batches of stream records."""

    def put(discarded: DiscardedBatch) -> None:
        body = failure_records.stream_records(discarded, function_arn=function_arn, request_id=str(uuid4()))
        key = failure_records.stream_object_key(discarded, mapping_id=mapping_id, object_id=str(uuid4()))
        client.put_object(Bucket=bucket, Key=key, Body=json.dumps(body).encode())

    return put


def batches_to_queue(client: SQSClient, queue_url: str, *, function_arn: str) -> Discard:
    """Make an on-failure destination of a queue: it gets the position of a batch in the stream only."""

    def send(discarded: DiscardedBatch) -> None:
        body = failure_records.stream_position(discarded, function_arn=function_arn, request_id=str(uuid4()))
        client.send_message(QueueUrl=queue_url, MessageBody=json.dumps(body))

    return send


def events_to_queue(client: SQSClient, queue_url: str, *, function_arn: str) -> DiscardEvent:
    """Make an on-failure destination of asynchronous invocations of a queue."""

    def send(discarded: DiscardedEvent) -> None:
        body = failure_records.asynchronous_invocation(discarded, function_arn=function_arn, request_id=str(uuid4()))
        client.send_message(QueueUrl=queue_url, MessageBody=json.dumps(body))

    return send
