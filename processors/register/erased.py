"""The list of erased customers: what occurred up to a customer's erasure is passed over, however late it arrives.

An entry is an item of the sessions table: PK `erased`, SK `<erased_at>#<SHA-256 of the customer id>`. It outlasts every
copy of an event: 15 days of a late copy, 1 of the stream, 30 of the failed-batches bucket, and one.
"""

import logging
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from processors.aws.errors import raising_read_errors
from processors.register.erased_list import ErasedList, hash_of
from processors.runtime.clock import utc_now
from schemas import attributes as read
from schemas.attributes import Attributes
from schemas.keys import Key
from schemas.times import format_rfc3339, parse_rfc3339, to_epoch_seconds

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

logger = logging.getLogger(__name__)

ERASED_PARTITION = "erased"
ENTRY_LIFETIME = timedelta(days=47)
LIST_LIFETIME = timedelta(minutes=1)
"""How old a list may be that a handler works by."""


class ErasedCustomers:
    """Reads the list, at most once a minute. One serves all invocations of a container.

    Args:
        client: A boto3 DynamoDB client.
        table_name: The sessions table.
        clock: Aware UTC.
    """

    def __init__(self, client: "DynamoDBClient", table_name: str, *, clock: Callable[[], datetime] = utc_now) -> None:
        self._client = client
        self._table_name = table_name
        self._clock = clock
        self._read_at: datetime | None = None
        self._list = ErasedList()

    def current(self) -> ErasedList:
        """Return the list as of at most a minute ago, from a strongly consistent read.

        Raises:
            ReadError: It could not be read: nothing may be written by an older list.
        """
        now = self._clock()
        if self._read_at is None or not self._read_at <= now < self._read_at + LIST_LIFETIME:
            self._list = read_erased(self._client, self._table_name)
            self._read_at = now
        return self._list

    def add(self, customer_id: str, erased_at: datetime) -> None:
        """Put a customer onto the list; the same entry again changes nothing.

        Args:
            customer_id: The customer.
            erased_at: Aware UTC; up to when.

        Raises:
            ClientError: The service refused.
            BotoCoreError: It could not be reached.
        """
        self._client.put_item(TableName=self._table_name, Item=erased_entry(customer_id, erased_at))
        self._read_at = None


def read_erased(client: "DynamoDBClient", table_name: str) -> ErasedList:
    """Read the list, strongly consistent.

    Raises:
        ReadError: It could not be read.
    """
    pages = client.get_paginator("query").paginate(
        TableName=table_name,
        KeyConditionExpression="PK = :pk",
        ExpressionAttributeValues={":pk": {"S": ERASED_PARTITION}},
        ConsistentRead=True,
    )
    with raising_read_errors():
        items = [item for page in pages for item in page["Items"]]
    return ErasedList(_read_entries(items))


def erased_entry(customer_id: str, erased_at: datetime) -> dict[str, dict[str, str]]:
    """Make the item that puts a customer onto the list.

    Args:
        customer_id: The customer.
        erased_at: Aware UTC; up to when.
    """
    key = Key(ERASED_PARTITION, f"{format_rfc3339(erased_at)}#{hash_of(customer_id)}")
    ttl = to_epoch_seconds(erased_at + ENTRY_LIFETIME)
    return {"PK": {"S": key.pk}, "SK": {"S": key.sk or ""}, "ttl": {"N": str(ttl)}}


def _read_entries(items: Iterable[Attributes]) -> dict[str, datetime]:
    newest: dict[str, datetime] = {}
    for item in items:
        moment, _, customer_hash = (read.text(item, "SK") or "").partition("#")
        try:
            erased_at = parse_rfc3339(moment)
        except ValueError:
            logger.error(
                "entry of the erased list cannot be read: repair or delete it", extra={"partition": ERASED_PARTITION}
            )
            continue
        newest[customer_hash] = max(erased_at, newest.get(customer_hash, erased_at))
    return newest
