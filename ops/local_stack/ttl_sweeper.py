"""Delete items whose time to live is over, for engines that do not do it themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from ops.event_sources.invocation import Clock, Progress

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

_FIVE_YEARS_SECONDS = 5 * 365 * 86400
"""Items whose time is over for longer are left alone. Source: DynamoDB Developer Guide, "Time to Live"."""


class TtlSweeper:
    """Sweeps one table now and then. Unlike DynamoDB's own, its stream records carry no `userIdentity`."""

    def __init__(
        self, client: DynamoDBClient, table_name: str, attribute: str, clock: Clock, *, interval_seconds: float
    ) -> None:
        """Set up; the first sweep is due after one interval.

        Args:
            client: For the table's engine.
            table_name: The table.
            attribute: Holds the epoch second at which an item may go.
            clock: Epoch seconds.
            interval_seconds: From one sweep to the next.
        """
        self._client = client
        self._table_name = table_name
        self._attribute = attribute
        self._clock = clock
        self._interval_seconds = interval_seconds
        self._due_at = clock() + interval_seconds
        schema = client.describe_table(TableName=table_name)["Table"]["KeySchema"]
        self._key_names = [element["AttributeName"] for element in schema]

    @property
    def is_idle(self) -> bool:
        """True: it holds nothing back."""
        return True

    @property
    def next_due_at(self) -> float | None:
        """The next sweep, epoch seconds."""
        return self._due_at

    def poll_once(self) -> Progress:
        """Sweep if it is time."""
        if self._clock() < self._due_at:
            return Progress.NONE
        deleted = self.sweep()
        self._due_at = self._clock() + self._interval_seconds
        return Progress.SOME if deleted else Progress.NONE

    def sweep(self) -> int:
        """Delete every item whose time is over; returns how many."""
        now = int(self._clock())
        names = {"#ttl": self._attribute} | {f"#k{index}": name for index, name in enumerate(self._key_names)}
        pages = self._client.get_paginator("scan").paginate(
            TableName=self._table_name,
            ConsistentRead=True,
            FilterExpression="#ttl BETWEEN :oldest AND :now",
            ProjectionExpression=", ".join(name for name in names if name != "#ttl"),
            ExpressionAttributeNames=names,
            ExpressionAttributeValues={":now": {"N": str(now)}, ":oldest": {"N": str(now - _FIVE_YEARS_SECONDS)}},
        )
        return sum(self._delete(key, now) for page in pages for key in page["Items"])

    def _delete(self, key: dict[str, AttributeValueTypeDef], now: int) -> bool:
        """Delete an item unless its time was extended since the scan."""
        try:
            self._client.delete_item(
                TableName=self._table_name,
                Key=key,
                ConditionExpression="#ttl <= :now",
                ExpressionAttributeNames={"#ttl": self._attribute},
                ExpressionAttributeValues={":now": {"N": str(now)}},
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            return False
        return True
