"""Read a table from one end to the other, page by page, with what it costs and where to go on.

DynamoDB has no index on what a session says of its client, so these lists read every item. Source: AWS, "Scanning
tables in DynamoDB": a Scan is charged for what it reads, whatever its filter lets through.
"""

import base64
import binascii
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import ClientError

from ops.inspection.filters import Filters
from processors.projections.activity import CustomerActivity, activity_at
from processors.session_table import SessionTable
from schemas.attributes import Attributes
from schemas.errors import MalformedItemError
from schemas.item_mapping import read_item
from schemas.items import Session
from schemas.keys import Key, session_key
from schemas.projection_items import read_projection

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

RowT = TypeVar("RowT")

READ_UNITS_MILLION_DOLLARS = 0.125
"""On demand, us-east-1. Source: https://aws.amazon.com/dynamodb/pricing/on-demand/, looked up on 2026-11-22."""


class Scan:
    """One pass over a table; eventually consistent, at half the price.

    Attributes:
        items: Items that DynamoDB read so far.
        read_units: Read units that they cost.
        position: The key to go on after; None at the end of the table, and before the first page.
        unreadable: Items that break the schema, with what is wrong; they are passed over.
    """

    def __init__(self, client: "DynamoDBClient", table_name: str, *, after: Key | None = None, **request: Any) -> None:
        """Describe the pass, without reading anything.

        Args:
            client: A boto3 DynamoDB client.
            table_name: The table.
            after: Where to go on; None for the beginning.
            request: Further members of the Scan request.
        """
        self.items = 0
        self.read_units = 0.0
        self.position = after
        self.unreadable: list[str] = []
        self._client = client
        self._request: dict[str, Any] = {"TableName": table_name, "ReturnConsumedCapacity": "TOTAL", **request}

    @property
    def dollars(self) -> float:
        """What the read units cost on demand."""
        return self.read_units / 1_000_000 * READ_UNITS_MILLION_DOLLARS

    def rows(self, read: Callable[[Attributes], RowT | None], on_page: Callable[[int], object]) -> Iterator[RowT]:
        """Read the table on, item by item; whoever stops in the middle finds where in `position`.

        Args:
            read: Reads an item; None for one of another kind.
            on_page: Called with the number of items that each page read.

        Raises:
            ClientError: The service refused.
            BotoCoreError: It could not be reached.
        """
        start = self.position
        while True:
            request = self._request | ({} if start is None else {"ExclusiveStartKey": _attributes_of(start)})
            page: Any = self._client.scan(**request)
            self.items += page["ScannedCount"]
            self.read_units += page.get("ConsumedCapacity", {}).get("CapacityUnits", 0.0)
            for attributes in page["Items"]:
                try:
                    row = read(attributes)
                except MalformedItemError as error:
                    self.unreadable.append(str(error))
                else:
                    if row is not None:
                        self.position = _key_of(attributes)
                        yield row
            self.position = start = _key_of(page["LastEvaluatedKey"]) if page.get("LastEvaluatedKey") else None
            on_page(page["ScannedCount"])
            if start is None:
                return


def estimated_items(client: "DynamoDBClient", table_name: str) -> int | None:
    """Return about how many items a table has: DynamoDB counts every six hours; None where that may not be asked."""
    try:
        return client.describe_table(TableName=table_name)["Table"]["ItemCount"] or None
    except ClientError:  # no list needs it: it is the end of a progress bar
        return None


def scan_sessions(
    scan: Scan, sessions: SessionTable, filters: Filters, now: datetime, on_page: Callable[[int], object]
) -> Iterator[Session]:
    """Read the sessions that are meant, in the table's own order; children with their parent.

    Args:
        scan: The pass, of the sessions table.
        sessions: The same table, for parents.
        filters: Which sessions are meant.
        now: The moment that counts, aware UTC.
        on_page: Called with the number of items of each page that were read.
    """
    parents: dict[Key, Session | None] = {}
    for session in scan.rows(_read_session, on_page):
        if session.parent_session_id is None or session.customer_id is None:
            complete = session
        else:
            key = session_key(session.parent_session_id, session.customer_id)
            if key not in parents:
                parents.clear()  # siblings follow each other
                parents[key] = sessions.get_session_by_session_id(session.parent_session_id, session.customer_id)
            complete = replace(session, parent=parents[key])
        if filters.match(complete, now):
            yield complete


def scan_customers(
    scan: Scan, filters: Filters, now: datetime, on_page: Callable[[int], object]
) -> Iterator[CustomerActivity]:
    """Read the customers that are meant, in the order of the projections table."""

    def read(attributes: Attributes) -> CustomerActivity:
        projection = read_projection(attributes)
        return activity_at(projection, projection.customer_id, now)

    return (activity for activity in scan.rows(read, on_page) if filters.match_activity(activity))


def _read_session(attributes: Attributes) -> Session | None:
    item = read_item(attributes)
    return item if isinstance(item, Session) else None


def write_token(position: Key) -> str:
    """Write where to go on as a word for the command line."""
    return base64.urlsafe_b64encode(json.dumps(position).encode()).decode().rstrip("=")


def read_token(token: str) -> Key:
    """Read where to go on.

    Raises:
        ValueError: It is not such a word.
    """
    try:
        padded = token + "=" * (-len(token) % 4)
        pk, sk = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, TypeError):
        raise ValueError("not a position that a list has printed") from None
    if not isinstance(pk, str) or not isinstance(sk, str | None):
        raise ValueError("not a position that a list has printed")
    return Key(pk, sk)


def _key_of(attributes: Attributes) -> Key:
    return Key(attributes["PK"]["S"], attributes["SK"]["S"] if "SK" in attributes else None)


def _attributes_of(position: Key) -> dict[str, Any]:
    key: dict[str, Any] = {"PK": {"S": position.pk}}
    return key if position.sk is None else key | {"SK": {"S": position.sk}}
