"""The bucket of failed batches, as much of it as the handlers use: records that they set aside, to be redriven."""

import json
from typing import Any

from tests.simulation.network import Network


class Bucket:
    """The handlers' S3 client.

    Args:
        network: The way to S3.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self._objects: dict[str, list[dict[str, Any]]] = {}
        self._lines: dict[str, list[str]] = {}

    def put_object(self, *, Bucket: str, Key: str, Body: bytes) -> dict[str, Any]:  # noqa: N803 # boto3's names
        """Keep the records of an object, or its lines."""
        if not Key.startswith("aws/lambda/"):
            lines = Body.decode().splitlines()
            self._network.request("PutObject", [lambda: self._lines.__setitem__(Key, lines)], writes=True)
            return {}
        records = json.loads(json.loads(Body)["payload"])["Records"]
        self._network.request("PutObject", [lambda: self._objects.__setitem__(Key, records)], writes=True)
        return {}

    def holds(self, record: dict[str, Any]) -> bool:
        """Whether a record is set aside."""
        number = record["dynamodb"]["SequenceNumber"]
        return any(kept["dynamodb"]["SequenceNumber"] == number for kept in self._records())

    def take(self) -> list[dict[str, Any]]:
        """Take all records out, but for those that no release can read."""
        records = [record for record in self._records() if "broken" not in record["dynamodb"].get("NewImage", {})]
        self._objects.clear()
        return records

    def take_lines(self, prefix: str) -> list[str]:
        """Take the lines out that are under a prefix."""
        keys = [key for key in self._lines if key.startswith(f"{prefix}/")]
        return [line for key in keys for line in self._lines.pop(key)]

    def put_back(self, record: dict[str, Any]) -> None:
        """Keep a record whose redrive failed."""
        self._objects[f"again-{record['dynamodb']['SequenceNumber']}"] = [record]

    def _records(self) -> list[dict[str, Any]]:
        return [record for records in self._objects.values() for record in records]
