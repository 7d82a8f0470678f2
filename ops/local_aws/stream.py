"""How many records a table's stream has held: nothing else tells what the projector still has to see."""

from typing import Any


class StreamCount:
    """The records of a table's stream, counted on from where the last count ended.

    Args:
        client: A boto3 DynamoDB Streams client.
        stream_arn: The stream.
    """

    def __init__(self, client: Any, stream_arn: str) -> None:
        self._client = client
        self._arn = stream_arn
        self._iterators: dict[str, str | None] = {}
        self._count = 0

    def read(self) -> int:
        """Return how many records there have been since the stream began, as far as it still holds them."""
        for shard in self._client.describe_stream(StreamArn=self._arn)["StreamDescription"]["Shards"]:
            if shard["ShardId"] not in self._iterators:
                self._iterators[shard["ShardId"]] = self._client.get_shard_iterator(
                    StreamArn=self._arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
                )["ShardIterator"]
        for shard_id in self._iterators:
            self._read_shard(shard_id)
        return self._count

    def _read_shard(self, shard_id: str) -> None:
        while iterator := self._iterators[shard_id]:
            page = self._client.get_records(ShardIterator=iterator)
            self._iterators[shard_id] = page.get("NextShardIterator")
            self._count += len(page["Records"])
            if not page["Records"]:
                return
